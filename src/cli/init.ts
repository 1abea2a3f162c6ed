// `security-hub init`: the first tenant of an installation, without anybody having had a password before.
import { createApp } from '../app.ts';
import { Fault } from '../base/fault.ts';
import { type Command, usageFault } from './command.ts';
import { localCall } from './local-call.ts';
import { CONFIG_HELP, configuration } from './configuration.ts';

const take = (argv: readonly string[], name: string): { readonly value: string | undefined; readonly rest: readonly string[] } => {
  const at = argv.indexOf(`--${name}`);
  if (at < 0) return { value: undefined, rest: argv };
  const value = argv[at + 1];
  if (value === undefined || value.startsWith('--')) throw usageFault(`--${name} needs a value`);
  return { value, rest: argv.toSpliced(at, 2) };
};

export const initCommand: Command = {
  name: 'init',
  summary: 'Make the first tenant and its owner in production.',
  usage: 'init [--redeem TOKEN --tenant ID --username NAME] [OPTIONS]',
  help: `init                   prints a single-use set-up token, good for 15 minutes
init --redeem TOKEN --tenant ID --username NAME [--namespace NAME]
                       makes the tenant, its owner and the owner's API key, and prints the secrets once
                       the password is read from SETUP_PASSWORD; without it one is made up

Needs the database and the master key, as serve does. Both steps are audited.

${CONFIG_HELP}`,
  async run(argv, terminal) {
    const redeem = take(argv, 'redeem');
    const tenant = take(redeem.rest, 'tenant');
    const username = take(tenant.rest, 'username');
    const namespace = take(username.rest, 'namespace');
    if ((redeem.value === undefined) !== (tenant.value === undefined) || (redeem.value === undefined) !== (username.value === undefined))
      throw usageFault('--redeem, --tenant and --username belong together');
    const { config } = configuration(namespace.rest, terminal);
    if (config.storage.postgresUri === '')
      throw new Fault('FAILED_PRECONDITION', 'CONFIG_INVALID', 'set POSTGRES_URI: on embedded stores serve makes the tenant dev by itself');
    const app = await createApp(config);
    try {
      await app.open.start();
      if (redeem.value === undefined) {
        const { token, expiresAt } = await app.identity.createSetupToken(Date.now());
        terminal.out(`set-up token: ${token}`);
        terminal.out(`good once, until ${new Date(expiresAt).toISOString()}. Next:`);
        terminal.out(`  security-hub init --redeem ${token} --tenant ID --username NAME --namespace default`);
        return 0;
      }
      const created = await app.identity.redeemSetupToken(
        redeem.value,
        {
          tenantId: tenant.value ?? '',
          namespaces: namespace.value === undefined ? [] : [namespace.value],
          username: username.value ?? '',
          password: terminal.env['SETUP_PASSWORD'] ?? '',
          roles: ['owner', 'operator'],
        },
        localCall('init', app.platform.random),
      );
      terminal.out(
        JSON.stringify(
          { tenant_id: created.tenantId, username: created.username, password: created.password, api_key: created.apiKey },
          null,
          2,
        ),
      );
      terminal.out('Keep these: they are not shown again.');
      return 0;
    } finally {
      await app.open.stop();
    }
  },
};
