// Joins what is watched: the log of revocations, their snapshot, those who watch, to the change feed.
import { minutes, type Millis } from '../../base/time.ts';
import type { Platform } from '../../server/platform.ts';
import type { Keyring } from '../keys/keyring.ts';
import { type Mirror, WATERMARK_KINDS } from '../mirror.ts';
import { createRevocationLog } from './revocation-log.ts';
import { createSnapshots, type SnapshotMark } from './revocation-snapshot.ts';
import { CONCERNING, createWatchers } from './watch.ts';
import { watchEncoding } from './watch.rpc.ts';
import { changeHead, watchRevocations, type WatchRevocationsDeps } from './watch-revocations.ts';
import { watchKeys } from './watch-keys.ts';

export interface WatchPorts {
  readonly mirror: Mirror;
  readonly keyring: Keyring;
  readonly issuer: string;
  readonly longestLife: Millis;
  /** Revocations that a watcher may be behind. */
  readonly backlog: number;
  readonly holds: WatchRevocationsDeps['holds'];
}

/** Wire it behind the mirror: what is told is applied here already. */
export const createWatch = ({ clock, feed, metrics, every }: Platform, ports: WatchPorts) => {
  const { mirror, keyring } = ports;
  const log = createRevocationLog(ports.backlog, watchEncoding.revocation);
  const watchers = createWatchers({ clock, feed, jitter: Math.random });
  let epoch = 0;
  function* marks(upTo: number): Generator<SnapshotMark> {
    yield* mirror.live(feed.past(), upTo);
    yield* keyring.revoked(feed.past(), upTo);
  }
  const snapshots = createSnapshots({
    cursor: () => feed.cursor(),
    generation: () => feed.generation(),
    marks,
    encode: watchEncoding.block,
    epoch: () => epoch,
    floor: () => log.floor,
    monotonic: () => clock.monotonic(),
  });

  feed.on(
    [...WATERMARK_KINDS, 'signing_key'],
    (change) => {
      if (change.until === null) return;
      log.add(change);
      watchers.wake();
    },
    () => {
      epoch++;
      log.clear();
      watchers.reset();
    },
  );
  feed.on(CONCERNING, (change) => watchers.concern(change));
  keyring.onChange(() => watchers.wake());
  every('tokens.watch', minutes(0.25), async () => snapshots.tidy());
  metrics.gauge('securityhub_watchers', 'Streams that watch revocations or keys.', {}, () => watchers.size);
  metrics.gauge('securityhub_watch_snapshot_bytes', 'The snapshot kept for those who begin to watch.', {}, () => snapshots.bytes);

  const deps = { ...ports, clock, feed, log, snapshots, watchers };
  return {
    changeHead: () => changeHead(deps),
    watchRevocations: watchRevocations(deps),
    watchKeys: watchKeys(deps),
  };
};
