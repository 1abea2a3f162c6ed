// The whole schema, as all migrations together make it: every table behind a wall, or out of the service's reach.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import pg from 'pg';
import { createDatabase } from '../../src/storage/database.postgres.ts';
import { checkRole, migrate, migrationStatus, readMigrations } from '../../src/storage/migrate.postgres.ts';
import { migration } from '../../src/storage/migrate.ts';
import { createPool } from '../../src/storage/pool.postgres.ts';
import type { Database } from '../../src/storage/storage.ts';
import { type FreshDatabase, freshDatabase } from '../harness.ts';

let database: FreshDatabase;
beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(() => database.close());

interface Table {
  readonly name: string;
  readonly tenant: boolean;
  readonly walled: boolean;
  readonly policies: readonly {
    readonly name: string;
    readonly roles: string[];
    readonly using: string | null;
    readonly check: string | null;
  }[];
  readonly app: string[];
  readonly partition: boolean;
}

const OWN_TENANT = `tenant_id = current_setting('securityhub.tenant'`;

const tables = async (): Promise<readonly Table[]> =>
  database.sql<Table>(`
    SELECT c.relname AS name, c.relispartition AS partition,
      EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped) AS tenant,
      c.relrowsecurity AND c.relforcerowsecurity AS walled,
      coalesce((SELECT jsonb_agg(jsonb_build_object('name', p.polname, 'using', pg_get_expr(p.polqual, p.polrelid), 'check', pg_get_expr(p.polwithcheck, p.polrelid),
        'roles', ARRAY(SELECT rolname FROM pg_roles r WHERE r.oid = ANY(p.polroles)))) FROM pg_policy p WHERE p.polrelid = c.oid AND p.polpermissive), '[]') AS policies,
      ARRAY(SELECT privilege FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) privilege WHERE has_table_privilege('securityhub_app', c.oid, privilege)) AS app
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND n.nspname = 'public' ORDER BY 1`);

// What the service may do beyond walls, and why that is safe.
const OPEN: Readonly<Record<string, readonly string[]>> = {
  // One row with two numbers and no tenant in it: the rsq of every token.
  change_head: ['SELECT'],
  // Names of files.
  schema_migration: ['SELECT'],
};

describe('every table', () => {
  it('that has a tenant stands behind a forced wall with a rule for reading and for writing', async () => {
    for (const table of (await tables()).filter((one) => one.tenant && one.app.length > 0)) {
      expect({ table: table.name, walled: table.walled }).toEqual({ table: table.name, walled: true });
      const ours = table.policies.filter((policy) => policy.roles.includes('securityhub_app') || policy.roles.length === 0);
      expect(ours.length).toBeGreaterThan(0);
      for (const policy of ours) {
        expect(`${table.name}: ${policy.using ?? OWN_TENANT}`).toMatch(/tenant_id = .*current_setting\('securityhub\.tenant'/);
        // Rows of the installation itself may be stated, never read.
        expect(`${table.name}: ${policy.check ?? OWN_TENANT}`).toMatch(/tenant_id = (.*current_setting\('securityhub\.tenant'|''::text)/);
      }
    }
  });

  it('that has no tenant is out of the reach of the service', async () => {
    const reached = (await tables()).filter((table) => !table.tenant && table.app.length > 0);
    expect(Object.fromEntries(reached.map((table) => [table.name, table.app]))).toEqual(OPEN);
  });

  it('can be emptied at once by nobody but its owner', async () => {
    expect((await tables()).filter((table) => table.app.includes('TRUNCATE'))).toEqual([]);
  });

  it('shows no row to the service while no tenant is set, nor rows of one tenant to another', async () => {
    // A row of tenant acme in every table, made without anybody's checks: only walls decide what is seen afterwards.
    const walled = (await tables()).filter((table) => table.tenant && table.app.includes('SELECT'));
    const own = await freshDatabase();
    const client = new pg.Client({ connectionString: own.uri });
    await client.connect();
    await client.query(`SET session_replication_role = replica`);
    for (const table of walled) {
      const checks = await client.query<{ name: string }>(
        `SELECT conname AS name FROM pg_constraint WHERE conrelid = $1::regclass AND contype = 'c'`,
        [`"${table.name}"`],
      );
      for (const { name } of checks.rows) await client.query(`ALTER TABLE "${table.name}" DROP CONSTRAINT "${name}"`);
      const columns = await client.query<{ name: string; value: string }>(
        `SELECT a.attname AS name, CASE WHEN a.attname = 'tenant_id' THEN '''acme'''
           ELSE coalesce((SELECT quote_literal(e.enumlabel) FROM pg_enum e WHERE e.enumtypid = a.atttypid LIMIT 1), CASE t.typcategory
             WHEN 'N' THEN '1' WHEN 'B' THEN 'true' WHEN 'D' THEN 'now()' WHEN 'T' THEN '''1 hour''' WHEN 'A' THEN '''{}''' WHEN 'I' THEN '''127.0.0.1'''
             WHEN 'U' THEN CASE WHEN t.typname IN ('json', 'jsonb') THEN '''{}''' WHEN t.typname = 'uuid' THEN 'gen_random_uuid()' ELSE '''\\x00''' END ELSE '''1''' END) END AS value
         FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
         WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attnotnull AND a.attidentity = '' AND a.attgenerated = ''
           AND (NOT a.atthasdef OR a.attname = 'tenant_id')`,
        [`"${table.name}"`],
      );
      const names = columns.rows.map((column) => `"${column.name}"`).join(', ');
      const values = columns.rows.map((column) => column.value).join(', ');
      await client.query(`INSERT INTO "${table.name}" (${names}) VALUES (${values})`);
    }
    const count = (name: string) => `SELECT count(*)::int AS n FROM "${name}"`;
    for (const name of walled.map((table) => table.name)) {
      await client.query('BEGIN; SET LOCAL ROLE securityhub_app');
      const unset = (await client.query<{ n: number }>(count(name))).rows[0]?.n;
      await client.query(`SELECT set_config('securityhub.tenant', 'other', true)`);
      const foreign = (await client.query<{ n: number }>(count(name))).rows[0]?.n;
      await client.query(`SELECT set_config('securityhub.tenant', 'acme', true)`);
      const mine = (await client.query<{ n: number }>(count(name))).rows[0]?.n;
      await client.query('ROLLBACK');
      expect({ name, unset, foreign, mine }).toEqual({ name, unset: 0, foreign: 0, mine: 1 });
    }
    await client.end();
    await own.close();
    expect(walled.length).toBeGreaterThan(20);
  });

  it('of the feed and the outbox takes rows from the service but shows none', async () => {
    const byName = new Map((await tables()).map((table) => [table.name, table.app]));
    expect([byName.get('change'), byName.get('outbox')]).toEqual([['INSERT'], ['INSERT']]);
  });
});

describe('a login that is no superuser', () => {
  const login = `service_${process.pid}`;
  const withUser = (uri: string, user: string): string => {
    const url = new URL(uri);
    url.username = user;
    url.password = 'pw';
    return url.href;
  };
  let pool: ReturnType<typeof createPool>;
  let db: Database;

  beforeAll(async () => {
    await database.sql(`CREATE ROLE ${login} LOGIN NOINHERIT PASSWORD 'pw'`);
    await migrate({ uri: database.uri, login });
    await migrate({ uri: database.uri, login });
    pool = createPool({ uri: withUser(database.uri, login), size: 2 });
    db = createDatabase({ pool });
  });
  afterAll(async () => {
    await pool.end();
    await database.sql(`DROP ROLE ${login}`);
  });

  it('takes both roles after migrate has been told of it', async () => {
    const who = (tx: Parameters<Parameters<Database['jobs']>[0]>[0]) =>
      sql<{ who: string }>`SELECT current_user::text AS who`.execute(tx.tables()).then(({ rows }) => rows[0]?.who);
    expect([await db.tenant('acme', who), await db.jobs(who)]).toEqual(['securityhub_app', 'securityhub_jobs']);
  });

  it('sees which migrations are there', async () => {
    expect((await migrationStatus(withUser(database.uri, login))).pending).toEqual([]);
  });

  it('is good enough for production, as the superuser is not', async () => {
    expect((await checkRole(withUser(database.uri, login))).problems).toEqual([]);
    const strong = await checkRole(database.uri);
    expect(strong.superuser).toBe(true);
    expect(strong.problems).toHaveLength(3);
  });
});

describe('migrations', () => {
  it('leave nothing pending in a fresh database', async () => {
    expect(await migrationStatus(database.uri)).toEqual({ pending: [], ahead: [] });
  });

  it('run once when two processes begin together', async () => {
    const files = [...readMigrations(), migration('9001_extra', 'CREATE TABLE extra ()'), migration('9002_more', 'CREATE TABLE more ()')];
    const [one, two] = await Promise.all([migrate({ uri: database.uri, files }), migrate({ uri: database.uri, files })]);
    expect([...one, ...two].toSorted()).toEqual(['9001_extra', '9002_more']);
  });

  it('that fail leave nothing behind and name their file', async () => {
    const files = [...readMigrations(), migration('9003_bad', 'CREATE TABLE half (); SELECT nonsense')];
    await expect(migrate({ uri: database.uri, files })).rejects.toThrow('9003_bad.sql');
    expect(await database.sql(`SELECT to_regclass('half') AS there`)).toEqual([{ there: null }]);
  });
});
