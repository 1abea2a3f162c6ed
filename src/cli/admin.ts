// `security-hub admin recover`: an owner without a password, and nobody else who could set one.
import { createApp } from '../app.ts';
import { type Command, didYouMean, takeOptions, usageFault } from './command.ts';
import { CONFIG_HELP, configuration } from './configuration.ts';
import { localCall } from './local-call.ts';

export const adminCommand: Command = {
  usage: 'admin recover --tenant ID --username NAME [OPTIONS]',
  help: `admin recover --tenant ID --username NAME
                 gives that account a new password, makes it active, unlocked and an owner of its tenant, and ends what it had open.
                 The password is what SETUP_PASSWORD holds; without it one is made up and printed, once. Prints JSON.

It needs the database and the master key, as serve does, and is in the audit log as user.recovered.

${CONFIG_HELP}`,
  async run(argv, terminal) {
    const [word = '', ...words] = argv;
    if (word !== 'recover')
      throw usageFault(word === '' ? 'say admin recover' : `admin does not know ${word}${didYouMean(word, ['recover'])}`);
    const { values, rest } = takeOptions(words, ['tenant', 'username']);
    const { tenant, username } = values;
    if (tenant === undefined || username === undefined) throw usageFault('say --tenant and --username');
    const { config } = configuration(rest, terminal);
    const given = terminal.env['SETUP_PASSWORD'] ?? '';
    const app = await createApp(config);
    try {
      await app.open.start();
      const asked = { tenantId: tenant, username, password: given };
      const { userId, password } = await app.identity.recoverOwner(asked, localCall('admin recover', app.platform.random));
      const answer = { tenant_id: tenant, user_id: userId, username, ...(given === '' ? { password } : {}) };
      terminal.out(JSON.stringify(answer, null, 2));
      if (given === '') terminal.err('Keep the password: it is not shown again.');
      return 0;
    } finally {
      await app.open.stop();
    }
  },
};
