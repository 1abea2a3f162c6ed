// `npm run bench:families`: ten million families, their oldest tenth ending again and again. `--rows <n>` takes fewer. Writes its part of
// docs/growth.md. With POSTGRES_URI set to a server of one's own what was filled stays there, and the next run goes on from it.
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { crowd, type Round, sizeOf, sweep, vacuumed } from './families.ts';
import type { HubProcess } from '../hub-process.ts';
import { bear } from './families-fill.ts';
import { install } from './families-install.ts';
import { familiesReport } from './families-report.ts';
import { withSection } from './growth-sections.ts';
import { pin, startHub, startStores } from './processes.ts';

const DAY = 86_400_000;
/** That live side by side, one ending a day. */
const GENERATIONS = 10;
/** That come and go. */
const ROUNDS = 4;
const BATCH = 25_000;
const QUIET = 15_000;

const asked = process.argv.indexOf('--rows');
const rows = asked === -1 ? 10_000_000 : Number(process.argv[asked + 1]);
const generation = Math.floor(rows / GENERATIONS);
if (!Number.isSafeInteger(rows) || generation < 1000) throw new Error('--rows: a whole number, 10000 or more');

pin(process.pid, 1);
console.log('starting the stores …');
const stores = await startStores();
const { client, notes, installed } = await install(stores);
const end = (family: number): Date => new Date(Date.parse(installed.first) + (family / generation) * DAY);
/** Cleared away is what autovacuum leaves alone. */
const enough = Math.max(5000, rows * 0.04);

/** Up to that number. */
const born = async (upto: number): Promise<number> => {
  const began = performance.now();
  let from = (await notes.read<number>('born')) ?? 0;
  while (from < upto) {
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

let hub: HubProcess | null = null;
process.once('SIGTERM', () => {
  hub?.stop('SIGKILL').catch(() => {});
  void stores.stop().finally(() => process.exit(143));
});

try {
  await born(rows);
  hub = await startHub(installed.env, 120_000);
  console.log(`the hub was ready after ${Math.round(hub.startedIn)} ms`);
  const people = await crowd({ ...installed.setting, grpc: hub.grpc });
  const rounds: Round[] = [];
  for (let round = 1; round <= ROUNDS; round += 1) {
    const name = `round ${round} of ${rows}`;
    const gone = await once(`${name}: gone`, async () => {
      people.take();
      await new Promise((resolve) => setTimeout(resolve, QUIET));
      const quiet = people.take();
      const swept = await sweep(installed.env, end(generation * round));
      const sweeping = people.take();
      return { quiet, swept, sweeping, vacuumed: await vacuumed(client, enough), vacuuming: people.take() };
    });
    rounds.push(
      await once(name, async () => {
        people.take();
        const before = (await notes.read<number>('born')) ?? 0;
        const bornIn = await born(rows + generation * round);
        const bornPerSecond = (rows + generation * round - before) / bornIn;
        return { ...gone, bornPerSecond, bearing: people.take(), size: await sizeOf(client) };
      }),
    );
  }
  await people.leave();
  await hub.stop();
  const text = familiesReport({
    rows,
    generation,
    rounds,
    startedIn: hub.startedIn,
    machine: `${cpus().length} cores, Node ${process.versions.node}`,
  });
  console.log(text);
  const page = join(import.meta.dirname, '../../docs/growth.md');
  writeFileSync(page, withSection(readFileSync(page, 'utf8'), text));
} finally {
  await client.end();
  await stores.stop();
}
process.exit(0);
