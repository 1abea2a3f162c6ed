// Revoking: committed first, then told to everybody. One row's lock is shared with refreshing, so no token slips through between.
import type { Call, MaybePromise } from '../base/call.ts';
import { type Caller, known, type TenantId } from '../base/caller.ts';
import { type AuditEntry, eventOf } from '../base/event.ts';
import { Fault } from '../base/fault.ts';
import type { Clock, Instant, Millis } from '../base/time.ts';
import type { Change, Feed, Outcome, ReadHead, Tx, Write } from '../storage/storage.ts';
import type { DenyList } from './deny-list.ts';
import type { Families } from './families.ts';
import { type Family, generationOfTokenId } from './family.ts';
import type { Mirror } from './mirror.ts';
import type { Standing } from './refresh.ts';
import { type Named, nameOf, unknownToken } from './name-token.ts';
import { isSelf } from './self.ts';
import { REFRESH_PREFIX, type RefreshKeys } from './refresh-token.ts';
import type { Verifier } from './verify.ts';
import { PROPAGATION, type Watermarks, watermark } from './watermark.ts';

/** How far a revocation reaches. */
export type RevocationScope = 'token' | 'family' | 'session';

export interface Revocation {
  /** '' = the caller's. */
  readonly tenantId: TenantId;
  /** An access or refresh token; or its id. */
  readonly token: string;
  readonly tokenId: string;
  /** null: its family and its session. */
  readonly scope: RevocationScope | null;
  readonly reason: string;
  readonly revokedBy: string;
  /** How long to wait for every live replica to have seen it. */
  readonly wait: Millis;
}

export interface Revoked {
  readonly seq: number;
  /** When connected replicas refuse it at the latest. */
  readonly effectiveBy: Instant;
  readonly replicasAcknowledged: number;
  readonly replicasLive: number;
}

export interface ToldDeps {
  readonly clock: Clock;
  readonly feed: Pick<Feed, 'acknowledged'>;
}

export interface RevokeDeps extends ToldDeps {
  readonly write: Write;
  readonly readHead: ReadHead;
  readonly mirror: Mirror;
  readonly families: Families;
  readonly verifier: Verifier;
  readonly refreshKeys: RefreshKeys;
  readonly denyList: DenyList;
  readonly watermarks: Watermarks;
  holds(caller: Caller, permission: string): MaybePromise<boolean>;
  /** Is this a registered workload of the tenant? */
  isWorkload(tenantId: TenantId, key: string): MaybePromise<boolean>;
  /** null where there is no such user in that tenant. */
  user(tenantId: TenantId, userId: string): MaybePromise<Standing | null>;
}

export const PERMISSION = 'token:revoke';

export const forbidden = (): Fault =>
  new Fault('PERMISSION_DENIED', 'PERMISSION_MISSING', `needs ${PERMISSION}`, { meta: { permission: PERMISSION } });

/** The answer, once the change is committed: who has seen it, and from when everybody refuses. */
export const told = async (deps: ToldDeps, seq: number, wait: Millis): Promise<Revoked> => {
  const effectiveBy = deps.clock.now() + PROPAGATION;
  // The revocation stands whether or not anybody can be counted.
  const { acknowledged, live } = await deps.feed.acknowledged(seq, wait).catch(() => ({ acknowledged: 0, live: 0 }));
  const now = deps.clock.now();
  const everybody = live > 0 && acknowledged >= live;
  return { seq, effectiveBy: everybody ? Math.min(now, effectiveBy) : effectiveBy, replicasAcknowledged: acknowledged, replicasLive: live };
};

export const short = (reason: string): string => (reason === '' ? 'revoked' : reason.slice(0, 64));

export const entryOf = (
  call: Call,
  named: Pick<Named, 'tenantId'>,
  type: string,
  resource: string,
  reason: string,
  details: AuditEntry['details'] = {},
): AuditEntry => eventOf(call, named.tenantId, type, resource, { reason: reason.slice(0, 512), details });

/**
 * What is ended already is not ended again: its watermark stands, nothing was issued since, and another one would stay in every replica's
 * memory however often somebody asks. Answers the head, which lies above the first revocation.
 */
export const again = async (deps: RevokeDeps, tx: Tx): Promise<Outcome<number>> => ({ result: await deps.readHead(tx) });

/** Is there nothing left to end? NOT_FOUND / TOKEN_NOT_FOUND for a generation that was never issued. */
const isOver = async (deps: RevokeDeps, tx: Tx, family: Family, tokenId: string, scope: RevocationScope | null): Promise<boolean> => {
  const over = family.revokedAt !== null;
  if (scope === 'family') return over;
  if (scope !== 'token') return over && (await deps.families.session(tx, family.tenantId, family.sessionId))?.ended === true;
  if (generationOfTokenId(tokenId) > family.access.generation) throw unknownToken();
  return over || deps.mirror.refusal({ ...family, subject: family.userId, tokenId, rsq: family.access.rsq }) !== null;
};

export const revokeToken =
  (deps: RevokeDeps) =>
  async (revocation: Revocation, call: Call): Promise<Revoked> => {
    known(call.caller);
    const named = nameOf(deps, revocation, call);
    const { tenantId, tokenId } = named;
    // A refresh token lives in its family: to end the one is to end the other.
    const wanted = revocation.scope === 'token' && revocation.token.startsWith(REFRESH_PREFIX) ? 'family' : revocation.scope;
    const scope = wanted ?? (named.delegated ? 'token' : null);
    const enough = named.shown && (!named.delegated || scope === 'token');
    const may = enough || (await deps.holds(call.caller, PERMISSION));

    const { result, revision } = await deps.write(tenantId, async (tx): Promise<Outcome<number>> => {
      // The same row lock as a refresh: whichever comes second sees what the first did.
      const locked = await deps.families.lock(tx, named);
      const sessionId = locked?.family.sessionId ?? named.sessionId;
      const owner = locked?.family.userId ?? named.userId;
      // A token with no session behind it (development, set-up) can still be named by itself.
      // Whoever may not end it does not learn whether it exists.
      if (!may && (owner === null || !isSelf(call, tenantId, owner))) throw forbidden();
      if (owner === null || sessionId === null) throw unknownToken();
      if (locked !== null && (await isOver(deps, tx, locked.family, tokenId, scope))) return again(deps, tx);
      const changes: Change[] = [];
      const mark = (kind: RevocationScope, key: string): void =>
        void changes.push(watermark(deps.watermarks, kind, tenantId, key, 'revoked'));
      if (scope === 'token') mark('token', tokenId);
      if (scope === null || scope === 'family') mark('family', named.familyId);
      if (scope === null || scope === 'session') mark('session', sessionId);
      if (scope === 'family') await deps.families.endFamily(tx, named, short(revocation.reason));
      if (scope === null || scope === 'session') await deps.families.endSession(tx, tenantId, sessionId, short(revocation.reason));
      const details = { scope: scope ?? 'family and session', revoked_by: revocation.revokedBy, session_id: sessionId, user_id: owner };
      return { result: 0, changes, events: [entryOf(call, named, 'token.revoked', `token:${tokenId}`, revocation.reason, details)] };
    });
    if (scope === 'token') deps.denyList.denyToken(tenantId, tokenId, short(revocation.reason));
    else deps.denyList.endFamily(tenantId, named.familyId, 'revoked');
    return told(deps, Math.max(result, revision), revocation.wait);
  };
