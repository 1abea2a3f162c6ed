// Creates a join token: with it a service that has no credential yet gets its first certificate, once.
import type { Call } from '../base/call.ts';
import { subjectOf, type TenantId } from '../base/caller.ts';
import { eventOf } from '../base/event.ts';
import type { Random } from '../base/random.ts';
import { type Instant, type Millis, minutes } from '../base/time.ts';
import type { ClaimIdempotency } from '../storage/idempotency.postgres.ts';
import type { Write } from '../storage/storage.ts';
import type { Admission } from './entitle.ts';
import { makeJoinToken, SECRET_BYTES } from './join-token.ts';
import { type ServiceName, spiffeIdOf } from './spiffe-id.ts';
import type { JoinTokenStore } from './stores.ts';

export interface CreateJoinTokenDeps {
  readonly random: Random;
  readonly write: Write;
  readonly joinTokens: Pick<JoinTokenStore, 'insert' | 'expiry'>;
  readonly joinTokenKey: Uint8Array;
  readonly claim: ClaimIdempotency;
  readonly admission: Admission;
  readonly trustDomain: string;
}

export interface JoinTokenRequest {
  readonly tenantId: TenantId;
  readonly name: ServiceName;
  /** null: ten minutes. */
  readonly ttl: Millis | null;
  readonly idempotencyKey: string;
}

export interface CreatedJoinToken {
  /** '' on a replay. */
  readonly joinToken: string;
  readonly spiffeId: string;
  readonly expiresAt: Instant;
  readonly replayed: boolean;
  readonly revision: number;
}

const DEFAULT_LIFE: Millis = minutes(10);

export const createCreateJoinToken =
  (deps: CreateJoinTokenDeps) =>
  async (request: JoinTokenRequest, call: Call): Promise<CreatedJoinToken> => {
    const { tenantId, name, idempotencyKey } = request;
    await deps.admission.admitName(tenantId, name);
    await deps.admission.requireReach(call.caller, tenantId, name);
    const ttl = request.ttl ?? DEFAULT_LIFE;
    const token = makeJoinToken(deps.joinTokenKey, tenantId, deps.random.id('jt'), deps.random.bytes(SECRET_BYTES));
    const { type, id } = subjectOf(call.caller);
    const spiffeId = spiffeIdOf(deps.trustDomain, name);
    const claimed = { tenantId, call, key: idempotencyKey, request: { name, ttl }, objectId: token.tokenId };
    const { result, revision } = await deps.write(tenantId, async (tx) => {
      const earlier = await deps.claim(tx, claimed);
      if (earlier !== null)
        return { result: { joinToken: '', expiresAt: (await deps.joinTokens.expiry(tx, tenantId, earlier)) ?? call.now } };
      const { tokenId, secretHash } = token;
      const expiresAt = await deps.joinTokens.insert(tx, { tenantId, tokenId, secretHash, name, createdBy: `${type}:${id}` }, ttl);
      return {
        result: { joinToken: token.text, expiresAt },
        events: [eventOf(call, tenantId, 'join_token.created', `join_token:${tokenId}`, { details: { spiffe_id: spiffeId } })],
      };
    });
    return { ...result, spiffeId, revision, replayed: result.joinToken === '' };
  };
