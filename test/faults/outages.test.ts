// The outage table: every call while a store is dead or stands still, and again when it is back. Nothing is mocked, one hub lives through all of it.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { credentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CertificateServiceService } from '../../src/gen/securityhub/v1/certificate.ts';
import { waitFor } from '../harness.ts';
import { type HubProcess, hubHome, startHub } from '../hub-process.ts';
import { freePort } from '../stores.ts';
import { type Caller, figures, openCaller, report } from './caller.ts';
import { makeSupplies, makeWorld, outageCalls, type Outcome, SERVICES, type World } from './outage-calls.ts';
import { type OwnPostgres, type OwnRedis, startOwnPostgres, startOwnRedis } from './own-stores.ts';

const OUTAGES = ['Redis killed', 'Redis stalled', 'Postgres killed', 'Postgres stalled'] as const;
type Column = (typeof OUTAGES)[number] | 'beyond the ceiling';
type Row = { readonly call: string; readonly well: string } & Readonly<Record<Column, string>>;

const table: readonly Row[] = JSON.parse(readFileSync(join(import.meta.dirname, '../cases/outages.json'), 'utf8'));
/** What the table says of a moment, as one object: a failed run shows every row that differs. */
const wanted = (column: Column | 'well'): Record<string, string> => Object.fromEntries(table.map((row) => [row.call, row[column]]));

/** No answer may take longer, whatever is away. */
const BOUND = 5000;
/** How soon everything is well again. */
const RECOVERY = 5000;
const CEILING_SECONDS = 15;

let postgres: OwnPostgres;
let redis: OwnRedis;
let hub: HubProcess;
let world: World;
let caller: Caller;
let callers: { readonly warm: Caller; readonly cold: readonly Caller[] };
let addresses: { readonly probes: string; readonly https: string; readonly ca: string };
const outcomes = new Map<string, ReadonlyMap<string, Outcome>>();

let runs = 0;
/** Every call, with fresh supplies, and cold things of that outage's own. */
const prepare = async (outage: (typeof OUTAGES)[number]) => {
  const at = OUTAGES.indexOf(outage);
  const supplies = await makeSupplies(caller, world, String((runs += 1)));
  const workloads = { warm: callers.warm, cold: callers.cold[at] as Caller };
  return outageCalls({ ...addresses, caller, workloads, world, supplies, cold: world.cold[at] as World['warm'] });
};
type Calls = Awaited<ReturnType<typeof prepare>>;

const askAll = async (calls: Calls, name: string): Promise<Record<string, string>> => {
  const said = new Map(await Promise.all([...calls].map(async ([call, ask]) => [call, await ask()] as const)));
  outcomes.set(name, said);
  return Object.fromEntries([...said].map(([call, outcome]) => [call, outcome.said]));
};

/** Changes make caches forget: what is to be warm is asked once more. */
const warmUp = async (calls: Calls): Promise<void> => {
  for (const [call, ask] of calls) if (/\bwarm\b/.test(call)) expect([call, (await ask()).said]).toEqual([call, wanted('well')[call]]);
};

const WARM = ['ValidateToken, warm token', 'CheckPermission, warm subject', 'BatchCheck, warm subject', 'Encrypt, warm key'];
const ROUNDS = 50;

/** One after the other, so that the times are of the call and not of its company. */
const measureWarm = async (calls: Calls, during: string): Promise<void> => {
  for (const name of WARM) {
    const ask = calls.get(`SecurityHub/${name}`);
    const took: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const outcome = await ask?.();
      if (outcome?.said.startsWith('OK') === true) took.push(outcome.milliseconds);
    }
    report(figures(`${during}: ${name}`, took));
    expect(took).toHaveLength(ROUNDS);
  }
};

const slow = (name: string): readonly string[] =>
  [...(outcomes.get(name) ?? [])]
    .filter(([, { milliseconds }]) => milliseconds > BOUND)
    .map(([call, { said, milliseconds }]) => `${call}: ${said} after ${milliseconds.toFixed(0)} ms`);

const recovers = async (outage: (typeof OUTAGES)[number], end: () => Promise<void> | void): Promise<void> => {
  const began = performance.now();
  await end();
  const reads = async (): Promise<boolean> => (await caller.tell(CertificateServiceService.listCertificates, {})).code === 'OK';
  await waitFor(reads, RECOVERY, `${outage}: a read afterwards`);
  const said = await askAll(await prepare(outage), `${outage}, recovered`);
  const took = performance.now() - began;
  report(`${outage}: all is well again after ${took.toFixed(0)} ms`);
  expect(said).toEqual(wanted('well'));
  expect(took).toBeLessThan(RECOVERY);
};

beforeAll(async () => {
  [postgres, redis] = await Promise.all([startOwnPostgres(), startOwnRedis()]);
  const home = hubHome();
  const probePort = await freePort();
  const env = { ...home.env, POSTGRES_URI: postgres.uri, REDIS_URL: redis.uri, FEED_CEILING_SECONDS: String(CEILING_SECONDS) };
  const first = await startHub({ ...env, TLS: 'off' });
  const maker = openCaller(first.grpc, first.bootstrap().access_token);
  world = await makeWorld(maker, OUTAGES.length);
  const { trustBundlePem } = await maker.ask(CertificateServiceService.getTrustBundle, {});
  maker.close();
  await first.stop();
  hub = await startHub({ ...env, TLS: 'on', PROBE_PORT: String(probePort) });
  const ca = Buffer.from(trustBundlePem);
  const grpc = hub.grpc.replace('127.0.0.1', 'localhost');
  const by = (things: World['warm']): Caller =>
    openCaller(grpc, '', credentials.createSsl(ca, Buffer.from(things.privateKey), Buffer.from(things.certificate)));
  caller = openCaller(grpc, hub.bootstrap().access_token, credentials.createSsl(ca));
  callers = { warm: by(world.warm), cold: world.cold.map(by) };
  addresses = {
    probes: `http://127.0.0.1:${probePort}`,
    https: hub.http.replace('http://127.0.0.1', 'https://localhost'),
    ca: trustBundlePem,
  };
}, 60_000);

afterAll(async () => {
  for (const one of [caller, callers?.warm, ...(callers?.cold ?? [])]) one?.close();
  postgres?.resume();
  redis?.resume();
  await hub?.stop();
  await Promise.all([postgres?.stop(), redis?.stop()]);
});

describe('the outage table', () => {
  it('has a row for every call there is', () => {
    const methods = SERVICES.flatMap((service) => Object.values(service).map(({ path }) => path.replace('/securityhub.v1.', '')));
    const inTable = new Set(table.map(({ call }) => call.split(', ')[0]));
    expect(methods.filter((method) => !inTable.has(method))).toEqual([]);
    expect(new Set(table.map(({ call }) => call)).size).toBe(table.length);
  });

  it('begins with everything well', async () => {
    // What is cold must stay so until its outage.
    const calls = new Map([...(await prepare('Redis killed'))].filter(([call]) => !/\bcold\b/.test(call)));
    const said = await askAll(calls, 'well');
    expect(said).toEqual(Object.fromEntries([...calls.keys()].map((call) => [call, wanted('well')[call]])));
  });

  it.each([
    ['Redis killed', () => redis.kill(), () => redis.restart()],
    ['Redis stalled', () => redis.stall(), () => redis.resume()],
    ['Postgres killed', () => postgres.kill(), () => postgres.restart()],
    ['Postgres stalled', () => postgres.stall(), () => postgres.resume()],
  ] as const)(
    '%s: what works, what says UNAVAILABLE, and all of it again afterwards',
    async (outage, begin, end) => {
      const calls = await prepare(outage);
      await warmUp(calls);
      await begin();
      await measureWarm(calls, outage);
      expect(await askAll(calls, outage)).toEqual(wanted(outage));
      const refused = [...(outcomes.get(outage)?.values() ?? [])].filter((outcome) => outcome.said.startsWith('UNAVAILABLE'));
      if (refused.length > 0)
        report(
          figures(
            `${outage}: UNAVAILABLE`,
            refused.map(({ milliseconds }) => milliseconds),
          ),
        );
      expect(slow(outage)).toEqual([]);
      if (outage === 'Postgres stalled') {
        const health = async (): Promise<string> => (await calls.get('Health/Check')?.())?.said ?? '';
        await waitFor(async () => (await health()) === 'OK NOT_SERVING', CEILING_SECONDS * 1000 + 2000, 'unreadiness beyond the ceiling');
        expect(await askAll(calls, 'beyond the ceiling')).toEqual(wanted('beyond the ceiling'));
      }
      await recovers(outage, end);
    },
    60_000,
  );
});
