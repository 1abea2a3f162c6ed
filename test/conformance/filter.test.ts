// The promise of a row filter: the rows that a query with it finds are the rows that a check of each one allows.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type Activation, compileCondition, parseCondition, residualOfCondition } from '../../src/authorization/condition/condition.ts';
import { rowsOf, TRUE } from '../../src/authorization/condition/filter.ts';
import { renderSql } from '../../src/authorization/condition/sql.ts';
import { type FreshDatabase, freshDatabase } from '../harness.ts';
import { COLUMNS, conditions, known, type Row, row, schema } from './row-conditions.ts';
import { tableOf } from './random-rows.ts';

const SECONDS = Number(process.env.SECONDS_OF_FUZZ ?? 5);
const ROWS = 150;

let database: FreshDatabase;
let rows: readonly Row[];

beforeAll(async () => {
  database = await freshDatabase();
  rows = await tableOf(database, 'thing', Object.fromEntries(Object.entries(COLUMNS).map(([name, { sql }]) => [name, sql])), row, ROWS);
});
afterAll(() => database.close());

const asked = (activation: Activation, { owner_id, ...attributes }: Row): Activation => ({
  ...activation,
  resource: { ...activation.resource, owner_id, attributes },
});

const names = Object.fromEntries(Object.keys(COLUMNS).map((name) => [name, `thing.${name}`]));

const idsWhere = async (filter: Parameters<typeof renderSql>[0]): Promise<readonly number[]> => {
  const rendered = renderSql(filter, names);
  if (!rendered.ok) throw new Error(`no column for ${rendered.missing.join(', ')}`);
  const found = await database.sql<{ n: number }>(`SELECT n FROM thing WHERE ${rendered.sql} ORDER BY n`, rendered.parameters);
  return found.map(({ n }) => n);
};

describe('a row filter', () => {
  it(
    'finds exactly the rows that a check of each one allows, and as a deny leaves exactly those that it denies not',
    async () => {
      const end = Date.now() + SECONDS * 1000;
      let [filters, obstacles, conditional] = [0, 0, 0];
      while (Date.now() < end)
        await fc.assert(
          fc.asyncProperty(conditions, known, async (source, activation) => {
            const parsed = parseCondition(source, schema);
            if (!parsed.ok) {
              expect(parsed.problems[0]?.message).toMatch(/is never|too |nested/);
              return;
            }
            const residual = residualOfCondition(parsed.condition, schema, activation);
            if (!residual.ok) {
              obstacles++;
              return;
            }
            filters++;
            if (residual.filter.kind === 'call') conditional++;
            const { evaluate } = compileCondition(parsed.condition, schema);
            const verdicts = rows.map((one) => evaluate(asked(activation, one)));
            const where = (verdict: boolean): readonly number[] => verdicts.flatMap((one, id) => (one === verdict ? [id] : []));
            const found = {
              source,
              activation,
              allowed: await idsWhere(rowsOf([residual.filter], [])),
              left: await idsWhere(rowsOf([TRUE], [residual.filter])),
            };
            expect(found).toEqual({ source, activation, allowed: where(true), left: where(false) });
          }),
          { numRuns: 50 },
        );
      expect(conditional).toBeGreaterThan(10 * SECONDS);
      expect(obstacles).toBeLessThan(filters / 3);
    },
    SECONDS * 1000 + 60_000,
  );
});
