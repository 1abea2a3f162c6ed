// Disables and enables a key: while it is disabled it neither seals nor opens.
import { eventOf } from '../base/event.ts';
import type { Outcome } from '../storage/storage.ts';
import type { Encryption, EncryptionDeps } from './encryption.ts';
import { notFound, notUsable, resourceOf } from './said.ts';

export const changeStatus =
  (deps: EncryptionDeps): Encryption['changeStatus'] =>
  async (tenantId, named, status, reason, call) => {
    const { result, revision } = await deps.write(tenantId, async (tx): Promise<Outcome<string>> => {
      const key = await deps.store.lock(tx, tenantId, named);
      if (key === null) throw notFound();
      if (key.status === 'destroyed') throw notUsable(key);
      if (key.status === status) return { result: key.id };
      await deps.store.update(tx, { ...key, status });
      return {
        result: key.id,
        changes: [{ kind: 'encryption_key', tenantId, key: key.id, until: null, detail: status }],
        events: [eventOf(call, tenantId, `encryption_key.${status}`, resourceOf(key), { details: { name: key.name, reason } })],
      };
    });
    const stored = await deps.store.find(tenantId, { name: '', id: result });
    if (stored === null) throw notFound();
    return { key: stored, revision };
  };
