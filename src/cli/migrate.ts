// `security-hub migrate [plan]`: brings the database to this release, or says what that would mean.
import { Fault } from '../base/fault.ts';
import { loginOf, migrate, migrationStatus } from '../storage/migrate.postgres.ts';
import { type Command, didYouMean, usageFault } from './command.ts';
import { CONFIG_HELP, configuration } from './configuration.ts';

export const migrateCommand: Command = {
  usage: 'migrate [plan] [OPTIONS]',
  help: `migrate        applies what is pending, one transaction a file; safe to run twice and at the same time
migrate plan   prints what is pending and changes nothing; exit code 0 when nothing is, else 1

Uses MIGRATION_POSTGRES_URI (an owner of the tables, directly, not through a pooler), else POSTGRES_URI.
The embedded database is migrated by serve.

${CONFIG_HELP}`,
  async run(argv, terminal) {
    const [word, ...rest] = argv;
    const plan = word === 'plan';
    if (word !== undefined && !plan && !word.startsWith('--'))
      throw usageFault(`migrate does not know ${word}${didYouMean(word, ['plan'])}`);
    const { storage } = configuration(plan ? rest : argv, terminal).config;
    const uri = storage.migrationPostgresUri || storage.postgresUri;
    if (uri === '')
      throw new Fault(
        'FAILED_PRECONDITION',
        'CONFIG_INVALID',
        'set MIGRATION_POSTGRES_URI or POSTGRES_URI: the embedded database is migrated by serve',
      );

    if (plan) {
      const { pending, ahead } = await migrationStatus(uri);
      for (const file of pending) terminal.out(`pending  ${file.name}`);
      for (const row of ahead) terminal.out(`ahead    ${row.name} (a newer release applied it; this one works beside it)`);
      terminal.out(pending.length === 0 ? 'nothing is pending' : `${pending.length} pending: run security-hub migrate`);
      return pending.length === 0 ? 0 : 1;
    }
    const login = storage.postgresUri === '' ? '' : loginOf(storage.postgresUri);
    const applied = await migrate({ uri, ...(login === '' ? {} : { login }) });
    for (const name of applied) terminal.out(`applied  ${name}`);
    terminal.out(applied.length === 0 ? 'nothing was pending' : `${applied.length} applied`);
    return 0;
  },
};
