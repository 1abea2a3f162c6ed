// Makes a key with its first version: by request, or on the first use of a default key.
import type { Call } from '../base/call.ts';
import type { TenantId } from '../base/caller.ts';
import { type AuditEntry, eventOf, ownEvent } from '../base/event.ts';
import { Fault } from '../base/fault.ts';
import type { Millis } from '../base/time.ts';
import type { Outcome, Tx } from '../storage/storage.ts';
import type { Encryption, EncryptionDeps, NewKey } from './encryption.ts';
import { type Algorithm, ALGORITHMS, isAlgorithm } from './envelope.ts';
import { type EncryptionKey, SECRET_SIZE, wrapDataKey } from './key.ts';
import { notFound, resourceOf } from './said.ts';
import { TENANT_KEY } from './tenant-key.ts';

/** More is a mistake in a loop, not a design. */
const KEYS_A_TENANT = 5000;

export const algorithmOf = (name: string, fallback: Algorithm): Algorithm => {
  if (name === '') return fallback;
  if (isAlgorithm(name)) return name;
  throw new Fault('INVALID_ARGUMENT', 'ALGORITHM_UNKNOWN', `algorithm must be one of ${ALGORITHMS.join(', ')}`, {
    violations: [{ field: 'algorithm', description: `must be one of ${ALGORITHMS.join(', ')}` }],
  });
};

type MakingDeps = Pick<EncryptionDeps, 'clock' | 'random' | 'sealer' | 'store' | 'write'>;

/** A new version's data key, sealed under the tenant's key, which is made where the tenant has none. */
export const sealedVersion = async (
  deps: MakingDeps,
  tx: Tx,
  key: Pick<EncryptionKey, 'tenantId' | 'id'>,
  version: number,
): Promise<Buffer> => {
  const { clock, random, sealer, store } = deps;
  const fresh = random.bytes(SECRET_SIZE);
  const kept = await store.keepTenantKey(tx, key.tenantId, sealer.seal(TENANT_KEY, key.tenantId, fresh), clock.now());
  const tenantKey = sealer.open(TENANT_KEY, key.tenantId, kept);
  const secret = random.bytes(SECRET_SIZE);
  const sealed = wrapDataKey(tenantKey, { tenantId: key.tenantId, keyId: key.id, version }, secret, random.bytes(24));
  for (const used of [fresh, tenantKey, secret]) used.fill(0);
  return sealed;
};

const newKey = (
  deps: MakingDeps,
  tenantId: TenantId,
  asked: Omit<NewKey, 'idempotencyKey' | 'algorithm'>,
  algorithm: Algorithm,
): EncryptionKey => {
  const now = deps.clock.now();
  const { name, purpose, rotationPeriod } = asked;
  const nextRotationAt = rotationPeriod === null ? null : now + rotationPeriod;
  const id = deps.random.id('ek');
  return { tenantId, id, name, purpose, algorithm, status: 'enabled', primaryVersion: 1, rotationPeriod, nextRotationAt, createdAt: now };
};

/** False when the name is taken: then nothing was stored. */
const insert = async (deps: MakingDeps, tx: Tx, key: EncryptionKey): Promise<boolean> => {
  if ((await deps.store.count(tx, key.tenantId)) >= KEYS_A_TENANT)
    throw new Fault('RESOURCE_EXHAUSTED', 'QUOTA_EXCEEDED', `a tenant has at most ${KEYS_A_TENANT} encryption keys`);
  if (!(await deps.store.insert(tx, key))) return false;
  await deps.store.insertVersion(tx, key, 1, await sealedVersion(deps, tx, key, 1), deps.clock.now());
  return true;
};

const made = <T>(key: EncryptionKey, result: T, event: AuditEntry): Outcome<T> => ({
  result,
  changes: [{ kind: 'encryption_key', tenantId: key.tenantId, key: key.id, until: null }],
  events: [event],
});

const about = ({ name, algorithm, rotationPeriod }: EncryptionKey): Record<string, unknown> => ({
  name,
  algorithm,
  rotation_period_ms: rotationPeriod,
});

/** On first use. Of many at once, one makes it and all find it. */
export const makeKey = async (
  deps: MakingDeps & { readonly defaultRotation: Millis | null },
  tenantId: TenantId,
  name: string,
): Promise<void> => {
  const key = newKey(deps, tenantId, { name, purpose: 'default', rotationPeriod: deps.defaultRotation }, 'XAES-256-GCM');
  await deps.write(tenantId, async (tx) =>
    (await insert(deps, tx, key))
      ? made(
          key,
          null,
          ownEvent(tenantId, 'encryption_key.created', { resource: resourceOf(key), details: { ...about(key), reason: 'first use' } }),
        )
      : { result: null },
  );
};

export const createKey =
  (deps: EncryptionDeps): Encryption['createKey'] =>
  async (tenantId, asked, call: Call) => {
    const { idempotencyKey, ...request } = asked;
    const key = newKey(deps, tenantId, asked, algorithmOf(asked.algorithm, 'XAES-256-GCM'));
    const { result, revision } = await deps.write(tenantId, async (tx) => {
      const earlier = await deps.claim(tx, { tenantId, call, key: idempotencyKey, request, objectId: key.id });
      if (earlier !== null) return { result: earlier };
      if (!(await insert(deps, tx, key)))
        throw new Fault('ALREADY_EXISTS', 'KEY_EXISTS', 'a key of this name exists', { meta: { key_name: key.name } });
      return made(key, key.id, eventOf(call, tenantId, 'encryption_key.created', `encryption_key:${key.id}`, { details: about(key) }));
    });
    const stored = await deps.store.find(tenantId, { name: '', id: result });
    if (stored === null) throw notFound();
    return { key: stored, revision };
  };
