// Watching revocations: a snapshot or what is missing since a number, then everything as it comes, with heartbeats in between.
import type { Call, MaybePromise } from '../../base/call.ts';
import { type Caller, known, type TenantId } from '../../base/caller.ts';
import { Fault, unavailable } from '../../base/fault.ts';
import type { Clock, Instant, Millis } from '../../base/time.ts';
import type { AppliedChange, Feed } from '../../storage/storage.ts';
import { INSTALLATION, type RevocationLog, type Tenants } from './revocation-log.ts';
import type { Block, Snapshot, Snapshots } from './revocation-snapshot.ts';
import { behind, HEARTBEAT, type Watcher, type Watchers } from './watch.ts';

export interface RevocationsWanted {
  /** None: all that the caller may see. */
  readonly tenantIds: readonly TenantId[];
  /** 0: from the start. */
  readonly fromSeq: number;
  readonly generation: number;
}

export interface ChangeHead {
  readonly seq: number;
  readonly generation: number;
  readonly staleness: Millis;
  readonly serverTime: Instant;
}

/** What stands encoded is shared by all watchers. */
export type RevocationsMessage =
  | {
      readonly kind: 'begin';
      readonly generation: number;
      readonly resumed: boolean;
      readonly tenantIds: readonly TenantId[];
      readonly heartbeat: Millis;
      readonly longestLife: Millis;
      readonly issuer: string;
      readonly audiences: readonly string[];
      readonly anyAudience: boolean;
    }
  | { readonly kind: 'snapshot'; readonly parts: readonly Uint8Array[]; readonly last: boolean }
  | { readonly kind: 'events'; readonly parts: readonly Uint8Array[] }
  | ({ readonly kind: 'heartbeat' } & ChangeHead);

export interface WatchRevocationsDeps {
  readonly clock: Clock;
  readonly feed: Pick<Feed, 'cursor' | 'generation' | 'state' | 'catchUp'>;
  readonly log: RevocationLog;
  readonly snapshots: Snapshots;
  readonly watchers: Watchers;
  readonly issuer: string;
  readonly longestLife: Millis;
  holds(caller: Caller, permission: string): MaybePromise<boolean>;
}

/** How watchers are told; made once for all of them. Parts put one after the other are one longer list. */
export interface WatchEncoding {
  revocation(change: AppliedChange): Uint8Array;
  block(block: Block): Uint8Array;
}

/** Bytes of the snapshot in one message, and revocations in another. */
const PART = 16_384;
const EVENTS = 250;
const PERMISSION = 'token:inspect';

/** The head as this replica knows it, however old. UNAVAILABLE / FEED_STALE while it knows nothing. */
export const changeHead = ({ clock, feed }: Pick<WatchRevocationsDeps, 'clock' | 'feed'>): ChangeHead => {
  const state = feed.state();
  if (state.kind === 'not_ready') throw unavailable('FEED_STALE', state.reason);
  return { seq: feed.cursor(), generation: feed.generation(), staleness: state.age, serverTime: clock.now() };
};

const tenantsFor = (caller: Caller, wanted: readonly TenantId[]): Tenants => {
  const { tenantId } = known(caller);
  const seen = new Set([tenantId, ...(caller.kind === 'workload' ? (caller.entry?.tenants ?? []) : [])]);
  if (wanted.length === 0) return seen;
  if (!wanted.every((one) => seen.has(one))) throw new Fault('PERMISSION_DENIED', 'TENANT_FORBIDDEN', 'no such tenant for this caller');
  return new Set(wanted);
};

/** Whoever reads other people's ids must be allowed to, from beginning to end. A workload's entry has said so already. */
const assertMay = async ({ holds }: WatchRevocationsDeps, caller: Caller): Promise<void> => {
  if (caller.kind === 'workload' || (await holds(caller, PERMISSION))) return;
  throw new Fault('PERMISSION_DENIED', 'PERMISSION_MISSING', `needs ${PERMISSION}`, { meta: { permission: PERMISSION } });
};

/** Has this replica come as far, in the same history, and does the log still reach back there? */
const resumable = async ({ feed, log }: WatchRevocationsDeps, { fromSeq, generation }: RevocationsWanted): Promise<boolean> => {
  if (fromSeq === 0 || generation !== feed.generation()) return false;
  try {
    await feed.catchUp(fromSeq);
  } catch (thrown) {
    // A number that nobody gave: its history is another one.
    if (thrown instanceof Fault && thrown.code === 'FAILED_PRECONDITION') return false;
    throw thrown;
  }
  return generation === feed.generation() && fromSeq >= log.floor;
};

async function* tellSnapshot(snapshot: Snapshot, tenants: Tenants, watcher: Watcher): AsyncGenerator<RevocationsMessage> {
  for (const tenantId of [INSTALLATION, ...tenants]) {
    for (let at = 0; ; ) {
      watcher.assertOpen();
      const parts = snapshot.read(tenantId, at, PART);
      if (parts === null) throw behind();
      if (parts.length === 0) break;
      at += parts.length;
      yield { kind: 'snapshot', parts, last: false };
    }
  }
  yield { kind: 'snapshot', parts: [], last: true };
}

async function* tellNews(
  deps: WatchRevocationsDeps,
  tenants: Tenants,
  above: number,
  watcher: Watcher,
  caller: Caller,
): AsyncGenerator<RevocationsMessage> {
  const { feed, log } = deps;
  // While the snapshot was read, some of what follows it may have left the log.
  if (log.floor > above) throw behind();
  let position = log.start;
  let told = -1;
  for (;;) {
    watcher.assertOpen();
    const { beat } = watcher;
    // Before the log is read: everything up to here is in what is read.
    const seq = feed.cursor();
    const batch = log.read(position, tenants, above, EVENTS);
    if (batch === null) throw behind();
    position = batch.next;
    if (batch.parts.length > 0) yield { kind: 'events', parts: batch.parts };
    if (!batch.complete) continue;
    if (told !== beat) {
      await assertMay(deps, caller);
      watcher.assertOpen();
      told = beat;
      yield { kind: 'heartbeat', ...changeHead(deps), seq };
    } else if (batch.parts.length === 0) await watcher.news();
  }
}

export const watchRevocations = (deps: WatchRevocationsDeps) =>
  async function* (wanted: RevocationsWanted, call: Call): AsyncGenerator<RevocationsMessage> {
    const { caller } = call;
    const tenants = tenantsFor(caller, wanted.tenantIds);
    await assertMay(deps, caller);
    const watcher = deps.watchers.open(call);
    try {
      const resumed = await resumable(deps, wanted);
      const snapshot = resumed ? null : await deps.snapshots.take();
      if (!resumed && snapshot === null) throw behind();
      watcher.assertOpen();
      const entry = caller.kind === 'workload' ? caller.entry : null;
      yield {
        kind: 'begin',
        generation: snapshot?.generation ?? wanted.generation,
        resumed,
        tenantIds: [...tenants],
        heartbeat: HEARTBEAT,
        longestLife: deps.longestLife,
        issuer: deps.issuer,
        audiences: entry?.audiences ?? [],
        anyAudience: entry?.anyAudience ?? caller.kind !== 'workload',
      };
      if (snapshot !== null) yield* tellSnapshot(snapshot, tenants, watcher);
      yield* tellNews(deps, tenants, snapshot?.seq ?? wanted.fromSeq, watcher, caller);
    } finally {
      watcher.close();
    }
  };
