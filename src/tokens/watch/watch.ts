// Those who watch: woken together, ended when their own rights may have changed, let go when they have watched long enough.
import type { Call } from '../../base/call.ts';
import type { Caller, TenantId } from '../../base/caller.ts';
import { Fault, unavailable } from '../../base/fault.ts';
import { type Clock, type Instant, type Millis, minutes } from '../../base/time.ts';
import type { AppliedChange, ChangeKind, Feed } from '../../storage/storage.ts';

/** Changes that may take a watcher its right to watch. */
export const CONCERNING: readonly ChangeKind[] = [
  'tenant',
  'client',
  'user',
  'session',
  'token',
  'api_key',
  'certificate',
  'workload',
  'tenant_state',
  'user_state',
];

export const HEARTBEAT: Millis = 1000;
/** Watches end after this long at most, at different times, and begin again: then credentials are looked at anew, and load spreads. */
const LONGEST_WATCH: Millis = minutes(15);

export interface WatchersDeps {
  readonly clock: Clock;
  readonly feed: Pick<Feed, 'state'>;
  /** 0 to 1. */
  readonly jitter: () => number;
}

export interface Watcher {
  /** Resolves at the next news, heartbeat, end, or when the call ends. */
  news(): Promise<void>;
  /** Counts heartbeats: whoever has told another number owes one. */
  readonly beat: number;
  /** Throws when the watch is over. */
  assertOpen(): void;
  close(): void;
}

export interface Watchers {
  open(call: Call): Watcher;
  /** Something new is there for all of them. */
  wake(): void;
  /** Everything is loaded anew: what was told is no longer to be relied on. */
  reset(): void;
  /** A change of one of the `CONCERNING` kinds. */
  concern(change: AppliedChange): void;
  readonly size: number;
}

const ended = (): Fault => unavailable('STREAM_ENDED', 'the watch has ended: begin it again');
const restart = (): Fault =>
  new Fault('ABORTED', 'SNAPSHOT_REQUIRED', 'what was told so far is not complete any more: watch again from the start');
export const behind = (): Fault => new Fault('ABORTED', 'SNAPSHOT_REQUIRED', 'this watcher has fallen behind: watch again from the start');

/** Of what kinds are the changes that speak of a caller, and under which keys? */
const namesOf = ({ caller, peer }: Pick<Call, 'caller' | 'peer'>): Readonly<Partial<Record<ChangeKind, readonly string[]>>> => {
  switch (caller.kind) {
    case 'user': {
      const user = [caller.userId];
      return { user, user_state: user, session: [caller.sessionId], token: [caller.tokenId], client: [caller.clientId] };
    }
    case 'api_key':
      return { api_key: [caller.keyId], user: [caller.ownerId], user_state: [caller.ownerId] };
    case 'workload':
      return { workload: [`${caller.namespace}/${caller.name}`], certificate: [peer.certificate?.serialNumber ?? ''] };
    case 'anonymous':
      return {};
  }
};

/** Does a change in its tenant speak of the caller, its credential or what it belongs to? An empty key means all of that kind. */
const concerns = ({ kind, key }: Pick<AppliedChange, 'kind' | 'key'>, call: Pick<Call, 'caller' | 'peer'>): boolean => {
  if (kind === 'tenant_state' || (kind === 'tenant' && call.caller.kind === 'user')) return true;
  const names = namesOf(call)[kind];
  return names !== undefined && (key === '' || names.includes(key));
};

const tenantOfCaller = (caller: Caller): TenantId => (caller.kind === 'anonymous' ? '' : caller.tenantId);
const credentialEnd = ({ caller, peer }: Call): Instant =>
  Math.min(
    caller.kind === 'user' ? caller.expiresAt : Number.POSITIVE_INFINITY,
    caller.kind === 'workload' ? (peer.certificate?.notAfter ?? Number.POSITIVE_INFINITY) : Number.POSITIVE_INFINITY,
  );

interface Open {
  readonly call: Call;
  readonly until: Instant;
  over: Fault | null;
  wake: (() => void) | null;
}

export const createWatchers = ({ clock, feed, jitter }: WatchersDeps): Watchers => {
  const byTenant = new Map<TenantId, Set<Open>>();
  let size = 0;
  let beat = 0;
  let timer: NodeJS.Timeout | undefined;
  let waking = false;

  const each = (tell: (one: Open) => void): void => {
    for (const some of byTenant.values()) for (const one of some) tell(one);
  };
  const stir = (one: Open): void => {
    const { wake } = one;
    one.wake = null;
    wake?.();
  };
  const end = (one: Open, fault: Fault): void => {
    one.over ??= fault;
    stir(one);
  };

  const tick = (): void => {
    beat++;
    const state = feed.state();
    const now = clock.now();
    each((one) => {
      if (state.kind === 'not_ready') end(one, unavailable('FEED_STALE', state.reason));
      else if (now >= one.until) end(one, ended());
      else stir(one);
    });
  };

  return {
    open(call) {
      const state = feed.state();
      if (state.kind === 'not_ready') throw unavailable('FEED_STALE', state.reason);
      const until = Math.min(call.now + LONGEST_WATCH * (1 - jitter() / 10), credentialEnd(call));
      const one: Open = { call, until, over: null, wake: null };
      const tenantId = tenantOfCaller(call.caller);
      const some = byTenant.get(tenantId) ?? new Set();
      byTenant.set(tenantId, some.add(one));
      size++;
      if (timer === undefined) {
        timer = setInterval(tick, HEARTBEAT);
        timer.unref();
      }
      const gone = (): void => stir(one);
      call.signal.addEventListener('abort', gone, { once: true });
      return {
        news: () =>
          one.over !== null || call.signal.aborted
            ? Promise.resolve()
            : new Promise((resolve) => {
                one.wake = resolve;
              }),
        get beat() {
          return beat;
        },
        assertOpen() {
          if (call.signal.aborted) throw call.signal.reason as Fault;
          if (one.over !== null) throw one.over;
        },
        close() {
          call.signal.removeEventListener('abort', gone);
          if (!some.delete(one)) return;
          size--;
          if (some.size === 0 && byTenant.get(tenantId) === some) byTenant.delete(tenantId);
          if (size > 0) return;
          clearInterval(timer);
          timer = undefined;
        },
      };
    },
    wake() {
      // What comes in one go is told in one message.
      if (waking || size === 0) return;
      waking = true;
      setImmediate(() => {
        waking = false;
        each(stir);
      });
    },
    reset: () => each((one) => end(one, restart())),
    concern(change) {
      const tell = (one: Open): void => {
        if (concerns(change, one.call)) end(one, ended());
      };
      // Which tenants and namespaces there are is nobody's right.
      if (change.tenantId === '') return change.kind === 'tenant_state' ? undefined : each(tell);
      for (const one of byTenant.get(change.tenantId) ?? []) tell(one);
    },
    get size() {
      return size;
    },
  };
};
