// `security-hub doctor`: what is wrong with this configuration and its stores, and what to do next.
import { dirname } from 'node:path';
import { existsSync } from 'node:fs';
import { Fault } from '../base/fault.ts';
import type { Config } from '../server/config/schema.ts';
import { refusals } from '../server/config/refusals.ts';
import { probeRedis } from '../storage/connection.redis.ts';
import { checkRole, databaseTime, migrationStatus } from '../storage/migrate.postgres.ts';
import { certificatePair, clockSkew, fault, fine, type Finding, keyFile, look, warning } from './checks.ts';
import type { Command } from './command.ts';
import { CONFIG_HELP, configuration } from './configuration.ts';
import { postureOf } from './posture.ts';

const production = (config: Config): boolean => config.server.environment === 'production';

const settings = (config: Config): Finding[] => {
  const reasons = refusals(postureOf(config));
  return reasons.length === 0
    ? [fine('settings', production(config) ? 'fit for production' : 'fit for development')]
    : reasons.map((reason) => fault('settings', reason, 'serve would refuse to start with it'));
};

const postgres = async (config: Config): Promise<Finding[]> => {
  const { postgresUri: uri, migrationPostgresUri } = config.storage;
  if (uri === '') return [fine('postgres', `embedded, in ${config.server.dataDir}`)];
  const before = Date.now();
  const reached = await look('postgres', 'is it running, and is POSTGRES_URI right? A firewall between?', async () => {
    const there = await databaseTime(uri);
    return clockSkew((before + Date.now()) / 2, there);
  });
  if (reached.state === 'fault' && reached.name === 'postgres') return [reached];
  const role = await look('role', 'see docs/operating.md, "Roles of the database"', async () => {
    const { login, problems } = await checkRole(uri);
    if (problems.length === 0) return fine('role', `${login} stands behind the tenants' walls`);
    const said = problems.join('; ');
    const next = 'create a role for the service alone (NOSUPERUSER, owns nothing), migrate as another (docs/operating.md)';
    return production(config) ? fault('role', said, next) : warning('role', `${said}; production refuses it`, next);
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
  return [fine('postgres', 'reachable'), reached, role, pending];
};

const redis = (config: Config): Promise<Finding> =>
  config.storage.redisUrl === ''
    ? Promise.resolve(fine('redis', 'none: news by polling, limits per replica'))
    : look('redis', 'is it running, and is REDIS_URL right? Without it everything works, news takes up to 2 s', async () =>
        fine('redis', await probeRedis(config.storage.redisUrl)),
      );

const keys = (config: Config): Finding[] =>
  [
    ['ENCRYPTION_KEY_PATH', config.encryption.keyPath],
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
  return existsSync(path) || existsSync(dirname(path))
    ? fine('data', path)
    : fault('data', `${path} cannot be made: its parent does not exist`, 'create it, or set DATA_DIR');
};

const MARK = { ok: 'ok  ', warning: 'warn', fault: 'FAIL' } as const;

export const doctorCommand: Command = {
  name: 'doctor',
  summary: 'Say what is wrong, and the next step.',
  usage: 'doctor [OPTIONS]',
  help: `Looks at the configuration, the stores, the database role, migrations, key files, certificates and the clock.
Changes nothing. Exit code 0 when nothing is wrong, 1 otherwise.

${CONFIG_HELP}`,
  async run(argv, terminal) {
    const { config } = configuration(argv, terminal);
    const findings = [
      ...settings(config),
      dataDir(config),
      ...(await postgres(config)),
      await redis(config),
      ...keys(config),
      ...(await certificate(config)),
    ];
    for (const one of findings) {
      terminal.out(`${MARK[one.state]}  ${one.name}: ${one.detail}`);
      if (one.next !== '') terminal.out(`      next: ${one.next}`);
    }
    const wrong = findings.filter((one) => one.state === 'fault').length;
    if (wrong > 0) throw new Fault('FAILED_PRECONDITION', 'UNHEALTHY', `${wrong} thing(s) to mend`);
    return 0;
  },
};
