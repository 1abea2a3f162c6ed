// The promise of data access: a query with the filter finds the rows that a check of each one allows, for random models, on a real Postgres.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { RowQuestion } from '../../src/authorization/access/row.ts';
import { accessTo } from '../../src/authorization/access/rows.ts';
import { decide } from '../../src/authorization/limits.ts';
import type { Limits } from '../../src/authorization/limits.ts';
import type { Question } from '../../src/authorization/question.ts';
import type { Situation } from '../../src/authorization/situation.ts';
import { renderSql } from '../../src/authorization/condition/sql.ts';
import { type FreshDatabase, freshDatabase } from '../harness.ts';
import { COLUMNS, limits, model, type Row, row, rowQuestion, situation, rightsOf } from './data-access-model.ts';
import { tableOf } from './random-rows.ts';

const SECONDS = Number(process.env.SECONDS_OF_FUZZ ?? 5);
const ROWS = 120;

let database: FreshDatabase;
let rows: readonly Row[];

beforeAll(async () => {
  database = await freshDatabase();
  rows = await tableOf(database, 'doc', COLUMNS, row, ROWS);
});
afterAll(() => database.close());

const text = (value: unknown): string => (typeof value === 'string' ? value : '');

/** The check of one row by the same caller, who says of it all that the query was said to know. */
const allows = (rights: ReturnType<typeof rightsOf>, capped: Limits, asked: RowQuestion, where: Situation, one: Row): boolean => {
  const says = (name: string): unknown => (asked.attributes === null || asked.attributes.has(name) ? one[name] : null);
  const { believed } = asked;
  const question: Question = {
    type: asked.type,
    action: asked.action,
    resourceId: text(says('id')),
    resourceTenantId: asked.tenantId === '' ? text(one['tenant_id']) : asked.tenantId,
    ownerId: believed ? text(says('owner_id')) : '',
    classification: asked.classification === '' ? text(says('classification')) : asked.classification,
    parents: asked.parents.flatMap(({ type, id, attribute }) => {
      const found = attribute === '' ? id : text(says(attribute));
      return found === '' ? [] : [{ type, id: found }];
    }),
    believed,
  };
  const attributes = Object.fromEntries(['secret', 'amount', 'tags'].map((name) => [name, says(name)]));
  return decide(rights, capped, question, { ...where, resource: believed ? attributes : {} }).allowed;
};

describe('data access', () => {
  it(
    'finds exactly the rows that a check of each one allows, and fewer only where it names what no filter can say',
    async () => {
      const end = Date.now() + SECONDS * 1000;
      let [some, exact, narrower] = [0, 0, 0];
      while (Date.now() < end)
        await fc.assert(
          fc.asyncProperty(model, rowQuestion, situation, limits, async (world, asked, where, capped) => {
            const rights = rightsOf(world);
            const { filter, ruling, leftOut } = accessTo(rights, capped, asked, where);
            const rendered = renderSql(filter, Object.fromEntries(Object.keys(COLUMNS).map((name) => [name, `doc.${name}`])));
            if (!rendered.ok) throw new Error(rendered.missing.join());
            const found = (
              await database.sql<{ n: number }>(`SELECT n FROM doc WHERE ${rendered.sql} ORDER BY n`, rendered.parameters)
            ).map(({ n }) => n);
            const wanted = rows.flatMap((one, n) => (allows(rights, capped, asked, where, one) ? [n] : []));
            if (found.length > 0 && found.length < ROWS) some++;
            if (!ruling.allowed) expect(found).toEqual([]);
            if (leftOut.length === 0) {
              exact++;
              expect({ sql: rendered.sql, found }).toEqual({ sql: rendered.sql, found: wanted });
            } else {
              narrower++;
              expect(found.filter((n) => !wanted.includes(n))).toEqual([]);
            }
          }),
          { numRuns: 50 },
        );
      expect(some).toBeGreaterThan(3 * SECONDS);
      expect(narrower).toBeGreaterThan(0);
      expect(exact).toBeGreaterThan(narrower);
    },
    SECONDS * 1000 + 60_000,
  );
});
