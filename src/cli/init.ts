// `security-hub init`: the first tenant of an installation, without anybody having had a password before.
import { createApp } from '../app.ts';
import { Fault } from '../base/fault.ts';
import { type Command, takeOptions, usageFault } from './command.ts';
import { CONFIG_HELP, configuration } from './configuration.ts';
import { localCall } from './local-call.ts';

export const initCommand: Command = {
  usage: 'init [--redeem TOKEN --tenant ID --username NAME [--namespace NAME,…]] [OPTIONS]',
  help: `init                   prints a single-use set-up token, good for 15 minutes (SETUP_TOKEN_SECONDS)
init --redeem TOKEN --tenant ID --username NAME [--namespace NAME,…]
                       makes the tenant with the namespaces it owns, and its owner, who may also make further tenants.
                       The password is what SETUP_PASSWORD holds; without it one is made up and printed, once.
                       Prints JSON; trust_bundle_pem is what callers verify the hub's own certificate with.

Run it where serve runs: it needs the database and the master key. What it makes is in the audit log.

${CONFIG_HELP}`,
  async run(argv, terminal) {
    const { values, rest } = takeOptions(argv, ['redeem', 'tenant', 'username', 'namespace']);
    const { redeem, tenant, username, namespace } = values;
    const redeeming = redeem !== undefined && tenant !== undefined && username !== undefined;
    if (!redeeming && Object.keys(values).length > 0) throw usageFault('--redeem, --tenant and --username belong together');
    const { config } = configuration(rest, terminal);
    if (config.storage.postgresUri === '')
      throw new Fault(
        'FAILED_PRECONDITION',
        'CONFIG_INVALID',
        'set POSTGRES_URI: on the embedded database serve makes the tenant dev by itself',
      );
    const app = await createApp(config);
    try {
      await app.open.start();
      if (!redeeming) {
        const { token, expiresAt } = await app.identity.createSetupToken(Date.now());
        terminal.out(`set-up token: ${token}`);
        terminal.out(`good once, until ${new Date(expiresAt).toISOString()}. Next:`);
        terminal.out(`  security-hub init --redeem ${token} --tenant ID --username NAME --namespace default`);
        return 0;
      }
      const password = terminal.env['SETUP_PASSWORD'] ?? '';
      const namespaces = (namespace ?? '').split(',').filter((one) => one !== '');
      const created = await app.identity.redeemSetupToken(
        redeem,
        { tenantId: tenant, namespaces, username, password, roles: ['owner', 'operator'] },
        localCall('init', app.platform.random),
      );
      const shown = password === '' ? { password: created.password } : {};
      const answer = { tenant_id: created.tenantId, username: created.username, ...shown, trust_bundle_pem: app.trustBundle() };
      terminal.out(JSON.stringify(answer, null, 2));
      if (password === '') terminal.err('Keep the password: it is not shown again.');
      return 0;
    } finally {
      await app.open.stop();
    }
  },
};
