// An installation as an operator makes one: a role that owns and migrates, a role for the service, an empty database.
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { freshDatabase, postgresUri, redisUrl } from '../harness.ts';
import { type Environment, hubHome } from '../hub-process.ts';

export interface Installation {
  /** As the service, which owns nothing and is no superuser. */
  readonly uri: string;
  /** As the owner, who migrates. */
  readonly ownerUri: string;
  /** As the superuser. */
  readonly superUri: string;
  /** What serve, migrate, init and doctor need of it in production; on loopback in the clear. */
  readonly env: Environment;
  readonly dataDir: string;
  close(): Promise<void>;
}

const on = (uri: string, over: Partial<Record<'username' | 'password' | 'pathname', string>>): string =>
  Object.assign(new URL(uri), over).href;

const asSuperuser = async (statements: readonly string[]): Promise<void> => {
  const client = new pg.Client({ connectionString: postgresUri() });
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
};

/** docs/operating.md, "Roles of the database". The database is empty: nothing is migrated. */
export const createInstallation = async (): Promise<Installation> => {
  // Somebody has to have made the roles of the cluster before they can be handed on.
  await (await freshDatabase()).close();
  const name = randomBytes(6).toString('hex');
  const [owner, service, database, password] = [`owner_${name}`, `service_${name}`, `hub_${name}`, randomBytes(12).toString('hex')];
  await asSuperuser([
    `CREATE ROLE ${owner} LOGIN PASSWORD '${password}' CREATEROLE`,
    `CREATE ROLE ${service} LOGIN PASSWORD '${password}' NOSUPERUSER NOBYPASSRLS`,
    `GRANT securityhub_app, securityhub_jobs TO ${owner} WITH ADMIN OPTION`,
    `CREATE DATABASE ${database} OWNER ${owner}`,
  ]);
  const superUri = on(postgresUri(), { pathname: `/${database}` });
  const [uri, ownerUri] = [service, owner].map((username) => on(superUri, { username, password })) as [string, string];
  const { dataDir, env } = hubHome();
  return {
    uri,
    ownerUri,
    superUri,
    dataDir,
    env: {
      ...env,
      NODE_ENV: 'production',
      TLS: 'off',
      POSTGRES_URI: uri,
      MIGRATION_POSTGRES_URI: ownerUri,
      REDIS_URL: redisUrl(),
      REDIS_PREFIX: `${database}:`,
    },
    close: () =>
      asSuperuser([
        `DROP DATABASE IF EXISTS ${database} WITH (FORCE)`,
        `REVOKE securityhub_app, securityhub_jobs FROM ${owner} CASCADE`,
        `DROP ROLE IF EXISTS ${service}, ${owner}`,
      ]),
  };
};
