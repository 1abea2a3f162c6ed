// Keys in memory: which exist, which are warm, and how the default key comes to be. Sealed at rest, unwrapped on first use.
import { boundedMap } from '../base/bounded.ts';
import type { MaybePromise } from '../base/call.ts';
import type { TenantId } from '../base/caller.ts';
import { andThen } from '../base/maybe.ts';
import { type Millis, minutes, seconds } from '../base/time.ts';
import { makeKey } from './create-key.ts';
import type { EncryptionDeps, KeyName } from './encryption.ts';
import { type StoredKey, type UsableKey, usableKey } from './key.ts';
import { TENANT_KEY } from './tenant-key.ts';

const TTL: Millis = minutes(5);
/** A guess at a key that is not there is not looked up again for so long. */
const ABSENT: Millis = seconds(5);

interface Names {
  readonly byName: ReadonlyMap<string, string>;
  readonly ids: ReadonlySet<string>;
}

export interface Keyring {
  /** The key of that name or id; null when there is none. Both given must mean the same key. */
  named(tenantId: TenantId, key: KeyName): MaybePromise<UsableKey | null>;
  /** The key of that name, made where it is not there yet. */
  orMade(tenantId: TenantId, name: string): MaybePromise<UsableKey>;
  /** The key that has this version; null when there is none. Another replica may have made it a moment ago. */
  withVersion(tenantId: TenantId, keyId: string, version: number): MaybePromise<UsableKey | null>;
  /** As it stands in the database now. */
  fresh(tenantId: TenantId, keyId: string): Promise<UsableKey | null>;
}

export const createKeyring = (deps: EncryptionDeps): Keyring => {
  const { store, sealer, clock } = deps;
  const usable = (stored: StoredKey | null): UsableKey | null => {
    if (stored === null) return null;
    const tenantKey = sealer.open(TENANT_KEY, stored.key.tenantId, stored.tenantKey);
    const key = usableKey(stored, tenantKey);
    tenantKey.fill(0);
    return key;
  };

  const fresh = async (tenantId: TenantId, keyId: string): Promise<UsableKey | null> => usable(await store.load(tenantId, keyId));

  const loadNames = async (tenantId: TenantId): Promise<Names> => {
    const keys = await store.names(tenantId);
    return { byName: new Map(keys.map(({ name, id }) => [name, id])), ids: new Set(keys.map(({ id }) => id)) };
  };
  const names = deps.tracked<Names>({ kinds: ['encryption_key'], touches: () => '', load: loadNames, capacity: 2000, ttl: TTL });
  const keys = deps.tracked<UsableKey | null>({
    kinds: ['encryption_key'],
    load: fresh,
    capacity: 10_000,
    ttl: TTL,
  });
  const absent = boundedMap<string, true>(10_000);
  const making = new Map<string, Promise<unknown>>();

  const idIn = (known: Names, { name, id }: KeyName): string | null => {
    const found = name === '' ? id : known.byName.get(name);
    return found !== undefined && known.ids.has(found) && (id === '' || id === found) ? found : null;
  };

  /** Past the caches, once in a while for one absent thing: a guess must not become a load on the database. */
  const lookAgain = async <T>(what: string, look: () => Promise<T | null>): Promise<T | null> => {
    const now = clock.monotonic();
    if (absent.get(what, now) === true) return null;
    const found = await look();
    if (found === null) absent.set(what, true, now + ABSENT);
    return found;
  };

  const named = (tenantId: TenantId, key: KeyName): MaybePromise<UsableKey | null> =>
    andThen(names.get(tenantId, ''), (known) => {
      const id = idIn(known, key);
      if (id !== null) return keys.get(tenantId, id);
      return lookAgain(`${tenantId}\0${key.name}\0${key.id}`, async () => {
        const now = idIn(await loadNames(tenantId), key);
        return now === null ? null : fresh(tenantId, now);
      });
    });

  const stored = async (tenantId: TenantId, name: string): Promise<UsableKey | null> => {
    const key = await store.find(tenantId, { name, id: '' });
    return key === null ? null : fresh(tenantId, key.id);
  };

  /** Another replica may have made it: only what is not in the database is made, by whoever of many comes first. */
  const make = async (tenantId: TenantId, name: string): Promise<UsableKey> => {
    const id = `${tenantId}\0${name}`;
    const found = await stored(tenantId, name);
    if (found !== null) return found;
    const under = making.get(id) ?? makeKey(deps, tenantId, name).finally(() => making.delete(id));
    making.set(id, under);
    await under;
    const made = await stored(tenantId, name);
    if (made === null) throw new Error(`the key ${name} was made and is not there`);
    return made;
  };

  return {
    named,
    fresh,
    orMade: (tenantId, name) =>
      andThen(names.get(tenantId, ''), (known) => {
        const id = known.byName.get(name);
        if (id === undefined) return make(tenantId, name);
        return andThen(keys.get(tenantId, id), (key) => key ?? make(tenantId, name));
      }),
    withVersion: (tenantId, keyId, version) =>
      andThen(names.get(tenantId, ''), (known) =>
        andThen(known.ids.has(keyId) ? keys.get(tenantId, keyId) : null, (key) => {
          if (key !== null && version <= key.key.primaryVersion) return key.of(version) === null ? null : key;
          return lookAgain(`${tenantId}\0${keyId}\0${version}`, async () => {
            const now = await fresh(tenantId, keyId);
            return now === null || now.of(version) === null ? null : now;
          });
        }),
      ),
  };
};
