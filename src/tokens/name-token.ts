// Which token a revocation names: by itself, or by its id.
import type { Call } from '../base/call.ts';
import { type TenantId, tenantOf } from '../base/caller.ts';
import { badField, Fault } from '../base/fault.ts';
import { familyOfTokenId, isDelegatedTokenId, tokenIdOf } from './family.ts';
import { REFRESH_PREFIX, readRefreshToken } from './refresh-token.ts';
import type { Revocation, RevokeDeps } from './revoke.ts';

type NameDeps = Pick<RevokeDeps, 'refreshKeys' | 'verifier' | 'clock'>;

/** What a revocation names, before anything is looked up. */
export interface Named {
  readonly tenantId: TenantId;
  readonly tokenId: string;
  readonly familyId: string;
  /** Known from the token itself; from an id alone they are looked up. */
  readonly sessionId: string | null;
  readonly userId: string | null;
  /** The caller showed the token itself: whoever holds it may end it (RFC 7009 §2). */
  readonly shown: boolean;
  /** It was exchanged for somebody who acts for the subject: alone it reaches no further than itself. */
  readonly delegated: boolean;
}

export const unknownToken = (): Fault => new Fault('NOT_FOUND', 'TOKEN_NOT_FOUND', 'no such token');

const nameRefresh = (deps: NameDeps, text: string): Named => {
  const token = readRefreshToken(deps.refreshKeys, text);
  if (token === null) throw badField('token', 'is no refresh token of ours', 'TOKEN_MALFORMED');
  const { tenantId, userId, familyId, generation } = token;
  return { tenantId, userId, familyId, tokenId: tokenIdOf(familyId, generation), sessionId: null, shown: true, delegated: false };
};

const nameAccess = (deps: NameDeps, text: string): Named => {
  const verified = deps.verifier.verify(text, deps.clock.now());
  // An expired token may still end its session.
  if (verified.claims === null)
    throw badField('token', verified.ok ? 'is not valid' : verified.message, verified.ok ? 'TOKEN_MALFORMED' : verified.reason);
  const { tenantId, subject, familyId, tokenId, sessionId, delegation } = verified.claims;
  return { tenantId, userId: subject, familyId, tokenId, sessionId, shown: true, delegated: delegation !== null };
};

/** Nothing is looked up yet. INVALID_ARGUMENT for what is no token of ours, NOT_FOUND / TOKEN_NOT_FOUND for one the caller may not name. */
export const nameOf = (deps: NameDeps, revocation: Revocation, call: Call): Named => {
  if ((revocation.token === '') === (revocation.tokenId === ''))
    throw badField('token', 'give a token or a token_id, and only one of them');
  if (revocation.token !== '') {
    const named = revocation.token.startsWith(REFRESH_PREFIX) ? nameRefresh(deps, revocation.token) : nameAccess(deps, revocation.token);
    if (revocation.tenantId !== '' && revocation.tenantId !== named.tenantId) throw unknownToken();
    // A tenant that the caller may not name: as if there were no such token.
    tenantOf(call.caller, named.tenantId);
    return named;
  }
  const tenantId = tenantOf(call.caller, revocation.tenantId);
  const familyId = familyOfTokenId(revocation.tokenId);
  if (familyId === null) throw unknownToken();
  const delegated = isDelegatedTokenId(revocation.tokenId);
  return { tenantId, tokenId: revocation.tokenId, familyId, sessionId: null, userId: null, shown: false, delegated };
};
