// Who is asked about, and whether this caller may ask: the principal of CheckPermission and BatchCheck.
import type { Authorization, Limits, Rights, Ruling, Subject } from '../../authorization/authorization.ts';
import type { Call, MaybePromise } from '../../base/call.ts';
import { type KnownCaller, subjectOf, type TenantId } from '../../base/caller.ts';
import { badField } from '../../base/fault.ts';
import { andThen } from '../../base/maybe.ts';
import type { Instant } from '../../base/time.ts';
import type { Subject as SubjectMessage } from '../../gen/securityhub/v1/authorization.ts';
import { type Gate, type Ground, gateOf, ownGate } from '../gate.ts';
import type { Limited } from '../guards.ts';
import type { RequestContext } from '../../gen/securityhub/v1/token.ts';
import { type Asker, createAskerOf, isSelf, mayName, requireCheck } from './asker.ts';

/** What identity and api-keys know of a subject. */
export interface Standing {
  readonly active: boolean;
  /** Whose rights count: its own, or those of an API key's owner. */
  readonly holder: Subject;
  readonly limits: Limits;
  /** What is written in the account of a user; null for everybody else. */
  readonly account: Limited | null;
}

/** What an access token proves of its subject besides who it is. */
export interface Shown {
  readonly mfaVerified: boolean;
  readonly sessionId: string;
  /** How it logged in and how that was weighed: absent in tokens of other issuers, whose word counts on the second factor alone. */
  readonly authMethod?: string;
  readonly riskLevel?: string;
  /** From 0 to 1; 0 where the login was not weighed, its level says it roughly then. */
  readonly riskScore?: number;
}

/** What ValidateToken would say of a token, without audience. */
export type Presented =
  | {
      readonly ok: true;
      readonly tenantId: TenantId;
      /** As in `subjectOf`: a user, or an API key. */
      readonly subject: Subject;
      readonly standing: Standing;
      readonly expiresAt: Instant | null;
      /** Of a user's token; null for keys. */
      readonly home: Pick<Ground, 'tenant' | 'shown'> | null;
      /** null for what has no session of ours. */
      readonly proven: Shown | null;
    }
  | { readonly ok: false; readonly reason: string; readonly message: string };

export interface PrincipalPorts {
  readonly authorization: Pick<Authorization, 'holding'>;
  readonly verify: (token: string, context: RequestContext | undefined, call: Call) => MaybePromise<Presented>;
  readonly tenant: (tenantId: TenantId) => MaybePromise<({ readonly status: string } & Limited) | null>;
  /** null = no such subject in that tenant. */
  readonly standing: (tenantId: TenantId, subject: Subject) => MaybePromise<Standing | null>;
  /** The id of the user who goes by this name or e-mail address; null = nobody does. */
  readonly userNamed: (tenantId: TenantId, name: string) => MaybePromise<string | null>;
}

export interface Principal {
  readonly tenantId: TenantId;
  readonly holder: Subject;
  readonly limits: Limits;
  /** When the credential it stands on ends; null = not by itself. */
  readonly until: Instant | null;
  /** What stands before its rights, once they are known. */
  readonly gate: (rights: Pick<Rights, 'constraints'>, now: Instant) => Gate | null;
  /** What its credential proves; null where it is only named. */
  readonly proven: Shown | null;
  /** What the caller says of a subject that is only named. */
  readonly said: SubjectMessage | null;
}

/** An answer that needs no rights: the token is not good, the subject is not there. */
export interface Refusal {
  readonly tenantId: TenantId;
  readonly ruling: Ruling;
}

export type Named = Principal | Refusal;

export type Given = { readonly $case: 'token'; readonly value: string } | { readonly $case: 'subject'; readonly value: SubjectMessage };

export interface Principals {
  asker(call: Call): MaybePromise<Asker>;
  /**
   * The caller's own problems are faults: INVALID_ARGUMENT / SUBJECT_REQUIRED for a workload that names nobody,
   * PERMISSION_DENIED / PERMISSION_MISSING for whoever asks about others without authz:check. What is wrong with the principal is a refusal.
   */
  name(given: Given | undefined, context: RequestContext | undefined, asker: Asker, call: Call): MaybePromise<Named>;
}

const refuse = (tenantId: TenantId, code: string, reason: string): Refusal => ({
  tenantId,
  ruling: { allowed: false, code, reason, rules: [] },
});

/** One answer for a subject that does not exist and for everybody of a tenant that is none of the caller's. */
const unknown = (asker: Asker): Refusal => refuse(asker.caller.tenantId, 'SUBJECT_UNKNOWN', 'no such subject');
const suspended = (tenantId: TenantId): Refusal => refuse(tenantId, 'SUBJECT_SUSPENDED', 'the subject is not active');
const tenantSuspended = (tenantId: TenantId): Refusal => refuse(tenantId, 'TENANT_SUSPENDED', 'the tenant is not active');

const OPEN = (): null => null;

/** What its tenant and its account say stands before a user; keys and workloads have lists of their own. */
const gateAt = (tenant: Limited, account: Limited | null, shown: Ground['shown']): Principal['gate'] =>
  account === null ? OPEN : (rights, now) => gateOf({ tenant, user: account, shown }, rights, now);

/** The caller as principal: what authentication proved, capped as its credential is. */
const itself = (caller: Exclude<KnownCaller, { kind: 'workload' }>, narrower: readonly string[]): Principal => {
  const scopes = [caller.scopes, narrower].filter((list) => list.length > 0);
  return caller.kind === 'user'
    ? {
        tenantId: caller.tenantId,
        holder: subjectOf(caller),
        limits: { also: [], cap: null, scopes },
        until: caller.expiresAt,
        gate: () => ownGate(caller.secondFactor),
        proven: caller,
        said: null,
      }
    : {
        tenantId: caller.tenantId,
        holder: { type: 'user', id: caller.ownerId },
        limits: { also: [], cap: caller.permissions, scopes },
        until: null,
        gate: OPEN,
        proven: null,
        said: null,
      };
};

/** What a check of a subject that is named says before it looks at rights; null = nothing. */
export const createBarred =
  ({ tenant, standing }: Pick<PrincipalPorts, 'tenant' | 'standing'>) =>
  (tenantId: TenantId, subject: Subject, rights: Pick<Rights, 'constraints'>, now: Instant): MaybePromise<Ruling | null> =>
    andThen(standing(tenantId, subject), (found) =>
      andThen(found?.account ? tenant(tenantId) : null, (home) =>
        home === null || found === null ? null : (gateAt(home, found.account, null)(rights, now)?.refusal ?? null),
      ),
    );

const narrowed = (limits: Limits, scopes: readonly string[]): Limits =>
  scopes.length === 0 ? limits : { ...limits, scopes: [...limits.scopes, scopes] };

export const createPrincipals = ({ authorization, verify, tenant, standing, userNamed }: PrincipalPorts): Principals => {
  const ofCaller = ({ caller }: Asker): Principal => {
    if (caller.kind === 'workload') throw badField('principal', 'a workload names the subject it asks about', 'SUBJECT_REQUIRED');
    return itself(caller, []);
  };

  const ofToken = (token: string, context: RequestContext | undefined, asker: Asker, call: Call): MaybePromise<Named> =>
    andThen(verify(token, context, call), (presented) => {
      const self = presented.ok && isSelf(asker.caller, presented.tenantId, presented.subject);
      // Before the token's faults are told: whoever may not ask about others is no judge of their tokens.
      if (!self) requireCheck(asker);
      if (!presented.ok) return refuse(asker.caller.tenantId, presented.reason, presented.message);
      const { tenantId, expiresAt, home, standing: stands } = presented;
      if (!mayName(asker, tenantId)) return unknown(asker);
      if (!stands.active) return suspended(tenantId);
      const gate = home === null ? OPEN : gateAt(home.tenant, stands.account, home.shown);
      return { tenantId, holder: stands.holder, limits: stands.limits, until: expiresAt, gate, proven: presented.proven, said: null };
    });

  const ofSubject = (message: SubjectMessage, asker: Asker): MaybePromise<Named> => {
    const { caller } = asker;
    const tenantId = message.tenantId === '' ? caller.tenantId : message.tenantId;
    if (message.username !== '') return ofName(message, tenantId, asker);
    const subject: Subject = { type: message.type === '' ? 'user' : message.type, id: message.id };
    if (subject.id === '') throw badField('subject.id', 'must not be empty');
    // Naming oneself does not shake off the scopes of the credential one came with.
    if (caller.kind !== 'workload' && isSelf(caller, tenantId, subject)) return itself(caller, message.scopes);
    requireCheck(asker);
    if (!mayName(asker, tenantId)) return unknown(asker);
    return andThen(standing(tenantId, subject), (found) =>
      andThen(tenant(tenantId), (home): Named => {
        if (found === null) return { ...unknown(asker), tenantId };
        if (home?.status !== 'active') return tenantSuspended(tenantId);
        if (!found.active) return suspended(tenantId);
        const gate = gateAt(home, found.account, null);
        const limits = narrowed(found.limits, message.scopes);
        return { tenantId, holder: found.holder, limits, until: null, gate, proven: null, said: message };
      }),
    );
  };

  const ofName = (message: SubjectMessage, tenantId: TenantId, asker: Asker): MaybePromise<Named> => {
    if (message.id !== '') throw badField('subject.username', 'stands instead of the id');
    if (message.type !== '' && message.type !== 'user') throw badField('subject.username', 'names users only');
    return andThen(mayName(asker, tenantId) ? userNamed(tenantId, message.username) : null, (id) => {
      if (id !== null) return ofSubject({ ...message, username: '', id }, asker);
      requireCheck(asker);
      return mayName(asker, tenantId) ? { ...unknown(asker), tenantId } : unknown(asker);
    });
  };

  return {
    asker: createAskerOf(authorization),
    name(given, context, asker, call) {
      if (given === undefined) return ofCaller(asker);
      return given.$case === 'token' ? ofToken(given.value, context, asker, call) : ofSubject(given.value, asker);
    },
  };
};
