// Data access from end to end: the built hub answers, the client's adapter puts it into a kysely query, a real Postgres finds the rows.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import { maskRow } from '../../src/client/row-filter.ts';
import { rowFilter } from '../../src/client/row-filter.kysely.ts';
import { type FreshDatabase, freshDatabase } from '../harness.ts';
import { createWorld, type World } from './world.ts';

interface Invoice {
  readonly id: string;
  readonly tenant: string;
  readonly owner: string | null;
  readonly amount: number | null;
  readonly iban: string;
}

const POLICY = {
  apiVersion: 'securityhub/v1',
  kind: 'ResourcePolicy',
  metadata: { name: 'invoices' },
  spec: {
    resource: 'invoices',
    rules: [
      { name: 'small', effect: 'allow', actions: ['read'], roles: ['viewer'], condition: 'resource.amount < 1000' },
      { name: 'huge', effect: 'deny', actions: ['read'], condition: 'resource.amount > 100000' },
    ],
    masks: [{ field: 'iban', mask: 'partial' }],
  },
};
const IBAN = 'DE02120300000000202051';

let world: World;
let shop: FreshDatabase;
let db: Kysely<{ invoice: Invoice }>;
let rows: readonly Invoice[];
const ids = new Map<string, string>();

beforeAll(async () => {
  [world, shop] = [await createWorld(), await freshDatabase()];
  db = new Kysely({ dialect: new PostgresDialect({ pool: new pg.Pool({ connectionString: shop.uri, max: 2 }) }) });
  const { authorization, user } = world.admin;
  await authorization.putResourceType({
    resourceType: { name: 'invoices', ownerActions: ['read'], attributes: { amount: 'int', iban: 'string' } },
  });
  for (const [username, role] of [
    ['vera', 'viewer'],
    ['otto', 'custom'],
    ['nina', 'custom'],
  ] as const)
    ids.set(username, (await user.createUser({ username, roles: [role] })).user?.id ?? '');
  await authorization.applyPolicies({ sources: [{ name: 'invoices.json', content: JSON.stringify(POLICY) }], acknowledgeRisk: true });
  await shop.sql('CREATE TABLE invoice (id text, tenant text, owner text, amount integer, iban text)');
  const [tenant, otto, vera] = [world.bootstrap.tenant_id, ids.get('otto') ?? '', ids.get('vera') ?? ''];
  rows = [
    { id: 'small', tenant, owner: null, amount: 999, iban: IBAN },
    { id: 'large', tenant, owner: null, amount: 1000, iban: IBAN },
    { id: 'huge', tenant, owner: otto, amount: 100_001, iban: IBAN },
    { id: 'unsaid', tenant, owner: otto, amount: null, iban: IBAN },
    { id: 'own', tenant, owner: otto, amount: 5000, iban: IBAN },
    { id: "o'hara; DROP TABLE invoice", tenant, owner: vera, amount: 5000, iban: IBAN },
    { id: 'abroad', tenant: 'elsewhere', owner: otto, amount: 1, iban: IBAN },
  ];
  await db.insertInto('invoice').values(rows).execute();
});
afterAll(async () => {
  await db?.destroy();
  await world?.close();
  await shop?.close();
});

const accessOf = (username: string) =>
  world.admin.authorization.enforceDataAccess({
    principal: { $case: 'subject', value: { type: 'user', id: ids.get(username) ?? '' } },
    resourceType: 'invoices',
    action: 'read',
    fields: ['id', 'iban'],
  });
/** No row says how secret it is. */
const COLUMNS = { id: 'i.id', tenant_id: 'i.tenant', owner_id: 'i.owner', amount: 'i.amount', classification: { sql: 'NULL' } };

/** What a check of each row says. */
const checked = async (username: string): Promise<readonly string[]> => {
  const found: string[] = [];
  for (const { id, tenant, owner, amount } of rows) {
    const { allowed } = await world.admin.checkPermission({
      principal: { $case: 'subject', value: { type: 'user', id: ids.get(username) ?? '' } },
      action: 'read',
      resource: { type: 'invoices', id, tenantId: tenant, ownerId: owner ?? '', attributes: { amount, iban: IBAN } },
    });
    if (allowed) found.push(id);
  }
  return found.sort();
};

describe('a kysely query with a row filter', () => {
  it.each([
    ['vera', ["o'hara; DROP TABLE invoice", 'small']],
    ['otto', ['own']],
    ['nina', []],
  ])('finds for %s the rows that checks allow, and no others', async (username, wanted) => {
    const answer = await accessOf(username);
    const found = await db
      .selectFrom('invoice as i')
      .select(['i.id', 'i.iban'])
      .where('i.iban', '=', IBAN)
      .where(rowFilter(answer, COLUMNS))
      .orderBy('i.id')
      .execute();
    const seen = found.map(({ id }) => id).sort();
    expect(seen).toEqual([...wanted].sort());
    expect(seen).toEqual(await checked(username));
    expect(new Set(found.map((row) => maskRow(answer, row)['iban']))).toEqual(
      new Set(found.length === 0 ? [] : [`${'*'.repeat(IBAN.length - 4)}2051`]),
    );
  });
});
