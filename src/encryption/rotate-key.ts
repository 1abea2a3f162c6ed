// Gives a key a new version that seals from now on; older versions still open. By hand, by schedule, or before a limit is reached.
import type { TenantId } from '../base/caller.ts';
import { type AuditEntry, eventOf, ownEvent } from '../base/event.ts';
import { toFault } from '../base/fault.ts';
import type { Outcome, Tx } from '../storage/storage.ts';
import { sealedVersion } from './create-key.ts';
import type { Encryption, EncryptionDeps, KeyName } from './encryption.ts';
import type { EncryptionKey } from './key.ts';
import { notFound, notUsable, resourceOf } from './said.ts';

/** Keys rotated in one turn of the schedule. */
const TURN = 200;

type RotatingDeps = Pick<EncryptionDeps, 'clock' | 'random' | 'sealer' | 'store' | 'write'>;

const addVersion = async (deps: RotatingDeps, tx: Tx, key: EncryptionKey): Promise<EncryptionKey> => {
  const now = deps.clock.now();
  const version = key.primaryVersion + 1;
  await deps.store.insertVersion(tx, key, version, await sealedVersion(deps, tx, key, version), now);
  const rotated = { ...key, primaryVersion: version, nextRotationAt: key.rotationPeriod === null ? null : now + key.rotationPeriod };
  await deps.store.update(tx, rotated);
  return rotated;
};

const outcome = <T>(key: EncryptionKey, result: T, event: AuditEntry): Outcome<T> => ({
  result,
  changes: [{ kind: 'encryption_key', tenantId: key.tenantId, key: key.id, until: null, detail: 'rotated' }],
  events: [event],
});

/** Rotates the key if `still` holds under its lock; without a caller. */
const rotateIf = async (
  deps: RotatingDeps,
  tenantId: TenantId,
  id: string,
  why: string,
  still: (key: EncryptionKey) => boolean,
): Promise<boolean> => {
  const { result } = await deps.write(tenantId, async (tx): Promise<Outcome<boolean>> => {
    const key = await deps.store.lock(tx, tenantId, { name: '', id });
    if (key === null || key.status !== 'enabled' || !still(key)) return { result: false };
    const rotated = await addVersion(deps, tx, key);
    const details = { version: rotated.primaryVersion, reason: why };
    return outcome(rotated, true, ownEvent(tenantId, 'encryption_key.rotated', { resource: resourceOf(rotated), details }));
  });
  return result;
};

/** Before a version has been used too often: rotates unless somebody else just did. */
export const rotateWorn = (deps: RotatingDeps, key: EncryptionKey): Promise<boolean> =>
  rotateIf(deps, key.tenantId, key.id, 'use limit', ({ primaryVersion }) => primaryVersion === key.primaryVersion);

export const rotateKey =
  (deps: EncryptionDeps): Encryption['rotateKey'] =>
  async (tenantId, named: KeyName, idempotencyKey, call) => {
    const { result, revision } = await deps.write(tenantId, async (tx): Promise<Outcome<string>> => {
      const key = await deps.store.lock(tx, tenantId, named);
      if (key === null) throw notFound();
      const earlier = await deps.claim(tx, { tenantId, call, key: idempotencyKey, request: named, objectId: key.id });
      if (earlier !== null) return { result: earlier };
      if (key.status !== 'enabled') throw notUsable(key);
      const rotated = await addVersion(deps, tx, key);
      const details = { version: rotated.primaryVersion, reason: 'by hand' };
      return outcome(rotated, key.id, eventOf(call, tenantId, 'encryption_key.rotated', resourceOf(key), { details }));
    });
    const stored = await deps.store.find(tenantId, { name: '', id: result });
    if (stored === null) throw notFound();
    return { key: stored, revision };
  };

export const rotateDue =
  (deps: EncryptionDeps): Encryption['rotateDue'] =>
  async () => {
    const now = deps.clock.now();
    let rotated = 0;
    for (const { tenantId, keyId } of await deps.store.due(now, TURN)) {
      try {
        const done = await rotateIf(
          deps,
          tenantId,
          keyId,
          'schedule',
          ({ nextRotationAt }) => nextRotationAt !== null && nextRotationAt <= now,
        );
        if (done) rotated += 1;
      } catch (error) {
        // One tenant's trouble is not every tenant's: this key is due again at the next turn.
        deps.log.error({ tenant_id: tenantId, key_id: keyId, reason: toFault(error).reason }, 'an encryption key could not be rotated');
      }
    }
    return rotated;
  };
