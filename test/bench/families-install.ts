// The installation that `npm run bench:families` fills: on a server of one's own it is kept, and the next run goes on where the last one stopped.
import pg from 'pg';
import { type Environment, runCli } from '../hub-process.ts';
import { openCaller } from './driver.ts';
import { startHub, type Stores } from './processes.ts';
import { login, type Setting } from './rows.ts';

export interface Installed {
  readonly env: Environment;
  readonly setting: Omit<Setting, 'grpc'>;
  /** A session as the hub writes it. */
  readonly sessionId: string;
  /** When the first generation ends. */
  readonly first: string;
}

const DATABASE = 'bench_families';
const DAY = 86_400_000;

export interface Notes {
  read<T>(name: string): Promise<T | null>;
  write(name: string, value: unknown): Promise<void>;
}

/** What is known of the installation stands in it. */
export const notesIn = async (client: pg.Client): Promise<Notes> => {
  await client.query('CREATE TABLE IF NOT EXISTS bench_notes (name text PRIMARY KEY, value jsonb NOT NULL)');
  return {
    async read<T>(name: string) {
      const { rows } = await client.query<{ value: T }>('SELECT value FROM bench_notes WHERE name = $1', [name]);
      return rows[0]?.value ?? null;
    },
    async write(name, value) {
      await client.query('INSERT INTO bench_notes VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = EXCLUDED.value', [
        name,
        JSON.stringify(value),
      ]);
    },
  };
};

/** A development start makes the tenant and its administrator. */
const begin = async (env: Environment): Promise<Installed> => {
  const hub = await startHub({ ...env, NODE_ENV: 'development' });
  const { username, password, tenant_id: tenantId } = hub.bootstrap();
  const caller = await openCaller(hub.grpc);
  const { sessionId } = await login(caller, { grpc: hub.grpc, username, password, tenantId });
  caller.close();
  await hub.stop();
  const production = { ...env, NODE_ENV: 'production', TLS: 'off', REFRESH_TOKEN_DAYS: '400' };
  return { env: production, setting: { username, password, tenantId }, sessionId, first: new Date(Date.now() + 30 * DAY).toISOString() };
};

export const install = async (
  stores: Stores,
): Promise<{ readonly client: pg.Client; readonly notes: Notes; readonly installed: Installed }> => {
  const env = await stores.named(DATABASE);
  const client = new pg.Client({ connectionString: env['MIGRATION_POSTGRES_URI'] ?? '' });
  await client.connect();
  const notes = await notesIn(client);
  const known = await notes.read<Installed>('installed');
  const installed = known === null ? await begin(env) : { ...known, env: { ...known.env, REDIS_URL: env['REDIS_URL'] ?? '' } };
  if (known === null) await notes.write('installed', installed);
  // It may be of an earlier release.
  const migrated = await runCli(['migrate'], installed.env);
  if (migrated.code !== 0) throw new Error(migrated.err);
  return { client, notes, installed };
};
