// Asks thousands of statements and says how many bytes of each wait for a full collection: argv: uri. Needs --expose-gc, and V8's flags as the hub sets them.
import { getHeapSpaceStatistics } from 'node:v8';
import { createPool } from '../../../src/storage/pool.postgres.ts';

const STATEMENTS = 5000;
const [uri = ''] = process.argv.slice(2);
const pool = createPool({ uri, size: 1 });
const ask = async (): Promise<void> => {
  for (let asked = 0; asked < STATEMENTS; asked += 1)
    await pool.use(
      (connection) => connection.query('SELECT $1::text AS name, 2 AS number', ['a']),
      () => true,
    );
};
const old = (): number => getHeapSpaceStatistics().find(({ space_name: name }) => name === 'old_space')?.space_used_size ?? 0;
const collect = (type: 'minor' | 'major'): void => globalThis.gc?.({ type });

await ask();
collect('major');
await ask();
// What survives the first was still needed a moment ago; what survives the second is old.
collect('minor');
collect('minor');
const before = old();
collect('major');
process.stdout.write(`${(before - old()) / STATEMENTS}\n`);
await pool.end();
