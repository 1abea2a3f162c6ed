import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Caller, WorkloadEntry } from '../../../src/base/caller.ts';
import { GetChangeHeadResponse } from '../../../src/gen/securityhub/v1/token.ts';
import type { Claims } from '../../../src/tokens/tokens.ts';
import { callAs, userCaller, workloadCaller, workloadEntry } from '../../callers.ts';
import { type FreshDatabase, freshDatabase, waitFor } from '../../harness.ts';
import { ANNA, OTHER_TENANT, TENANT, type TokensHub, tokensHub } from './hub.ts';
import { streamRow, type WatcherClient, watchAs } from './watcher.ts';

let database: FreshDatabase;
const hubs: TokensHub[] = [];
const watchers: WatcherClient[] = [];

const start = async (options: Parameters<typeof tokensHub>[1] = {}): Promise<TokensHub> => {
  const hub = await tokensHub(database, options);
  hubs.push(hub);
  return hub;
};
const workload = (over: Partial<WorkloadEntry> = {}): Caller =>
  workloadCaller(workloadEntry({ audiences: ['orders'], calls: ['WatchRevocations'], ...over }));
const watch = (
  hub: TokensHub,
  caller: Caller = workload(),
  ...rest: Parameters<typeof watchAs> extends [unknown, unknown, ...infer R] ? R : never
) => {
  const watcher = watchAs(hub.door, caller, ...rest);
  watchers.push(watcher);
  return watcher;
};
const loaded = async (watcher: WatcherClient): Promise<WatcherClient> => {
  await waitFor(() => watcher.heartbeats.length > 0 || watcher.ended !== undefined, 5000, 'the first heartbeat');
  expect(watcher.ended).toBeUndefined();
  return watcher;
};
const caughtUp = (watcher: WatcherClient, seq: number) => waitFor(() => watcher.seq >= seq, 5000, `everything up to ${seq}`);
const claimsOf = (hub: TokensHub, token: string): Claims => {
  const verified = hub.door.verify(token, Date.now());
  if (verified.claims === null) throw new Error('not our token');
  return verified.claims;
};
const self = (sessionId = 'ses_test') => callAs(userCaller(TENANT, ANNA, { sessionId }));
const revoke = (hub: TokensHub, token: string, scope: 'token' | 'family' | null = null) =>
  hub.door.revoke({ tenantId: '', token, tokenId: '', scope, reason: '', revokedBy: '', wait: 0 }, self());
const write = (
  hub: TokensHub,
  changes: Parameters<typeof hub.platform.writeInstallation>[0] extends (tx: never) => Promise<infer O>
    ? O extends { changes?: infer C }
      ? NonNullable<C>
      : never
    : never,
) => hub.platform.writeInstallation(async () => ({ result: null, changes }));

beforeEach(async () => {
  database = await freshDatabase();
});
afterEach(async () => {
  for (const watcher of watchers.splice(0)) watcher.leave();
  await Promise.all(hubs.splice(0).map((hub) => hub.stop()));
  await database.close();
});

describe('a watcher of revocations', () => {
  it('judges every token as the hub does: before it came, and after', async () => {
    const hub = await start();
    const kept = await hub.login();
    const before = await hub.login();
    await revoke(hub, before.accessToken);
    const watcher = await loaded(watch(hub));
    expect(watcher.begin).toMatchObject({ resumed: false, tenantIds: [TENANT], audiences: ['orders'], anyAudience: false });
    const single = await hub.login();
    await revoke(hub, single.accessToken, 'token');
    const family = await hub.login();
    const { seq } = await revoke(hub, family.accessToken, 'family');
    await caughtUp(watcher, seq);
    const said = [kept, before, single, family].map(({ accessToken }) => watcher.mirror.refusal(claimsOf(hub, accessToken))?.reason);
    const hubSays = [kept, before, single, family].map(({ accessToken }) => hub.door.revoked(claimsOf(hub, accessToken))?.reason);
    expect(said).toEqual(hubSays);
    expect(said).toEqual([undefined, 'TOKEN_REVOKED', 'TOKEN_REVOKED', 'TOKEN_REVOKED']);
  });

  it.each(['tenant', 'client', 'user', 'session', 'family', 'token', 'signing_key'] as const)(
    'is told of a revoked %s, in the snapshot and as it comes',
    async (kind) => {
      const hub = await start();
      const until = Date.now() + 600_000;
      const installation = kind === 'signing_key';
      const tenantId = installation ? '' : TENANT;
      await write(hub, [{ kind, tenantId, key: 'one', until, detail: 'revoked' }]);
      const watcher = await loaded(watch(hub));
      const { revision } = await write(hub, [{ kind, tenantId, key: 'two', until, detail: 'revoked' }]);
      await caughtUp(watcher, revision);
      expect(watcher.told).toEqual([`${tenantId}/${kind}/one`, `${tenantId}/${kind}/two`]);
    },
  );

  it('of one tenant hears nothing of another, in the snapshot or later; of the installation always', async () => {
    const hub = await start();
    const until = Date.now() + 600_000;
    const both = (key: string) => [
      { kind: 'session', tenantId: TENANT, key, until } as const,
      { kind: 'session', tenantId: OTHER_TENANT, key, until } as const,
      { kind: 'tenant', tenantId: '', key: `all-${key}`, until } as const,
    ];
    await write(hub, both('early'));
    const narrow = await loaded(watch(hub));
    const wide = await loaded(watch(hub, workload({ tenants: [OTHER_TENANT] })));
    const chosen = await loaded(watch(hub, workload({ tenants: [OTHER_TENANT] }), { tenantIds: [OTHER_TENANT] }));
    const { revision } = await write(hub, both('late').slice(0, 2));
    for (const watcher of [narrow, wide, chosen]) await caughtUp(watcher, revision);
    const of = (tenantId: string) => ['early', 'late'].map((key) => `${tenantId}/session/${key}`);
    expect(narrow.told.toSorted()).toEqual(['/tenant/all-early', ...of(TENANT)].toSorted());
    expect(wide.told.toSorted()).toEqual(['/tenant/all-early', ...of(TENANT), ...of(OTHER_TENANT)].toSorted());
    expect(chosen.told.toSorted()).toEqual(['/tenant/all-early', ...of(OTHER_TENANT)].toSorted());
  });

  it.each<[string, Caller, readonly string[], string]>([
    ['that names a tenant it may not see', workload(), [OTHER_TENANT], 'TENANT_FORBIDDEN'],
    ['that is a user without token:inspect', userCaller(TENANT, 'usr_none'), [], 'PERMISSION_MISSING'],
  ])('%s is refused', async (_what, caller, tenantIds, reason) => {
    const hub = await start();
    const watcher = watch(hub, caller, { tenantIds: [...tenantIds] });
    await watcher.done;
    expect(watcher.ended).toMatchObject({ code: 'PERMISSION_DENIED', reason });
  });

  it('that is a user is let go when the permission is taken away', async () => {
    const hub = await start();
    hub.who.powerful.add(ANNA);
    const watcher = await loaded(watch(hub, userCaller(TENANT, ANNA)));
    hub.who.powerful.delete(ANNA);
    await watcher.done;
    expect(watcher.ended).toMatchObject({ reason: 'PERMISSION_MISSING' });
  });

  it('is let go when its own session is revoked, its workload changes, or its credential ends', async () => {
    const hub = await start();
    hub.who.powerful.add(ANNA);
    const { sessionId } = await hub.login();
    const user = await loaded(watch(hub, userCaller(TENANT, ANNA, { sessionId })));
    const other = await loaded(watch(hub, userCaller(TENANT, ANNA, { sessionId: 'ses_other' })));
    const short = await loaded(watch(hub, userCaller(TENANT, ANNA, { sessionId: 'ses_short', expiresAt: Date.now() + 1500 })));
    const service = await loaded(watch(hub));
    await hub.door.revokeSession(TENANT, sessionId, '', 0, self());
    await write(hub, [{ kind: 'workload', tenantId: TENANT, key: 'shop/orders', until: null }]);
    await Promise.all([user.done, service.done, short.done]);
    for (const { ended } of [user, service, short]) expect(ended).toMatchObject({ code: 'UNAVAILABLE', reason: 'STREAM_ENDED' });
    expect(other.ended).toBeUndefined();
  });

  it('resumes where it left: what came meanwhile, once, and no snapshot', async () => {
    const hub = await start();
    const until = Date.now() + 600_000;
    const { revision } = await write(hub, [{ kind: 'session', tenantId: TENANT, key: 'before', until }]);
    const first = await loaded(watch(hub));
    await caughtUp(first, revision);
    first.leave();
    const { revision: missed } = await write(hub, [{ kind: 'session', tenantId: TENANT, key: 'meanwhile', until }]);
    const { seq: fromSeq, begin } = first;
    const again = watch(hub, workload(), { fromSeq, generation: begin?.generation ?? 0 });
    await caughtUp(again, missed);
    expect(again.begin?.resumed).toBe(true);
    expect(again.told).toEqual([`${TENANT}/session/meanwhile`]);
  });

  it('resumes at another replica, also one that has just started', async () => {
    const hub = await start();
    const until = Date.now() + 600_000;
    const first = await loaded(watch(hub));
    const { revision: before } = await write(hub, [{ kind: 'session', tenantId: TENANT, key: 'before', until }]);
    await caughtUp(first, before);
    const { revision } = await write(hub, [{ kind: 'session', tenantId: TENANT, key: 'meanwhile', until }]);
    const other = await start();
    const again = watch(other, workload(), { fromSeq: before, generation: first.begin?.generation ?? 0 });
    await caughtUp(again, revision);
    expect(again.begin?.resumed).toBe(true);
    expect(again.told).toEqual([`${TENANT}/session/meanwhile`]);
  });

  it.each([
    ['of another generation', { fromSeq: 1, generation: 99 }],
    ['that nobody gave yet', { fromSeq: 1_000_000, generation: 1 }],
  ])('with a number %s is given a snapshot', async (_what, wanted) => {
    const hub = await start();
    await write(hub, [{ kind: 'session', tenantId: TENANT, key: 'one', until: Date.now() + 600_000 }]);
    const watcher = await loaded(watch(hub, workload(), wanted));
    expect([watcher.begin?.resumed, watcher.loaded, watcher.told]).toEqual([false, true, [`${TENANT}/session/one`]]);
  });

  it('who was away for longer than the backlog reaches is given a snapshot', async () => {
    const hub = await start({ config: { watchBacklog: 100 } });
    const first = await loaded(watch(hub));
    first.leave();
    const until = Date.now() + 600_000;
    const many = Array.from({ length: 300 }, (_, at) => ({ kind: 'session', tenantId: TENANT, key: `ses_${at}`, until }) as const);
    const { revision } = await write(hub, many);
    const again = watch(hub, workload(), { fromSeq: revision - 250, generation: first.begin?.generation ?? 0 });
    await loaded(again);
    expect([again.begin?.resumed, again.mirror.size]).toEqual([false, 300]);
    const near = await loaded(watch(hub, workload(), { fromSeq: revision - 50, generation: first.begin?.generation ?? 0 }));
    expect([near.begin?.resumed, near.mirror.size]).toEqual([true, 50]);
  });

  it('who stalls and falls behind must start anew, and holds nobody up', async () => {
    const hub = await start({ config: { watchBacklog: 100 } });
    const [slow, quick] = [await loaded(watch(hub)), await loaded(watch(hub))];
    const release = slow.stall();
    const until = Date.now() + 600_000;
    for (let round = 0; round < 5; round++) {
      const keys = Array.from(
        { length: 60 },
        (_, at) => ({ kind: 'session', tenantId: TENANT, key: `ses_${round}_${at}`, until }) as const,
      );
      const { revision } = await write(hub, keys);
      await caughtUp(quick, revision);
    }
    expect(quick.mirror.size).toBe(300);
    release();
    await slow.done;
    expect(slow.ended).toMatchObject({ code: 'ABORTED', reason: 'SNAPSHOT_REQUIRED' });
    expect((await loaded(watch(hub))).mirror.size).toBe(300);
  });

  it('who takes too long over the snapshot must start anew: what came meanwhile would be missing', async () => {
    const hub = await start({ config: { watchBacklog: 100 } });
    const slow = watch(hub);
    const release = slow.stall();
    await waitFor(() => slow.begin !== undefined, 5000, 'the beginning');
    const until = Date.now() + 600_000;
    await write(
      hub,
      Array.from({ length: 150 }, (_, at) => ({ kind: 'session', tenantId: TENANT, key: `ses_${at}`, until }) as const),
    );
    release();
    await slow.done;
    expect(slow.ended).toMatchObject({ code: 'ABORTED', reason: 'SNAPSHOT_REQUIRED' });
  });

  it('must start anew when a new generation begins, and judges by the new one', async () => {
    const hub = await start();
    const token = (await hub.login()).accessToken;
    const watcher = await loaded(watch(hub));
    await hub.platform.storage.recover(Date.now() + 600_000);
    await watcher.done;
    expect(watcher.ended).toMatchObject({ code: 'ABORTED', reason: 'SNAPSHOT_REQUIRED' });
    await waitFor(() => hub.platform.feed.state().kind === 'fresh', 5000);
    const again = await loaded(watch(hub, workload(), { fromSeq: watcher.seq, generation: watcher.begin?.generation ?? 0 }));
    expect(again.begin).toMatchObject({ resumed: false, generation: (watcher.begin?.generation ?? 0) + 1 });
    expect(again.mirror.refusal(claimsOf(hub, token))?.reason).toBe('SESSION_ENDED');
  });

  it('hears of what another replica revoked within a second, with Redis', async () => {
    const [one, two] = [await start({ redis: true }), await start({ redis: true })];
    const watcher = await loaded(watch(two));
    const { accessToken } = await one.login();
    const before = performance.now();
    await revoke(one, accessToken);
    await waitFor(() => watcher.mirror.refusal(claimsOf(one, accessToken)) !== null, 5000);
    expect(performance.now() - before).toBeLessThan(1000);
  });

  it('learns from every heartbeat how old the hub is, and from GetChangeHead how far it has come', async () => {
    const hub = await start();
    const watcher = await loaded(watch(hub));
    const { revision } = await write(hub, [{ kind: 'role', tenantId: TENANT, key: '', until: null }]);
    await caughtUp(watcher, revision);
    const last = watcher.heartbeats.at(-1);
    expect(last).toMatchObject({ seq: revision, generation: watcher.begin?.generation });
    expect(last?.staleness?.seconds).toBeLessThan(3);
    const { method, row } = streamRow(hub.door, 'GetChangeHead') as unknown as {
      method: { responseSerialize(m: unknown): Buffer };
      row: { handle(): unknown };
    };
    const head = GetChangeHeadResponse.decode(method.responseSerialize(row.handle()));
    expect(head).toMatchObject({ seq: revision, generation: watcher.begin?.generation });
    expect(Math.abs((head.serverTime?.seconds ?? 0) * 1000 - Date.now())).toBeLessThan(5000);
  });
});
