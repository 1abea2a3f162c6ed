// Tells policies and their versions again, as they are and as they were.
import { Fault } from '../../base/fault.ts';
import type { Policies, PolicyStore } from './policy.ts';

const notFound = (reason: string, message: string): Fault => new Fault('NOT_FOUND', reason, message);

export const createHistory = (store: PolicyStore) =>
  ({
    list: (tenantId, version, filter, after, size) =>
      store.read(tenantId, async (tx) => {
        const { active, last } = await store.versions(tx, tenantId);
        if (version > last) throw notFound('POLICY_VERSION_NOT_FOUND', 'no such version');
        const at = version === 0 ? active : version;
        return { ...(await store.list(tx, tenantId, at, filter, after, size)), version: at };
      }),

    policy: (tenantId, name, version) =>
      store.read(tenantId, async (tx) => {
        const at = version === 0 ? (await store.versions(tx, tenantId)).active : version;
        const found = await store.policy(tx, tenantId, name, at);
        if (found === null) throw new Fault('NOT_FOUND', 'POLICY_NOT_FOUND', 'no such policy', { meta: { policy: name } });
        return found;
      }),

    versions: (tenantId, version, after, size) =>
      store.read(tenantId, async (tx) => {
        const { active } = await store.versions(tx, tenantId);
        if (version === 0) return { ...(await store.listSets(tx, tenantId, after, size)), active };
        const found = await store.set(tx, tenantId, version);
        if (found === null) throw notFound('POLICY_VERSION_NOT_FOUND', 'no such version');
        return { items: [found.set], after: '', active };
      }),
  }) satisfies Partial<Policies>;
