// Loads that are asked for in the same turn of the event loop go to the database together.
import type { TenantId } from '../base/caller.ts';
import { Fault } from '../base/fault.ts';

export type LoadAll<V> = (tenantId: TenantId, keys: readonly string[]) => Promise<readonly V[]>;

interface Asked<V> {
  readonly key: string;
  readonly resolve: (value: V) => void;
  readonly reject: (error: unknown) => void;
}

/** Keys of one statement: more take their turns over several connections. */
const MOST = 250;

/** `loadAll` answers in the order of the keys. A key that nobody can read fails alone. */
export const together = <V>(loadAll: LoadAll<V>): ((tenantId: TenantId, key: string) => Promise<V>) => {
  const asked = new Map<TenantId, Asked<V>[]>();

  const answer = async (tenantId: TenantId, group: readonly Asked<V>[]): Promise<void> => {
    try {
      const values = await loadAll(
        tenantId,
        group.map(({ key }) => key),
      );
      group.forEach(({ resolve }, at) => resolve(values[at] as V));
    } catch (error) {
      const away = error instanceof Fault && error.code === 'UNAVAILABLE';
      if (group.length === 1 || away) for (const { reject } of group) reject(error);
      else for (const one of group) await answer(tenantId, [one]);
    }
  };

  const flush = (): void => {
    for (const [tenantId, list] of asked) for (let at = 0; at < list.length; at += MOST) void answer(tenantId, list.slice(at, at + MOST));
    asked.clear();
  };

  return (tenantId, key) =>
    new Promise((resolve, reject) => {
      if (asked.size === 0) setImmediate(flush);
      const list = asked.get(tenantId);
      if (list === undefined) asked.set(tenantId, [{ key, resolve, reject }]);
      else list.push({ key, resolve, reject });
    });
};
