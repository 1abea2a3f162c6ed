// `security-hub recover`: after the database was restored to an earlier point, a new generation of the change feed.
import { createApp } from '../app.ts';
import { hours } from '../base/time.ts';
import { type Command, takeOptions, usageFault } from './command.ts';
import { CONFIG_HELP, configuration } from './configuration.ts';

export const recoverCommand: Command = {
  usage: 'recover --yes [OPTIONS]',
  help: `A database restored to an earlier point has forgotten what was revoked since. Replicas notice and are not ready.
This starts a new generation: every access and refresh token issued until now is refused, people log in again, and replicas become ready.
API keys and certificates revoked after that point are good again: revoke them once more.
Say --yes: it cannot be taken back.

Needs the database and the master key, as serve does.

${CONFIG_HELP}`,
  async run(argv, terminal) {
    const { values, rest } = takeOptions(argv, ['yes'], ['yes']);
    if (values.yes !== 'true') throw usageFault('this refuses every access and refresh token issued until now: say --yes');
    const { config } = configuration(rest, terminal);
    const app = await createApp(config);
    try {
      // As long as the longest life of a refresh token: one that was revoked after the backup must not come back to life.
      const seq = await app.recover(Date.now() + Math.max(hours(12), config.tokens.sessionLife));
      terminal.out(`new generation from number ${seq}; replicas will load it within seconds`);
      return 0;
    } finally {
      await app.close();
    }
  },
};
