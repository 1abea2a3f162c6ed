// Window of the signing keys: list, rotate, revoke.
import { millisOf, optionalTimestamp } from '../../base/proto-time.ts';
import { seconds } from '../../base/time.ts';
import type { SigningKey, TokenServiceService } from '../../gen/securityhub/v1/token.ts';
import type { Rows } from '../../server/rpc/define.ts';
import type { StoredKey, TokensDoor } from '../tokens.ts';

const keyMessage = (key: StoredKey): SigningKey => ({
  kid: key.kid,
  algorithm: key.algorithm,
  // Of keys that others keep, several may sign at once.
  state: key.source === 'held' && key.state === 'published' && key.activatedAt !== null ? 'active' : key.state,
  source: key.source,
  createdAt: optionalTimestamp(key.createdAt),
  publishedAt: optionalTimestamp(key.publishedAt),
  activatesAt: optionalTimestamp(key.activateAt),
  activatedAt: optionalTimestamp(key.activatedAt),
  retiringAt: optionalTimestamp(key.retiringAt),
  retiredAt: optionalTimestamp(key.retiredAt),
  revokedAt: optionalTimestamp(key.revokedAt),
  revokedReason: key.revokedReason,
});

const operators = { access: { permission: 'installation:keys' }, deadline: seconds(35) } as const;

export const keyRows = (
  tokens: TokensDoor,
): Pick<Rows<typeof TokenServiceService>, 'listSigningKeys' | 'rotateSigningKey' | 'revokeSigningKey'> => ({
  listSigningKeys: {
    ...operators,
    audit: 'none',
    limit: 'manage',
    idempotency: 'safe',
    handle: async () => ({ keys: (await tokens.listKeys()).map(keyMessage) }),
  },
  rotateSigningKey: {
    ...operators,
    audit: 'in-transaction',
    limit: 'manage',
    idempotency: 'none',
    async handle(request, call) {
      const { active, next, activatesAt, revision } = await tokens.rotateKey(request, call);
      return {
        active: keyMessage(active),
        next: next === null ? undefined : keyMessage(next),
        activatesAt: optionalTimestamp(activatesAt),
        revision,
      };
    },
  },
  revokeSigningKey: {
    ...operators,
    audit: 'in-transaction',
    limit: 'vital',
    budget: 'revoke',
    idempotency: 'idempotent',
    async handle({ kid, reason, wait }, call) {
      const told = await tokens.revokeKey(kid, reason, millisOf(wait), call);
      return { ...told, effectiveBy: optionalTimestamp(told.effectiveBy) };
    },
  },
});
