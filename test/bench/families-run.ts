// `npm run bench:families`: ten million families, their oldest tenth ending again and again. `--rows <n>` takes fewer, `--rounds <n>` lets so
// many tenths go (2), `--minutes <n>` ends it about then (11), with the part of a round that it has come to. Writes its part of docs/growth.md, anew with
// all that it has found. With POSTGRES_URI set to a server of one's own what was filled stays there, and the next run goes on from it.
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { crowd, type Round, sizeOf, sweep, vacuumed } from './families.ts';
import type { HubProcess } from '../hub-process.ts';
import { bear, withoutIndexes } from './families-fill.ts';
import { install } from './families-install.ts';
import { familiesReport } from './families-report.ts';
import { withSection } from './growth-sections.ts';
import { pin, startHub, startStores } from './processes.ts';

const DAY = 86_400_000;
/** That live side by side, one ending a day. */
const GENERATIONS = 10;
const BATCH = 25_000;
/** Fewer are inserted in a minute. */
const MANY = 500_000;
const QUIET = 15_000;
const MINUTE = 60_000;

const option = (name: string, otherwise: number): number => {
  const at = process.argv.indexOf(`--${name}`);
  const value = at === -1 ? otherwise : Number(process.argv[at + 1]);
  if (!(value > 0)) throw new Error(`--${name}: a number above 0`);
  return value;
};
const rows = option('rows', 10_000_000);
const rounds = option('rounds', 2);
const until = performance.now() + option('minutes', 11) * MINUTE;
const left = (): number => until - performance.now();
const generation = Math.floor(rows / GENERATIONS);
if (!Number.isSafeInteger(rows) || generation < 1000) throw new Error('--rows: a whole number, 10000 or more');

pin(process.pid, 1);
console.log('starting the stores …');
const stores = await startStores();
const { client, notes, installed } = await install(stores);
const end = (family: number): Date => new Date(Date.parse(installed.first) + (family / generation) * DAY);
/** Cleared away is what autovacuum leaves alone. */
const enough = Math.max(5000, rows * 0.04);

/** Up to that number, or as far as there is time. */
const born = async (upto: number, time = Number.POSITIVE_INFINITY): Promise<number> => {
  const began = performance.now();
  let from = (await notes.read<number>('born')) ?? 0;
  while (from < upto && performance.now() - began < time) {
    const to = Math.min(upto, from + BATCH);
    await client.query('BEGIN');
    await bear(client, { sessionId: installed.sessionId, from, to, endsFrom: end(from), endsTo: end(to) });
    await notes.write('born', to);
    await client.query('COMMIT');
    from = to;
    if (from % (BATCH * 10) === 0) console.log(`${from} born, ${Math.round((performance.now() - began) / 1000)} s`);
  }
  return (performance.now() - began) / 1000;
};

/** What is interrupted here goes on there with what had been done by then. */
const once = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
  const before = await notes.read<T>(name);
  if (before !== null) return before;
  const after = await work();
  await notes.write(name, after);
  console.log(name, JSON.stringify(after));
  return after;
};

/** All that live at the beginning. */
const filled = async (): Promise<void> => {
  if (rows >= MANY && (await notes.read('born')) === null) {
    await client.query('BEGIN');
    await notes.write('indexes', await withoutIndexes(client));
    await client.query('COMMIT');
  }
  await born(rows);
  const indexes = (await notes.read<readonly string[]>('indexes')) ?? [];
  if (indexes.length === 0) return;
  console.log('making the indexes …');
  const began = performance.now();
  await client.query("SET maintenance_work_mem = '1GB'");
  await client.query('BEGIN');
  for (const statement of indexes) await client.query(statement);
  await notes.write('indexes', []);
  await client.query('COMMIT');
  // What autovacuum does in its own time.
  await client.query('ANALYZE sessions, token_families');
  console.log(`made, ${Math.round((performance.now() - began) / 1000)} s`);
};

let hub: HubProcess | null = null;
process.once('SIGTERM', () => {
  hub?.stop('SIGKILL').catch(() => {});
  void stores.stop().finally(() => process.exit(143));
});

try {
  await filled();
  hub = await startHub(installed.env, 120_000);
  const { startedIn } = hub;
  console.log(`the hub was ready after ${Math.round(startedIn)} ms`);
  const people = await crowd({ ...installed.setting, grpc: hub.grpc });
  const found: Round[] = [];
  /** What is known by now is written down. */
  const have = (at: number, round: Round): void => {
    found[at] = round;
    const text = familiesReport({
      rows,
      generation,
      rounds: found,
      startedIn,
      machine: `${cpus().length} cores, Node ${process.versions.node}`,
    });
    const page = join(import.meta.dirname, '../../docs/growth.md');
    writeFileSync(page, withSection(readFileSync(page, 'utf8'), text));
  };
  for (let at = 0; at < rounds && left() > 0; at += 1) {
    const name = `round ${at + 1} of ${rows}`;
    let round: Round = await once(`${name}: gone`, async () => {
      people.take();
      await new Promise((resolve) => setTimeout(resolve, QUIET));
      const quiet = people.take();
      const swept = await sweep(installed.env, end(generation * (at + 1)));
      return { quiet, swept, sweeping: people.take() };
    });
    have(at, round);
    if (left() < 0) break;
    const cleared = await once(`${name}: cleared`, async () => {
      people.take();
      return { vacuumed: await vacuumed(client, enough, left()), vacuuming: people.take() };
    });
    have(at, (round = { ...round, ...cleared }));
    if (left() < 0) break;
    const bearing = await once(`${name}: born`, async () => {
      people.take();
      const before = (await notes.read<number>('born')) ?? 0;
      const bornIn = await born(rows + generation * (at + 1), left());
      const bornPerSecond = (((await notes.read<number>('born')) ?? 0) - before) / bornIn;
      return { bornPerSecond, bearing: people.take(), size: await sizeOf(client) };
    });
    have(at, { ...round, ...bearing });
  }
  await people.leave();
  await hub.stop();
  console.log(readFileSync(join(import.meta.dirname, '../../docs/growth.md'), 'utf8'));
} finally {
  await client.end();
  await stores.stop();
}
process.exit(0);
