// The circumstances of a check, as far as this caller is believed: made only where a rule of the subject asks for them.
import type { Attributes, Horizon, Situation } from '../authorization/authorization.ts';
import type { Call } from '../base/call.ts';
import type { Resource } from '../gen/securityhub/v1/authorization.ts';
import type { RequestContext } from '../gen/securityhub/v1/token.ts';
import { addressOf } from './presenter.ts';
import { type Asker, isBelieved } from './principal/asker.ts';
import type { Principal, Shown } from './principal/principal.ts';
import { riskScore } from './verdict.ts';

/** What a check says besides subject, action and resource. */
export interface Surroundings {
  readonly resource: Pick<Resource, 'type' | 'attributes'> | undefined;
  readonly tokenContext: RequestContext | undefined;
  readonly context: Attributes | undefined;
  readonly workload: string;
  readonly environment: string;
}

const NONE: Attributes = Object.freeze({});
const NO_SCOPES: readonly string[] = Object.freeze([]);

/** Of a subject that is named and not shown: words, for rules that ask for `asserted`. */
const assertedOf = ({ said }: Principal): Attributes => {
  if (said === null) return NONE;
  return { ...said.attributes, mfa_verified: said.mfaVerified, risk_score: said.riskScore, session_id: said.sessionId };
};

/** Mostly there are none, or one list. */
const scopesOf = (lists: readonly (readonly string[])[]): readonly string[] =>
  lists.length === 0 ? NO_SCOPES : lists.length === 1 ? (lists[0] as readonly string[]) : lists.flat();

const scoreOf = (shown: Shown | null): number | null =>
  shown?.riskLevel === undefined ? null : shown.riskScore || riskScore(shown.riskLevel);

/** A token's own, where nobody asks about a resource: a workload asks for itself. */
export const situationOfToken = (
  shown: Shown | null,
  scopes: readonly string[],
  address: string,
  { caller, now }: Call,
  horizon: Horizon,
): Situation => ({
  now,
  horizon,
  mfaVerified: shown?.mfaVerified ?? false,
  authMethod: shown?.authMethod ?? '',
  riskScore: scoreOf(shown),
  address,
  workload: caller.kind === 'workload' ? `${caller.namespace}/${caller.name}` : '',
  environment: '',
  saidWorkload: '',
  saidEnvironment: '',
  scopes,
  sessionId: shown?.sessionId ?? '',
  resource: NONE,
  context: NONE,
  asserted: NONE,
});

/**
 * Workload, environment and the resource's attributes count from those who are believed about resources of the type; else anybody could
 * talk himself into a role. A workload that names none asks for itself.
 */
export const situationOf = (asked: Surroundings, principal: Principal, asker: Asker, call: Call, horizon: Horizon | null): Situation => {
  const believed = asked.resource !== undefined && isBelieved(asker, asked.resource.type);
  const { caller } = asker;
  const own = caller.kind === 'workload' ? `${caller.namespace}/${caller.name}` : '';
  return {
    now: call.now,
    horizon,
    mfaVerified: principal.proven?.mfaVerified ?? false,
    authMethod: principal.proven?.authMethod ?? '',
    riskScore: scoreOf(principal.proven),
    address: addressOf(asked.tokenContext, call, asker.assertsContext()),
    workload: !believed || asked.workload === '' ? own : asked.workload,
    environment: believed ? asked.environment : '',
    saidWorkload: asked.workload,
    saidEnvironment: asked.environment,
    scopes: scopesOf(principal.limits.scopes),
    sessionId: principal.proven?.sessionId ?? '',
    resource: believed ? (asked.resource?.attributes ?? NONE) : NONE,
    context: asked.context ?? NONE,
    asserted: asker.assertsSubject() ? assertedOf(principal) : NONE,
  };
};
