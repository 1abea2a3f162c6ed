// Window of the signing keys: list, rotate, revoke.
import { type Instant, seconds } from '../base/time.ts';
import type { Timestamp } from '../gen/google/protobuf/timestamp.ts';
import type { SigningKey, TokenServiceService } from '../gen/securityhub/v1/token.ts';
import type { Rows } from '../server/rpc/define.ts';
import type { StoredKey, TokensDoor } from './tokens.ts';

const timestamp = (at: Instant | null): Timestamp | undefined =>
  at === null ? undefined : { seconds: Math.floor(at / 1000), nanos: Math.floor(at % 1000) * 1_000_000 };

const keyMessage = (key: StoredKey): SigningKey => ({
  kid: key.kid,
  algorithm: key.algorithm,
  // Of keys that others keep, several may sign at once.
  state: key.source === 'held' && key.state === 'published' && key.activatedAt !== null ? 'active' : key.state,
  source: key.source,
  createdAt: timestamp(key.createdAt),
  publishedAt: timestamp(key.publishedAt),
  activatesAt: timestamp(key.activateAt),
  activatedAt: timestamp(key.activatedAt),
  retiringAt: timestamp(key.retiringAt),
  retiredAt: timestamp(key.retiredAt),
  revokedAt: timestamp(key.revokedAt),
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
        activatesAt: timestamp(activatesAt),
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
      const told = await tokens.revokeKey(kid, reason, wait === undefined ? 0 : wait.seconds * 1000 + wait.nanos / 1e6, call);
      return { ...told, effectiveBy: timestamp(told.effectiveBy) };
    },
  },
});
