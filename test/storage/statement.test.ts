// Statements on a borrowed connection: what they leave behind, and what an error says.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createPool, type Pool } from '../../src/storage/pool.postgres.ts';
import { type FreshDatabase, freshDatabase } from '../harness.ts';

let database: FreshDatabase;
let pool: Pool;
beforeEach(async () => {
  database = await freshDatabase();
  pool = createPool({ uri: database.uri, size: 1 });
});
afterEach(async () => {
  await pool.end();
  await database.close();
});

/** By the driver's own promise and time limit it is 1,400 to 2,900 bytes. */
const LEFT = 300;

describe('statements', () => {
  it('die young: nothing of them waits for a full collection', async () => {
    const script = join(import.meta.dirname, 'processes/many-statements.ts');
    const flags = ['--expose-gc', '--no-allocation-site-pretenuring'];
    const { stdout } = await promisify(execFile)(process.execPath, [...flags, script, database.uri]);
    expect(Number(stdout)).toBeLessThan(LEFT);
  });

  it('answer with rows as objects, or several with rows as arrays', async () => {
    const answers = await pool.use(
      async (connection) => [
        (await connection.query('SELECT 1 AS a')).rows,
        (await connection.queryAll('SELECT 2; SELECT 3, 4')).map(({ rows }) => rows),
      ],
      () => true,
    );
    expect(answers).toEqual([[{ a: 1 }], [[[2]], [[3, 4]]]]);
  });

  it('fail with what the database says and a stack that leads to who asked', async () => {
    const whoAsked = (): Promise<unknown> =>
      pool.use(
        async (connection) => await connection.query('SELECT nothing'),
        () => false,
      );
    const error = await whoAsked().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: '42703',
      message: 'column "nothing" does not exist',
      stack: expect.stringContaining('statement.test.ts'),
    });
    // The connection serves on.
    expect(pool.total).toBe(1);
  });

  it('are given up after their time, and their connection with them', async () => {
    await pool.end();
    pool = createPool({ uri: database.uri, size: 1, queryTimeout: 100 });
    const began = performance.now();
    const late = pool.use(
      (connection) => connection.query('SELECT pg_sleep(5)'),
      () => true,
    );
    await expect(late).rejects.toMatchObject({ code: 'UNAVAILABLE', reason: 'STORE_UNAVAILABLE' });
    expect(performance.now() - began).toBeLessThan(2000);
    const next = await pool.use(
      (connection) => connection.query('SELECT 1 AS a'),
      () => true,
    );
    expect(next.rows).toEqual([{ a: 1 }]);
  });
});
