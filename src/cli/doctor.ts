// `security-hub doctor`: what is wrong with this configuration and its stores, and what to do next.
import { existsSync, mkdtempSync, rmdirSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { Fault } from '../base/fault.ts';
import { systemRandom } from '../base/random.ts';
import { openMasterKey } from '../encryption/master-key.wire.ts';
import { type Config, schema } from '../server/config/schema.ts';
import { refusals } from '../server/config/refusals.ts';
import { probeRedis } from '../storage/connection.redis.ts';
import { createDatabase } from '../storage/database.postgres.ts';
import { checkRole, databaseTime, migrationStatus } from '../storage/migrate.postgres.ts';
import { createPool } from '../storage/pool.postgres.ts';
import type { Database } from '../storage/storage.ts';
import { certificatePair, clockSkew, fault, fine, type Finding, keyFile, look, warning } from './checks.ts';
import type { Command } from './command.ts';
import { CONFIG_HELP, configuration } from './configuration.ts';
import { postureOf } from './posture.ts';

const production = (config: Config): boolean => config.server.environment === 'production';

/** Each refusal reads «what is wrong: what would help». */
const settings = (config: Config): Finding[] => {
  const reasons = refusals(postureOf(config));
  if (reasons.length === 0) return [fine('settings', production(config) ? 'fit for production' : 'fit for development')];
  return reasons.map((reason) => {
    const at = reason.indexOf(': ');
    return fault('settings', reason.slice(0, at), reason.slice(at + 2));
  });
};

/** What stands in every certificate and token, and cannot be changed later without making new ones. */
const names = (config: Config): Finding[] =>
  [
    { given: config.certificates.trustDomain, field: schema.certificates.trustDomain, what: 'every certificate names it' },
    { given: config.tokens.issuer, field: schema.tokens.issuer, what: 'every token names it' },
  ]
    .filter(({ given, field }) => production(config) && given === field.default)
    .map(({ field, what }) =>
      warning(field.name, `${field.default}, as nobody chose another; ${what}`, `set ${field.name} before the first start`),
    );

/** Host and database, never the password. */
const placeOf = (uri: string): string => {
  const { host, pathname } = new URL(uri);
  return `${host}${pathname}`;
};

const postgres = async (config: Config): Promise<Finding[]> => {
  const { postgresUri: uri, migrationPostgresUri } = config.storage;
  if (uri === '') return [fine('postgres', `embedded, in ${config.server.dataDir}`)];
  const before = Date.now();
  const place = placeOf(uri);
  const next = `start it, or correct POSTGRES_URI; psql "$POSTGRES_URI" from this machine must work`;
  const reached = await look('postgres', next, async () => {
    const there = await databaseTime(uri);
    return clockSkew((before + Date.now()) / 2, there);
  });
  if (reached.state === 'fault' && reached.name === 'postgres') return [{ ...reached, detail: `${reached.detail} (${place})` }];
  const role = await look('role', 'see docs/operating.md, "Roles of the database"', async () => {
    const { login, problems } = await checkRole(uri);
    if (problems.length === 0) return fine('role', `${login} stands behind the tenants' walls`);
    const next =
      'connect as a role that is NOSUPERUSER and owns nothing, and migrate as another one (docs/operating.md, "Roles of the database")';
    return fault('role', `${problems.join('; ')}; production refuses it`, next);
  });
  const pending = await look('migrations', 'run security-hub migrate plan', async () => {
    const plan = await migrationStatus(migrationPostgresUri || uri);
    return plan.pending.length === 0
      ? fine('migrations', 'the database is at this release')
      : fault(
          'migrations',
          `${plan.pending.length} pending: ${plan.pending.map((file) => file.name).join(', ')}`,
          'run security-hub migrate',
        );
  });
  return [fine('postgres', `answers at ${place}`), reached, role, pending];
};

const redis = (config: Config): Promise<Finding> =>
  config.storage.redisUrl === ''
    ? Promise.resolve(fine('redis', 'none: news by polling, limits per replica'))
    : look('redis', 'start it, or correct REDIS_URL; until then everything works, and news takes up to 2 s', async () =>
        fine('redis', await probeRedis(config.storage.redisUrl)),
      );

/** What `ask` finds in the database; true where it cannot be asked: why not, other looks say. */
const onDatabase = async ({ storage: { postgresUri: uri } }: Config, ask: (db: Database) => Promise<boolean>): Promise<boolean> => {
  if (uri === '') return true;
  const pool = createPool({ uri, size: 1 });
  try {
    return await ask(createDatabase({ pool }));
  } catch {
    return true;
  } finally {
    await pool.end();
  }
};

/** As serve will read it: whose the file is, its form, and that production does not get one made for development, and that it is this database's. */
const masterKey = async (config: Config): Promise<Finding[]> => {
  const { keyPath, key } = config.encryption;
  if (keyPath === '' && key === '') return [];
  const file = keyPath === '' ? [] : [keyFile('ENCRYPTION_KEY_PATH', keyPath)];
  if (file.some((one) => one.state === 'fault')) return file;
  const next = 'use the key that this database was made with; docs/operating.md, "First start in production", says how to make the first';
  const opened = await look('master key', next, async () => {
    const { fits } = openMasterKey(config, systemRandom);
    return (await onDatabase(config, fits))
      ? fine('master key', 'is one')
      : fault('master key', 'this database was made with another one: nothing in it would open', next);
  });
  return [...file, opened];
};

const keys = (config: Config): Finding[] =>
  [
    ['JWT_PRIVATE_KEY_PATH', config.tokens.privateKeyPath],
    ['TLS_KEY_PATH', config.server.tlsKeyPath],
  ]
    .filter(([, path]) => path !== '')
    .map(([name = '', path = '']) => keyFile(name, path));

const certificate = async (config: Config): Promise<Finding[]> => {
  const { tlsCertPath, tlsKeyPath } = config.server;
  if (tlsCertPath === '' || tlsKeyPath === '') return [];
  return [
    await look('TLS certificate', 'point TLS_CERT_PATH at a PEM chain and TLS_KEY_PATH at its key', () =>
      certificatePair(tlsCertPath, tlsKeyPath, Date.now()),
    ),
  ];
};

const dataDir = (config: Config): Finding => {
  const { dataDir: path } = config.server;
  let there = resolve(path);
  while (!existsSync(there)) there = dirname(there);
  if (!statSync(there).isDirectory()) return fault('data', `${there} is no directory`, 'set DATA_DIR to one');
  try {
    // Rights alone do not tell: nothing can be made in /proc, by nobody.
    rmdirSync(mkdtempSync(join(there, '.security-hub-')));
    return fine('data', path);
  } catch {
    return fault('data', `${there} is not writable`, 'let this user write there, or set DATA_DIR');
  }
};

const MARK = { ok: 'ok  ', warning: 'warn', fault: 'FAIL' } as const;

export const doctorCommand: Command = {
  usage: 'doctor [OPTIONS]',
  help: `Looks at the configuration, the stores, the database role, migrations, key files, certificates and the clock.
Leaves everything as it is. Exit code 0 when nothing is wrong, else 1, with the next step for each fault.

${CONFIG_HELP}`,
  async run(argv, terminal) {
    const { config } = configuration(argv, terminal);
    const findings = [
      ...settings(config),
      ...names(config),
      dataDir(config),
      ...(await postgres(config)),
      await redis(config),
      ...(await masterKey(config)),
      ...keys(config),
      ...(await certificate(config)),
    ];
    for (const one of findings) {
      terminal.out(`${MARK[one.state]}  ${one.name}: ${one.detail}`);
      if (one.next !== '') terminal.out(`      next: ${one.next}`);
    }
    const wrong = findings.filter((one) => one.state === 'fault').length;
    if (wrong > 0) throw new Fault('FAILED_PRECONDITION', 'UNHEALTHY', wrong === 1 ? 'one thing to mend' : `${wrong} things to mend`);
    return 0;
  },
};
