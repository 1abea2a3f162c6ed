// Values of Postgres kept in memory until a change to them is seen. A load that a change overtook is not kept.
// Their time stands still while the feed cannot be read: whoever was known when it was last read is known up to its ceiling.
import { boundedMap } from '../base/bounded.ts';
import type { TenantId } from '../base/caller.ts';
import { Fault } from '../base/fault.ts';
import type { Clock, Millis } from '../base/time.ts';
import type { AppliedChange, CreateTracked, Feed, Tracked, TrackedOptions } from './storage.ts';
import { together } from './together.ts';

export interface TrackedPorts {
  readonly feed: Pick<Feed, 'on' | 'age' | 'state' | 'cursor'>;
  readonly clock: Clock;
  /** A counter of look-ups in the cache of that name. */
  readonly count: (cache: string, result: 'hit' | 'miss') => { inc(): void };
}

interface Kept<V> {
  readonly value: V;
  readonly epoch: number;
  /** On the monotonic clock. */
  readonly until: Millis;
  /** The first change that it does not contain, and how long it may be served nevertheless. */
  overtaken: { readonly seq: number; readonly until: Millis } | null;
}

interface Attempt {
  overtaken: boolean;
  last: boolean;
}

interface Load<V> extends Attempt {
  readonly promise: Promise<V>;
  readonly tenantId: TenantId;
}

/** A change to a value being loaded makes us load again; under a storm of changes the third answer is given, not kept. */
const ATTEMPTS = 3;
/** Longest that a value is served which a change overtook. */
const GRACE: Millis = 500;
const TENANTS_REMEMBERED = 50_000;
/** The feed is read once a second; beyond this something is the matter with it. */
const SILENT: Millis = 2500;

const fullKey = (tenantId: TenantId, key: string): string => `${tenantId}\0${key}`;
const ownKey = (change: AppliedChange): string => (change.key === '' ? 'tenant' : change.key);

export const createTracked =
  (ports: TrackedPorts): CreateTracked =>
  <V>(options: TrackedOptions<V>): Tracked<V> => {
    const touches = options.touches ?? ownKey;
    const read = 'loadAll' in options ? together(options.loadAll) : options.load;
    const name = options.kinds.join('+');
    const [hit, miss] = [ports.count(name, 'hit'), ports.count(name, 'miss')];
    const kept = boundedMap<string, Kept<V>>(options.capacity);
    const loads = new Map<string, Load<V>>();
    // Forgetting a whole tenant costs one number: what was kept under a smaller one no longer counts.
    const epochs = new Map<TenantId, number>();
    let floor = 0;
    let lastEpoch = 0;
    const epochOf = (tenantId: TenantId): number => epochs.get(tenantId) ?? floor;

    const overtake = (tenantId: TenantId | null): void => {
      for (const load of loads.values()) if (tenantId === null || load.tenantId === tenantId) load.overtaken = true;
    };

    const forgetAll = (): void => {
      epochs.clear();
      lastEpoch += 1;
      floor = lastEpoch;
      kept.clear();
      overtake(null);
    };

    const forgetTenant = (tenantId: TenantId): void => {
      if (epochs.size >= TENANTS_REMEMBERED) return forgetAll();
      lastEpoch += 1;
      epochs.set(tenantId, lastEpoch);
      overtake(tenantId);
    };

    ports.feed.on(
      options.kinds,
      (change) => {
        const touched = touches(change);
        if (touched === null) return;
        // A change of the installation to all of its kind speaks of every tenant.
        if (touched === 'tenant') return change.tenantId === '' ? forgetAll() : forgetTenant(change.tenantId);
        const key = fullKey(change.tenantId, touched);
        const load = loads.get(key);
        if (load !== undefined) load.overtaken = true;
        const found = options.whileUnseen?.(change) === true ? standing(change.tenantId, touched) : undefined;
        if (found === undefined) return kept.delete(key);
        found.overtaken ??= { seq: change.seq, until: ports.clock.monotonic() + GRACE };
        running(change.tenantId, touched).catch(() => {});
      },
      forgetAll,
    );

    /** What is kept, however old, unless a change or another history took it. */
    const standing = (tenantId: TenantId, key: string): Kept<V> | undefined => {
      const found = kept.get(fullKey(tenantId, key), 0);
      return found !== undefined && found.epoch === epochOf(tenantId) ? found : undefined;
    };

    /** It counted when the feed was last read, and what the feed told then may still be answered. */
    const counts = (found: Kept<V>): boolean => {
      const { kind } = ports.feed.state();
      return (
        found.overtaken === null && (kind === 'fresh' || kind === 'degraded') && ports.clock.monotonic() - ports.feed.age() < found.until
      );
    };

    const usable = (tenantId: TenantId, key: string): Kept<V> | undefined => {
      const found = standing(tenantId, key);
      if (found === undefined) return undefined;
      const now = ports.clock.monotonic();
      if (found.overtaken !== null && (now >= found.overtaken.until || ports.feed.cursor() >= found.overtaken.seq)) return undefined;
      if (now < found.until) return found;
      return ports.feed.age() > SILENT && counts(found) ? found : undefined;
    };

    const loadUntilCalm = async (tenantId: TenantId, key: string, load: Attempt): Promise<V> => {
      for (let attempt = 1; ; attempt += 1) {
        load.overtaken = false;
        load.last = attempt === ATTEMPTS;
        const value = await read(tenantId, key);
        if (!load.overtaken) {
          const until = ports.clock.monotonic() + options.ttl;
          kept.set(fullKey(tenantId, key), { value, epoch: epochOf(tenantId), until, overtaken: null }, Number.POSITIVE_INFINITY);
          return value;
        }
        if (load.last) return value;
      }
    };

    /** An outage that began after the feed was last read shows here first. */
    const loadOrKeep = (tenantId: TenantId, key: string, state: Attempt): Promise<V> =>
      loadUntilCalm(tenantId, key, state).catch((error: unknown) => {
        const found = standing(tenantId, key);
        if (error instanceof Fault && error.code === 'UNAVAILABLE' && found !== undefined && counts(found)) return found.value;
        throw error;
      });

    const load = (tenantId: TenantId, key: string): Promise<V> => {
      const id = fullKey(tenantId, key);
      const state: Attempt = { overtaken: false, last: false };
      const promise = loadOrKeep(tenantId, key, state).finally(() => {
        if (loads.get(id)?.promise === promise) loads.delete(id);
      });
      loads.set(id, Object.assign(state, { promise, tenantId }));
      return promise;
    };

    /** An overtaken load tries again, so joining it is safe, unless it was its last try. */
    const running = (tenantId: TenantId, key: string): Promise<V> => {
      const known = loads.get(fullKey(tenantId, key));
      return known === undefined || (known.overtaken && known.last) ? load(tenantId, key) : known.promise;
    };

    return {
      get(tenantId, key) {
        const found = usable(tenantId, key);
        if (found !== undefined) {
          hit.inc();
          return found.value;
        }
        miss.inc();
        return running(tenantId, key);
      },
      latest(tenantId, key) {
        const found = usable(tenantId, key);
        return found?.overtaken === null ? found.value : running(tenantId, key);
      },
      peek: (tenantId, key) => usable(tenantId, key)?.value,
      get size() {
        return kept.size;
      },
    };
  };
