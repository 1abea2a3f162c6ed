import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { days, minutes, seconds } from '../../../src/base/time.ts';
import { createMetrics } from '../../../src/server/observability/metrics.ts';
import type { KeySet } from '../../../src/gen/securityhub/v1/token.ts';
import { callAs, userCaller } from '../../callers.ts';
import { type FreshDatabase, freshDatabase, testClock, type TestClock, waitFor } from '../../harness.ts';
import { startDevice, type SoftwareDevice } from './device.ts';
import { ANNA, TENANT, type TokensHub, tokensHub } from './hub.ts';
import { endingCall, streamRow, watchAs } from './watcher.ts';

let database: FreshDatabase;
let clock: TestClock;
const hubs: TokensHub[] = [];
const devices: SoftwareDevice[] = [];
const start = async (options: Parameters<typeof tokensHub>[1] = {}): Promise<TokensHub> => {
  const hub = await tokensHub(database, { clock, ...options });
  hubs.push(hub);
  return hub;
};

beforeEach(async () => {
  database = await freshDatabase();
  clock = testClock();
});
afterEach(async () => {
  await Promise.all(hubs.splice(0).map((hub) => hub.stop()));
  await Promise.all(devices.splice(0).map((device) => device.kill()));
  await database.close();
});

const operator = () => callAs(userCaller(TENANT, ANNA), { now: clock.now() });
const kidOf = (token: string): string =>
  (JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()) as { kid: string }).kid;
const kids = (hub: TokensHub): string[] => hub.door.jwks().keys.map((key) => key.kid);
const signs = async (hub: TokensHub): Promise<string> => kidOf((await hub.login()).accessToken);
const states = async (hub: TokensHub): Promise<Record<string, string>> =>
  Object.fromEntries((await hub.door.listKeys()).map(({ kid, state }) => [kid, state]));
const schedule = (hub: TokensHub) => hub.turn('tokens.key_life');
const good = (hub: TokensHub, token: string) => hub.door.verify(token, clock.now());
const shown = (hub: TokensHub, kid: string) => waitFor(() => kids(hub).includes(kid), 5000, `${kid} in the JWKS`);
const next = async (hub: TokensHub): Promise<string> => (await hub.door.listKeys()).find(({ state }) => state === 'published')?.kid ?? '';

describe('the schedule of signing keys', () => {
  it('shows the next key on every replica long before it signs, and believes the last one to the end of its tokens', async () => {
    const [one, two] = [await start(), await start()];
    const first = await signs(one);
    await schedule(one);
    const second = await next(two);
    await shown(two, second);
    expect(await states(one)).toEqual({ [first]: 'active', [second]: 'published' });

    clock.advance(days(30) - 1);
    await schedule(two);
    expect(await signs(two)).toBe(first);
    clock.advance(1);
    const { accessToken } = await two.login();
    await schedule(two);
    for (const hub of [one, two]) await waitFor(async () => (await signs(hub)) === second, 5000, 'the second key signs');
    expect(await states(one)).toMatchObject({ [first]: 'retiring', [second]: 'active' });
    expect(good(one, accessToken).ok).toBe(true);

    clock.advance(minutes(1));
    await schedule(one);
    expect(await states(one)).toMatchObject({ [first]: 'retiring' });
    clock.advance(days(1));
    await schedule(one);
    expect(await states(one)).toMatchObject({ [first]: 'retired', [second]: 'active' });
    for (const hub of [one, two]) await waitFor(() => !kids(hub).includes(first), 5000, 'the first key is gone');
  });

  it('is seen in securityhub_signing_key_age_seconds, which begins anew with each key', async () => {
    const metrics = createMetrics('test');
    const hub = await start({ metrics });
    const age = async () => Number(/^securityhub_signing_key_age_seconds\{[^}]*\} (\S+)$/m.exec(await metrics.text())?.[1]);
    const first = await signs(hub);
    expect(await age()).toBe(0);
    await schedule(hub);
    clock.advance(days(30));
    expect(await age()).toBe(30 * 86_400);
    await schedule(hub);
    await waitFor(async () => (await signs(hub)) !== first, 5000, 'the next key signs');
    clock.advance(minutes(1));
    expect(await age()).toBe(60);
    metrics.close();
  });

  it('lets no key sign before it was shown for SIGNING_KEY_PUBLISH_MINUTES, however late the schedule is', async () => {
    const hub = await start();
    const first = await signs(hub);
    clock.advance(days(300));
    await schedule(hub);
    expect(await signs(hub)).toBe(first);
    clock.advance(minutes(60) - 1);
    await schedule(hub);
    expect(await signs(hub)).toBe(first);
    clock.advance(1);
    await schedule(hub);
    await waitFor(async () => (await signs(hub)) !== first, 5000, 'the next key signs');
  });

  it('done by many replicas at once is done once', async () => {
    const replicas = [await start(), await start(), await start()];
    await Promise.all(replicas.map(schedule));
    expect(Object.values(await states(replicas[0] as TokensHub)).toSorted()).toEqual(['active', 'published']);
    clock.advance(days(31));
    await Promise.all(replicas.map(schedule));
    expect(Object.values(await states(replicas[0] as TokensHub)).toSorted()).toEqual(['active', 'published', 'retiring']);
  });

  it('goes on from whatever a killed replica left', async () => {
    const hub = await start();
    await schedule(hub);
    // Killed between making a key and publishing it.
    await database.sql("UPDATE signing_keys SET state = 'pending', published_at = NULL WHERE state = 'published'");
    await schedule(await start());
    expect(Object.values(await states(hub)).toSorted()).toEqual(['active', 'published']);
  });

  it('SIGNING_KEY_ROTATION_DAYS 0 leaves it to people', async () => {
    const hub = await start({ config: { keyRotation: 0 } });
    const first = await signs(hub);
    clock.advance(days(1000));
    await schedule(hub);
    expect(await states(hub)).toEqual({ [first]: 'active' });
  });

  it('forgets retired keys after 90 days, and never revoked ones', async () => {
    const hub = await start({ config: { keyRotation: 0 } });
    const first = await signs(hub);
    const rotate = () => hub.door.rotateKey({ immediately: true, expectedKid: '', reason: '' }, operator());
    const { active } = await rotate();
    await rotate();
    await hub.door.revokeKey(active.kid, 'lost', 0, operator());
    clock.advance(days(1));
    await schedule(hub);
    expect(await states(hub)).toMatchObject({ [first]: 'retired', [active.kid]: 'retired' });
    clock.advance(days(90));
    await schedule(hub);
    expect(Object.keys(await states(hub))).not.toContain(first);
    expect(await states(hub)).toMatchObject({ [active.kid]: 'retired' });
  });
});

describe('rotating by hand', () => {
  it('waits until verifiers have seen the next key', async () => {
    const hub = await start();
    const first = await signs(hub);
    const planned = await hub.door.rotateKey({ immediately: false, expectedKid: first, reason: 'drill' }, operator());
    expect(planned).toMatchObject({ active: { kid: first }, next: { state: 'published' }, activatesAt: clock.now() + minutes(60) });
    await shown(hub, planned.next?.kid ?? '');
    clock.advance(minutes(60));
    await schedule(hub);
    await waitFor(async () => (await signs(hub)) === planned.next?.kid, 5000, 'the next key signs');
  });

  it('is done at once with a key that was shown long enough, and once for one expected key', async () => {
    const hub = await start();
    const first = await signs(hub);
    await schedule(hub);
    clock.advance(minutes(60));
    const wanted = { immediately: false, expectedKid: first, reason: '' };
    const { active, next: after } = await hub.door.rotateKey(wanted, operator());
    expect([active.state, after]).toEqual(['active', null]);
    await expect(hub.door.rotateKey(wanted, operator())).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      reason: 'SIGNING_KEY_CHANGED',
      meta: { active_kid: active.kid },
    });
  });

  it('at once, by two at the same time, leaves one key that signs and every token good', async () => {
    const [one, two] = [await start(), await start()];
    const { accessToken } = await one.login();
    const now = { immediately: true, expectedKid: '', reason: '' };
    await Promise.all([one.door.rotateKey(now, operator()), two.door.rotateKey(now, operator())]);
    expect(Object.values(await states(one)).toSorted()).toEqual(['active', 'retiring', 'retiring']);
    expect(good(two, accessToken).ok).toBe(true);
  });

  it('is refused when verifiers would have to load too many keys', async () => {
    const hub = await start();
    const now = { immediately: true, expectedKid: '', reason: '' };
    for (let count = 1; count < 20; count++) await hub.door.rotateKey(now, operator());
    await expect(hub.door.rotateKey(now, operator())).rejects.toMatchObject({ reason: 'LIMIT_REACHED' });
  });

  it('states who did it', async () => {
    const hub = await start();
    const { active } = await hub.door.rotateKey({ immediately: true, expectedKid: '', reason: 'drill' }, operator());
    expect(hub.platform.audit.entries.at(-1)).toMatchObject({
      tenantId: '',
      type: 'signing_key.activated',
      actor: { id: ANNA },
      resource: `signing_key:${active.kid}`,
      reason: 'drill',
    });
  });
});

describe('a revoked signing key', () => {
  it('is believed nowhere within the bound: replicas, JWKS, watchers; and another one signs', async () => {
    const [one, two] = [await start({ clock: undefined as never, redis: true }), await start({ clock: undefined as never, redis: true })];
    const { accessToken } = await one.login();
    const kid = kidOf(accessToken);
    const watcher = watchAs(two.door, { kind: 'workload', tenantId: TENANT, spiffeId: '', namespace: 'n', name: 'w', entry: null });
    const { row } = streamRow(two.door, 'WatchKeys');
    const { call, end } = endingCall(userCaller(TENANT, ANNA));
    const sets: KeySet[] = [];
    const watching = (async () => {
      for await (const answer of row.stream({}, call)) {
        const { message } = answer as { message: { $case: string; value: KeySet } };
        if (message.$case === 'keys') sets.push(message.value);
      }
    })().catch(() => {});
    await waitFor(() => watcher.heartbeats.length > 0 && sets.length > 0, 5000);

    const told = await one.door.revokeKey(kid, 'stolen', seconds(5), operator());
    expect(told).toMatchObject({ replicasAcknowledged: 2, replicasLive: 2 });
    for (const hub of [one, two]) {
      expect(hub.door.verify(accessToken, Date.now())).toMatchObject({ ok: false, reason: 'KEY_UNKNOWN' });
      expect(kids(hub)).not.toContain(kid);
      await waitFor(async () => (await signs(hub).catch(() => '')) === told.activeKid, 5000, 'the next key signs');
    }
    await waitFor(() => watcher.revokedKeys.has(kid), 2000, 'the watcher has heard');
    await waitFor(
      () =>
        sets
          .at(-1)
          ?.keys.map((key) => key.kid)
          .join() === told.activeKid,
      2000,
      'the watcher of keys has heard',
    );
    watcher.leave();
    end();
    await watching;
    expect(one.platform.audit.entries.find(({ type }) => type === 'signing_key.revoked')).toMatchObject({
      level: 'alert',
      reason: 'stolen',
    });
  });

  it('that was to sign next leaves the one that signs alone; the schedule makes another', async () => {
    const hub = await start();
    const first = await signs(hub);
    await schedule(hub);
    const gone = await next(hub);
    expect((await hub.door.revokeKey(gone, '', 0, operator())).activeKid).toBe(first);
    await schedule(hub);
    expect(await next(hub)).not.toBe(gone);
  });

  it('gives its place to the key that verifiers have seen already', async () => {
    const hub = await start();
    await schedule(hub);
    const second = await next(hub);
    expect((await hub.door.revokeKey(await signs(hub), '', 0, operator())).activeKid).toBe(second);
  });

  it('stays refused at replicas that start later, and while the database is away', async () => {
    const hub = await start();
    const { accessToken } = await hub.login();
    await hub.door.revokeKey(kidOf(accessToken), '', 0, operator());
    // Whatever a store says afterwards.
    await database.sql("UPDATE signing_keys SET state = 'published', revoked_at = NULL, source = 'stored' WHERE kid = $1", [
      kidOf(accessToken),
    ]);
    await hub.turn('tokens.keys');
    const later = await start();
    for (const one of [hub, later]) expect(good(one, accessToken)).toMatchObject({ ok: false, reason: 'KEY_UNKNOWN' });
  });

  it('revoked again tells nobody anew; one that never was is NOT_FOUND', async () => {
    const hub = await start();
    const kid = await signs(hub);
    await hub.door.revokeKey(kid, '', 0, operator());
    const [{ seq } = { seq: 0 }] = await database.sql<{ seq: string }>('SELECT seq FROM change_head');
    await hub.door.revokeKey(kid, '', 0, operator());
    expect(await database.sql('SELECT seq FROM change_head')).toEqual([{ seq }]);
    await expect(hub.door.revokeKey('nobody', '', 0, operator())).rejects.toMatchObject({
      code: 'NOT_FOUND',
      reason: 'SIGNING_KEY_NOT_FOUND',
    });
  });
});

describe('a replaced key file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'key-life-'));
  const path = join(folder, 'signing.pem');
  const write = (key: KeyObject): void => {
    writeFileSync(path, key.export({ type: 'pkcs8', format: 'pem' }));
    chmodSync(path, 0o600);
  };
  const fresh = () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;

  it('is shown to every replica first, and signs when verifiers have had the time to see it', async () => {
    write(fresh());
    const hub = await start({ config: { privateKeyPath: path } });
    const other = await start();
    const first = await signs(hub);
    await shown(other, first);
    write(fresh());
    await hub.turn('tokens.keys');
    await waitFor(() => kids(hub).length === kids(other).length && kids(hub).length === 3, 5000, 'both file keys and the stored one');
    expect(await signs(hub)).toBe(first);
    clock.advance(minutes(60));
    await hub.turn('tokens.keys');
    const second = await signs(hub);
    expect(second).not.toBe(first);
    const { accessToken } = await hub.login();
    expect(good(other, accessToken).ok).toBe(true);
    clock.advance(minutes(10));
    await schedule(other);
    expect((await states(other))[first]).toBe('retiring');
    clock.advance(days(1));
    await hub.turn('tokens.keys');
    await schedule(other);
    expect((await states(other))[first]).toBe('retired');
    expect((await states(other))[second]).toBe('published');
  });

  it('that cannot be read leaves the old one signing', async () => {
    write(fresh());
    const hub = await start({ config: { privateKeyPath: path } });
    const first = await signs(hub);
    writeFileSync(path, 'half a file');
    await hub.turn('tokens.keys');
    expect(await signs(hub)).toBe(first);
  });

  it('is what rotates a key from files, and the only way out when that is revoked', async () => {
    write(fresh());
    const hub = await start({ config: { privateKeyPath: path } });
    const first = await signs(hub);
    await expect(hub.door.rotateKey({ immediately: true, expectedKid: '', reason: '' }, operator())).rejects.toMatchObject({
      reason: 'SIGNING_KEY_HELD',
    });
    await hub.door.revokeKey(first, '', 0, operator());
    await expect(signs(hub)).rejects.toMatchObject({ code: 'UNAVAILABLE', reason: 'SIGNING_KEY_MISSING' });
    expect(hub.door.notReady()).toBe('signing keys are not loaded');
    write(fresh());
    await hub.turn('tokens.keys');
    expect(await signs(hub)).not.toBe(first);
  });
});

describe('a signing device', () => {
  const device = async (): Promise<SoftwareDevice> => {
    const made = await startDevice();
    devices.push(made);
    return made;
  };

  it('signs in place of the stored key, and other replicas believe it', async () => {
    const hub = await start({ device: await device() });
    const other = await start();
    const { accessToken } = await hub.login();
    await shown(other, kidOf(accessToken));
    expect(good(other, accessToken).ok).toBe(true);
    expect(await signs(other)).not.toBe(kidOf(accessToken));
    expect(await database.sql("SELECT private_sealed FROM signing_keys WHERE source = 'held'")).toEqual([{ private_sealed: null }]);
  });

  it.each<[string, (device: SoftwareDevice) => Promise<void> | void]>([
    ['that was killed', (one) => one.kill()],
    ['that answers no more', (one) => one.stall()],
    ['that signs wrongly', (one) => one.spoil()],
  ])('%s is stood in for by the stored key: every login gets a good token', async (_what, fail) => {
    const one = await device();
    const hub = await start({ device: one });
    const before = await hub.login();
    await fail(one);
    const after = await Promise.all([hub.login(), hub.login(), hub.login()]);
    for (const { accessToken } of [before, ...after]) expect(good(hub, accessToken).ok).toBe(true);
    expect(after.map(({ accessToken }) => kidOf(accessToken))).not.toContain(kidOf(before.accessToken));
  });

  it('signs again once it has recovered', async () => {
    const one = await device();
    let broken = true;
    const hub = await start({ device: { ...one, sign: (input) => (broken ? Promise.reject(new Error('busy')) : one.sign(input)) } });
    const backup = await signs(hub);
    broken = false;
    expect(await signs(hub)).toBe(backup);
    clock.advance(seconds(10));
    expect(await signs(hub)).not.toBe(backup);
  });

  it('that is away at the start keeps nobody from starting', async () => {
    const one = await device();
    await one.kill();
    const hub = await start({ device: one });
    expect(good(hub, (await hub.login()).accessToken).ok).toBe(true);
  });
});
