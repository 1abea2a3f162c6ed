// Ending sessions: one, all of a user, all of a client, or one's own with its refresh token.
import type { Call } from '../base/call.ts';
import type { TenantId } from '../base/caller.ts';
import { Fault } from '../base/fault.ts';
import type { Millis } from '../base/time.ts';
import type { Change, Outcome, Tx } from '../storage/storage.ts';
import { FIRST_PARTY } from './family.ts';
import { readRefreshToken } from './refresh-token.ts';
import { again, entryOf, forbidden, PERMISSION, type Revoked, type RevokeDeps, short, told } from './revoke.ts';
import { isSelf } from './self.ts';
import { watermark } from './watermark.ts';

export const revokeSession =
  (deps: RevokeDeps) =>
  async (tenantId: TenantId, sessionId: string, reason: string, wait: Millis, call: Call): Promise<Revoked> => {
    const may = await deps.holds(call.caller, PERMISSION);
    const { result, revision } = await deps.write(tenantId, async (tx): Promise<Outcome<number>> => {
      const session = await deps.families.session(tx, tenantId, sessionId);
      if (!may && (session === null || !isSelf(call, tenantId, session.userId))) throw forbidden();
      if (session === null) throw new Fault('NOT_FOUND', 'SESSION_NOT_FOUND', 'no such session');
      if (session.ended) return again(deps, tx);
      await deps.families.endSession(tx, tenantId, sessionId, short(reason));
      return {
        result: 0,
        changes: [watermark(deps.watermarks, 'session', tenantId, sessionId, 'revoked')],
        events: [entryOf(call, { tenantId }, 'session.revoked', `session:${sessionId}`, reason, { user_id: session.userId })],
      };
    });
    return told(deps, Math.max(result, revision), wait);
  };

/** Inside anybody's change: the rows end here, the answered watermark ends what lives outside the database. */
export const endUserIn =
  (deps: Pick<RevokeDeps, 'families' | 'watermarks'>) =>
  async (tx: Tx, tenantId: TenantId, userId: string, detail: string): Promise<readonly Change[]> => {
    await deps.families.endUser(tx, tenantId, userId, detail.slice(0, 64));
    return [watermark(deps.watermarks, 'user', tenantId, userId, detail.slice(0, 64))];
  };

export const revokeUser =
  (deps: RevokeDeps) =>
  async (tenantId: TenantId, userId: string, reason: string, wait: Millis, call: Call): Promise<Revoked> => {
    if (!isSelf(call, tenantId, userId) && !(await deps.holds(call.caller, PERMISSION))) throw forbidden();
    // A watermark stays in every replica's memory: none for names that somebody made up.
    if ((await deps.user(tenantId, userId)) === null) throw new Fault('NOT_FOUND', 'USER_NOT_FOUND', 'no such user');
    const { revision } = await deps.write(
      tenantId,
      async (tx): Promise<Outcome<null>> => ({
        result: null,
        changes: await endUserIn(deps)(tx, tenantId, userId, 'revoked'),
        events: [entryOf(call, { tenantId }, 'user.sessions_revoked', `user:${userId}`, reason)],
      }),
    );
    return told(deps, revision, wait);
  };

/** Whoever may call this holds `token:revoke`. */
export const revokeClient =
  (deps: RevokeDeps) =>
  async (tenantId: TenantId, clientId: string, reason: string, wait: Millis, call: Call): Promise<Revoked> => {
    const known = clientId === FIRST_PARTY || (await deps.isWorkload(tenantId, clientId));
    const { revision } = await deps.write(tenantId, async (tx): Promise<Outcome<null>> => {
      const sessions = await deps.families.endClient(tx, tenantId, clientId, 'revoked');
      // A watermark stays in every replica's memory: none for names that somebody made up.
      if (!known && sessions === 0) throw new Fault('NOT_FOUND', 'CLIENT_NOT_FOUND', 'no such client');
      return {
        result: null,
        changes: [watermark(deps.watermarks, 'client', tenantId, clientId, 'revoked')],
        events: [entryOf(call, { tenantId }, 'client.sessions_revoked', `client:${clientId}`, reason, { sessions_at_least: sessions })],
      };
    });
    return told(deps, revision, wait);
  };

/** The refresh token is the credential: any generation of it may end its own session, again and again. */
export const logout =
  (deps: RevokeDeps) =>
  async (text: string, call: Call, reason = ''): Promise<Revoked> => {
    const token = readRefreshToken(deps.refreshKeys, text);
    if (token === null) throw new Fault('UNAUTHENTICATED', 'REFRESH_TOKEN_INVALID', 'no such refresh token');
    const { tenantId, familyId } = token;
    const { result, revision } = await deps.write(tenantId, async (tx): Promise<Outcome<number>> => {
      const locked = await deps.families.lock(tx, token);
      if (locked === null) throw new Fault('UNAUTHENTICATED', 'REFRESH_TOKEN_INVALID', 'no such refresh token');
      const { sessionId, userId } = locked.family;
      if ((await deps.families.session(tx, tenantId, sessionId))?.ended === true) return again(deps, tx);
      await deps.families.endSession(tx, tenantId, sessionId, 'logout');
      const entry = entryOf(call, { tenantId }, 'session.ended', `session:${sessionId}`, reason);
      return {
        result: 0,
        changes: [watermark(deps.watermarks, 'session', tenantId, sessionId, 'logout')],
        events: [{ ...entry, actor: { type: 'user', id: userId, tenantId }, sessionId }],
      };
    });
    deps.denyList.endFamily(tenantId, familyId, 'logout');
    return told(deps, Math.max(result, revision), 0);
  };
