// The walls between tenants, as the database itself enforces them.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { type FreshDatabase, freshDatabase } from '../harness.ts';

let database: FreshDatabase;
beforeAll(async () => {
  database = await freshDatabase();
  await database.sql(`CREATE TABLE thing (tenant_id text NOT NULL, id text NOT NULL, PRIMARY KEY (tenant_id, id))`);
  await database.sql(`SELECT securityhub_wall('thing')`);
  await database.sql(`INSERT INTO thing VALUES ('acme', '1'), ('other', '2')`);
});
afterAll(() => database.close());

interface Things {
  thing: { tenant_id: string; id: string };
}

describe('a tenant transaction', () => {
  it('sees the rows of its tenant only', async () => {
    const rows = await database.db.tenant('acme', (tx) => tx.tables<Things>().selectFrom('thing').selectAll().execute());
    expect(rows).toEqual([{ tenant_id: 'acme', id: '1' }]);
  });

  it('cannot write a row of another tenant', async () => {
    const write = database.db.tenant('acme', (tx) =>
      tx.tables<Things>().insertInto('thing').values({ tenant_id: 'other', id: '3' }).execute(),
    );
    await expect(write).rejects.toMatchObject({ code: '42501' });
  });

  it('takes a quoted tenant id as text', async () => {
    const name = `a'; RESET ROLE; --\\`;
    const [row] = await database.db.tenant(
      name,
      async (tx) =>
        (await sql<{ t: string }>`SELECT current_setting('securityhub.tenant') AS t, current_user AS u`.execute(tx.tables())).rows,
    );
    expect(row).toEqual({ t: name, u: 'securityhub_app' });
  });

  it('leaves neither role nor tenant behind', async () => {
    await database.db.tenant('acme', async () => {});
    const all = await database.db.jobs((tx) => tx.tables<Things>().selectFrom('thing').selectAll().execute());
    expect(all).toHaveLength(2);
  });
});
