// What is true of a proven subject now: its tenant, its account, its rights, the guards. One object for all credentials of which the same
// is true, kept while nothing changes, so that a token pays one comparison.
import type { Subject } from '../../authorization/authorization.ts';
import type { MaybePromise } from '../../base/call.ts';
import type { TenantId } from '../../base/caller.ts';
import { isPromise } from '../../base/maybe.ts';
import { type Instant, type Millis, seconds } from '../../base/time.ts';
import type { Feed } from '../../storage/storage.ts';
import type { Standing } from '../../tokens/tokens.ts';
import { type Guards, guardsOf, type Limited } from '../guards.ts';
import type { Said } from './said.ts';
import type { Proven } from './proven.ts';
import type { LiveRights, Reason } from '../verdict.ts';

export interface FactPorts {
  readonly feed: Pick<Feed, 'applied'>;
  /** Live rights: of a user, a service (`<namespace>/<name>`) or an API key. */
  rights(tenantId: TenantId, subject: Subject): MaybePromise<LiveRights>;
  user(tenantId: TenantId, userId: string): MaybePromise<(Standing & Limited) | null>;
  tenant(tenantId: TenantId): MaybePromise<(Standing & Limited) | null>;
}

/** Loaded, or at hand. */
export interface Facts {
  readonly tenant: (Standing & Limited) | null;
  /** ACTIVE where the kind has no user behind it that could be suspended. */
  readonly user: (Standing & Limited) | null;
  readonly rights: LiveRights;
  /** null where nothing more is to be looked at: API keys, certificates, tenants without limits. */
  readonly guards: Guards | null;
  /** How many changes had been applied before they were asked for. */
  readonly applied: number;
  /** Good until then, or until the next change is applied. */
  readonly until: Instant;
  /** What was kept last for a credential of which this is true. */
  kept: Kept | null;
}

/** What stays with a credential that was found valid: one object for all of which the same is true and said. */
export interface Kept {
  readonly facts: Facts;
  readonly said: Said;
  /** Most bytes of the credential's own part of the answer. */
  readonly room: number;
}

/** Facts are put together anew at least this often, so that what bounds the caches bounds them too. */
const FACTS_KEPT: Millis = seconds(10);

const ACTIVE: Standing = { status: 'active', watermark: 0 };
const NO_LIMITS: Limited = {};
const NO_ROLES: readonly never[] = [];

const SUSPENDED: Reason = { code: 'SUBJECT_SUSPENDED', message: 'the subject is not active' };
const TENANT_SUSPENDED: Reason = { code: 'TENANT_SUSPENDED', message: 'the tenant is not active' };
const ENDED: Reason = { code: 'SESSION_ENDED', message: 'the session has ended' };

export const standingProblem = ({ tenant, user }: Facts, { marked }: Proven): Reason | null => {
  if (tenant === null || tenant.status !== 'active') return TENANT_SUSPENDED;
  if (user === null || user.status !== 'active') return SUSPENDED;
  // The row's own watermark: a session whose login saw less than this is over.
  return marked !== null && (marked.rsq < tenant.watermark || marked.rsq < user.watermark) ? ENDED : null;
};

/** Only ValidateToken writes there. */
export const keptOf = ({ slot }: Proven): Kept | null => slot.made as Kept | null;

export const createFactsOf = (ports: FactPorts) => {
  const newest = new WeakMap<LiveRights, Facts>();

  const joined = (
    { session }: Proven,
    tenant: Facts['tenant'],
    user: Facts['user'],
    rights: LiveRights,
    applied: number,
    now: Instant,
  ): Facts => {
    const guards =
      session === null ? null : guardsOf(session.restrictions, tenant ?? NO_LIMITS, rights.constraints ?? NO_ROLES, user ?? NO_LIMITS);
    const found = newest.get(rights);
    if (found !== undefined && found.applied === applied && now < found.until)
      if (found.tenant === tenant && found.user === user && found.guards === guards) return found;
    const until = Math.min(now + FACTS_KEPT, rights.validUntil ?? Number.POSITIVE_INFINITY);
    const facts: Facts = { tenant, user, rights, guards, applied, until, kept: null };
    newest.set(rights, facts);
    return facts;
  };

  return (proven: Proven, now: Instant): MaybePromise<Facts> => {
    const known = keptOf(proven)?.facts;
    const applied = ports.feed.applied();
    if (known !== undefined && now < known.until && known.applied === applied) return known;
    const { credential, subjectType, roles } = proven;
    const { tenantId, subject } = credential;
    const tenant = ports.tenant(tenantId);
    const user = subjectType === 'user' && roles === undefined ? ports.user(tenantId, subject) : ACTIVE;
    const rights = ports.rights(tenantId, { type: subjectType, id: subject, ...(roles === undefined ? {} : { roles }) });
    if (isPromise(tenant) || isPromise(user) || isPromise(rights))
      return Promise.all([tenant, user, rights]).then(([t, u, r]) => joined(proven, t, u, r, applied, now));
    return joined(proven, tenant, user, rights, applied, now);
  };
};
