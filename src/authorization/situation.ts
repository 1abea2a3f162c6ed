// The circumstances of one question, as far as they are believed: what rules may ask for besides rights and resource.
import type { Instant } from '../base/time.ts';

export type Attributes = Readonly<Record<string, unknown>>;

/** The next instant at which the answer may be another one: rules that depend on time bring it nearer. */
export interface Horizon {
  until: Instant;
}

export interface Situation {
  readonly now: Instant;
  /** null where nobody asks how long the answer holds. */
  readonly horizon: Horizon | null;
  /** By the token or the caller's own credential; never on somebody's word. */
  readonly mfaVerified: boolean;
  /** How the subject logged in, and how that login was weighed; '' and null = no token of ours says so. */
  readonly authMethod: string;
  readonly riskScore: number | null;
  /** Where the subject is; '' = not known. */
  readonly address: string;
  /** What the question is asked for; '' = nothing in particular, or nobody we believe says so. */
  readonly workload: string;
  readonly environment: string;
  /** The same as they were said, whoever says so: rules that deny or ask for more go by these as well. */
  readonly saidWorkload: string;
  readonly saidEnvironment: string;
  /** Of the subject's credential; empty where there is none. */
  readonly scopes: readonly string[];
  readonly sessionId: string;
  /** Of the resource, from callers who are believed about it. */
  readonly resource: Attributes;
  /** Of the call. */
  readonly context: Attributes;
  /** What the caller says about the subject: for rules that ask for `asserted`. */
  readonly asserted: Attributes;
}

const NONE: Attributes = Object.freeze({});

/** Where nothing is known: rules that need something do not allow. `mfaVerified`: all that is known of the caller of a management call. */
export const bareSituation = (now: Instant, mfaVerified = false): Situation => ({
  now,
  horizon: null,
  mfaVerified,
  authMethod: '',
  riskScore: null,
  address: '',
  workload: '',
  environment: '',
  saidWorkload: '',
  saidEnvironment: '',
  scopes: [],
  sessionId: '',
  resource: NONE,
  context: NONE,
  asserted: NONE,
});

/** For rights of which no rule looks at the situation. */
export const NOWHERE: Situation = Object.freeze(bareSituation(0));
