// Revoking what a trusted issuer gave out: only our watermarks can refuse it here, so only they are written. Nothing of it is stored.
import type { Call, MaybePromise } from '../base/call.ts';
import { known, type TenantId, tenantOf } from '../base/caller.ts';
import { eventOf } from '../base/event.ts';
import { badField, Fault } from '../base/fault.ts';
import { andThen } from '../base/maybe.ts';
import type { Millis } from '../base/time.ts';
import type { Marked, WatermarkKind } from './mirror.ts';
import { forbidden, PERMISSION, type RevokeDeps, type Revocation, type Revoked, told } from './revoke.ts';
import { watermark } from './watermark.ts';

/** What trusted issuers answer about their tokens and ids. */
export interface Foreign {
  /** A token of an issuer that the caller's tenant trusts, expired or not; null for any other. */
  read(token: string, call: Call): MaybePromise<Marked | null>;
  /** Is this an id of such an issuer: `<name>:…`? */
  knows(tenantId: TenantId, id: string): MaybePromise<boolean>;
}

interface Ending {
  readonly tenantId: TenantId;
  readonly marks: readonly (readonly [WatermarkKind, string])[];
  readonly reason: string;
  readonly wait: Millis;
  readonly details: Readonly<Record<string, string>>;
}

export const createRevokeForeign = (deps: RevokeDeps & { readonly foreign: Foreign }) => {
  const end = async ({ tenantId, marks, reason, wait, details }: Ending, call: Call): Promise<Revoked> => {
    const [[kind, key] = ['token', '']] = marks;
    const event = eventOf(call, tenantId, `${kind}.revoked`, `${kind}:${key}`, { reason: reason.slice(0, 512), details });
    const { revision } = await deps.write(tenantId, async () => ({
      result: null,
      changes: marks.map(([mark, id]) => watermark(deps.watermarks, mark, tenantId, id, 'revoked')),
      events: [event],
    }));
    return told(deps, revision, wait);
  };

  const shown = async (claims: Marked, { scope, reason, revokedBy, wait, tenantId }: Revocation, call: Call): Promise<Revoked> => {
    if (tenantId !== '' && tenantId !== claims.tenantId) throw new Fault('NOT_FOUND', 'TOKEN_NOT_FOUND', 'no such token');
    const session = claims.sessionId === '' ? [] : [['session', claims.sessionId] as const];
    if (scope === 'session' && session.length === 0) throw badField('scope', 'the token names no session');
    const marks = scope === 'token' ? [] : session;
    // Ended already, as far as is asked: another watermark would stay in every replica's memory however often somebody asks. A session
    // is not over because one of its tokens is.
    if (deps.mirror.refusal(marks.length === 0 ? claims : { ...claims, tokenId: '' }) !== null)
      return told(
        deps,
        await deps.write(claims.tenantId, async (tx) => ({ result: await deps.readHead(tx) })).then(({ result }) => result),
        wait,
      );
    const all = scope === 'session' ? marks : [['token', claims.tokenId] as const, ...marks];
    const details = { scope: scope ?? 'token and session', revoked_by: revokedBy, user_id: claims.subject };
    return end({ tenantId: claims.tenantId, marks: all, reason, wait, details }, call);
  };

  const byId = async (
    kind: WatermarkKind,
    tenantId: TenantId,
    id: string,
    reason: string,
    wait: Millis,
    call: Call,
  ): Promise<Revoked | null> => {
    if (!id.includes(':') || !(await deps.foreign.knows(tenantId, id))) return null;
    if (!(await deps.holds(call.caller, PERMISSION))) throw forbidden();
    return end({ tenantId, marks: [[kind, id]], reason, wait, details: {} }, call);
  };

  return {
    /** null where it is no token of a trusted issuer. */
    token(revocation: Revocation, call: Call): MaybePromise<Revoked | null> {
      known(call.caller);
      const { token, tokenId, reason, wait } = revocation;
      // Both given is a mistake that our own rules name.
      if (token !== '' && tokenId !== '') return null;
      if (token === '') return byId('token', tenantOf(call.caller, revocation.tenantId), tokenId, reason, wait, call);
      if (deps.verifier.verify(token, call.now, 0, undefined, call).claims !== null) return null;
      return andThen(deps.foreign.read(token, call), (claims) => (claims === null ? null : shown(claims, revocation, call)));
    },
    /** null where it is no session of theirs. */
    session: (tenantId: TenantId, sessionId: string, reason: string, wait: Millis, call: Call): Promise<Revoked | null> =>
      byId('session', tenantId, sessionId, reason, wait, call),
    /** null where it is no client of theirs. */
    client: (tenantId: TenantId, clientId: string, reason: string, wait: Millis, call: Call): Promise<Revoked | null> =>
      byId('client', tenantId, clientId, reason, wait, call),
    /** null where it is no subject of theirs. */
    user: (tenantId: TenantId, userId: string, reason: string, wait: Millis, call: Call): Promise<Revoked | null> =>
      byId('user', tenantId, userId, reason, wait, call),
  };
};
