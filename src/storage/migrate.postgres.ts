// Runs migrations on a direct connection, one transaction a file, one process at a time, and lets the service's login take its roles.
import { readdirSync, readFileSync } from 'node:fs';
import pg from 'pg';
import { Fault } from '../base/fault.ts';
import type { Instant } from '../base/time.ts';
import { type Applied, type Migration, type MigrationPlan, migration, planMigrations } from './migrate.ts';
import { types } from './pool.postgres.ts';
import { fromDatabase, sqlState } from './sqlstate.ts';

const FOLDER = new URL('./migrations/', import.meta.url);
// Any constant will do; both halves say whose lock it is to whoever reads pg_locks.
const LOCK = [0x5ec1_41b, 1] as const;

export const readMigrations = (folder: URL = FOLDER): readonly Migration[] =>
  readdirSync(folder)
    .filter((file) => file.endsWith('.sql'))
    .toSorted()
    .map((file) => migration(file.slice(0, -4), readFileSync(new URL(file, folder), 'utf8')));

/** Whom the database does not let in, or what it does not have: for whoever holds the address to mend. */
const refused = (error: unknown): Fault | null =>
  /^28|^3D000$|^42501$/.test(sqlState(error))
    ? new Fault('FAILED_PRECONDITION', 'STORE_REFUSED', `the database refuses: ${String(Reflect.get(Object(error), 'message'))}`, {
        cause: error,
      })
    : null;

const withClient = async <T>(uri: string, work: (client: pg.Client) => Promise<T>): Promise<T> => {
  const client = new pg.Client({ connectionString: uri, connectionTimeoutMillis: 5000, application_name: 'security-hub migrate', types });
  client.on('error', () => {});
  try {
    await client.connect();
    return await work(client);
  } catch (error) {
    throw refused(error) ?? fromDatabase(error);
  } finally {
    await client.end().catch(() => {});
  }
};

const readApplied = async (client: pg.Client): Promise<readonly Applied[]> => {
  const there = await client.query<{ found: boolean }>(`SELECT to_regclass('schema_migration') IS NOT NULL AS found`);
  if (there.rows[0]?.found !== true) return [];
  return (await client.query<Applied>('SELECT version, name, checksum, additive FROM schema_migration ORDER BY version')).rows;
};

const lock = async (client: pg.Client): Promise<void> => {
  try {
    await client.query(`SET LOCAL lock_timeout = '10s'`);
    await client.query('SELECT pg_advisory_xact_lock($1, $2)', [...LOCK]);
    await client.query(`SET LOCAL lock_timeout = '5s'`);
  } catch (error) {
    if (sqlState(error) !== '55P03') throw error;
    throw new Fault('ABORTED', 'MIGRATION_RUNNING', 'another migration has been running for more than 10 s: wait for it, then try again');
  }
};

const transaction = async <T>(client: pg.Client, work: () => Promise<T>): Promise<T> => {
  await client.query('BEGIN');
  try {
    await lock(client);
    const result = await work();
    await client.query('COMMIT');
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {});
    throw error;
  }
};

const TABLE = `CREATE TABLE IF NOT EXISTS schema_migration (
  version integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL, additive boolean NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT clock_timestamp());
  GRANT SELECT ON schema_migration TO PUBLIC`;

/** Applies the next pending file; null when there is none. Another process may have applied it meanwhile, hence the second look. */
const applyNext = (client: pg.Client, files: readonly Migration[]): Promise<string | null> =>
  transaction(client, async () => {
    await client.query(TABLE);
    const next = planMigrations(files, await readApplied(client)).pending[0];
    if (next === undefined) return null;
    try {
      await client.query(next.sql);
    } catch (error) {
      if (sqlState(error) === '55P03')
        throw new Fault('ABORTED', 'MIGRATION_BLOCKED', `${next.name} waited more than 5 s for a lock: a long transaction is in its way`);
      throw new Fault('FAILED_PRECONDITION', 'MIGRATION_FAILED', `${next.name}.sql: ${String(Reflect.get(Object(error), 'message'))}`, {
        cause: error,
      });
    }
    await client.query('INSERT INTO schema_migration (version, name, checksum, additive) VALUES ($1, $2, $3, $4)', [
      next.version,
      next.name,
      next.checksum,
      next.additive,
    ]);
    return next.name;
  });

/** SET ROLE needs membership; since Postgres 16 also the SET option, which whoever owns nothing else should have without INHERIT. */
const grantRoles = async (client: pg.Client, login: string): Promise<void> => {
  const { rows } = await client.query<{ missing: boolean; version: number }>(
    `SELECT current_setting('server_version_num')::int AS version,
       NOT (SELECT rolsuper FROM pg_roles WHERE rolname = $1)
       AND NOT (SELECT bool_and(EXISTS (
         SELECT FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member WHERE r.rolname = $1 AND m.roleid = g.oid
           AND (current_setting('server_version_num')::int < 160000 OR coalesce((to_jsonb(m) ->> 'set_option')::boolean, true))))
         FROM pg_roles g WHERE g.rolname IN ('securityhub_app', 'securityhub_jobs')) AS missing`,
    [login],
  );
  const answer = rows[0];
  if (answer?.missing !== true) return;
  const how = answer.version >= 160000 ? ' WITH INHERIT FALSE, SET TRUE' : '';
  await client.query(`GRANT securityhub_app, securityhub_jobs TO ${pg.escapeIdentifier(login)}${how}`);
};

/** Whom a connection string logs in as. */
export const loginOf = (uri: string): string => new pg.Client({ connectionString: uri }).user ?? 'postgres';

export interface MigrateOptions {
  /** A direct URL: no pooler in transaction mode. */
  readonly uri: string;
  /** The role the service logs in with; default: whoever migrates. */
  readonly login?: string;
  readonly files?: readonly Migration[];
}

/** Applies what is pending and answers the names. Two at once wait for one another, at most 10 s a file. */
export const migrate = (options: MigrateOptions): Promise<readonly string[]> =>
  withClient(options.uri, async (client) => {
    const files = options.files ?? readMigrations();
    const names: string[] = [];
    for (;;) {
      const name = await applyNext(client, files);
      if (name === null) break;
      names.push(name);
    }
    await transaction(client, () => grantRoles(client, options.login ?? client.user ?? 'postgres'));
    return names;
  });

/** What `migrate` would do. FAILED_PRECONDITION as in `planMigrations`. */
export const migrationStatus = (uri: string, files: readonly Migration[] = readMigrations()): Promise<MigrationPlan> =>
  withClient(uri, async (client) => planMigrations(files, await readApplied(client)));

export interface RoleReport {
  readonly login: string;
  readonly superuser: boolean;
  readonly bypassesWalls: boolean;
  readonly ownsTables: readonly string[];
  /** Every sentence is a reason for production to refuse; empty is good. */
  readonly problems: readonly string[];
}

/** Whether row-level security means anything for this login. */
export const checkRole = (uri: string): Promise<RoleReport> =>
  withClient(uri, async (client) => {
    const { rows } = await client.query<{ login: string; superuser: boolean; bypass: boolean; owned: string[] }>(
      `SELECT r.rolname AS login, r.rolsuper AS superuser, r.rolbypassrls AS bypass,
         ARRAY(SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
           WHERE c.relkind IN ('r', 'p') AND c.relowner = r.oid AND n.nspname = current_schema() ORDER BY 1) AS owned
       FROM pg_roles r WHERE r.rolname = session_user`,
    );
    const row = rows[0];
    if (row === undefined) throw new Error('the database does not know its own user');
    const problems = [
      row.superuser ? `the role ${row.login} is a superuser` : '',
      row.bypass ? `the role ${row.login} has BYPASSRLS` : '',
      row.owned.length > 0 ? `the role ${row.login} owns tables (${row.owned.slice(0, 3).join(', ')}…): migrate as another role` : '',
    ].filter((problem) => problem !== '');
    return { login: row.login, superuser: row.superuser, bypassesWalls: row.bypass, ownsTables: row.owned, problems };
  });

/** The database's own clock. */
export const databaseTime = (uri: string): Promise<Instant> =>
  withClient(uri, async (client) => {
    const { rows } = await client.query<{ now: Date }>('SELECT clock_timestamp() AS now');
    return rows[0]?.now.getTime() ?? Number.NaN;
  });
