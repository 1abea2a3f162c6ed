// `security-hub config`: every setting, what it is now, and who says so.
import { listing } from '../server/config/describe.ts';
import { inForce } from '../server/config/load.ts';
import { schema } from '../server/config/schema.ts';
import { readTextFile } from '../server/config/secrets.file.ts';
import { type Command, takeOptions } from './command.ts';
import { CONFIG_HELP, configuration, flagsOrFault } from './configuration.ts';

export const configCommand: Command = {
  usage: 'config [PART…] [--changed] [OPTIONS]',
  help: `config            every setting: the value in force, who says so, its kind, its meaning
config PART…      those whose names hold one of the parts: config tls port
config --changed  those that are not at their default

Secrets are not shown. Exit code 1 when the configuration has problems; they stand below the list.

${CONFIG_HELP}`,
  async run(argv, terminal) {
    const { values, rest } = takeOptions(argv, ['changed'], ['changed']);
    const firstOption = rest.findIndex((word) => word.startsWith('--'));
    const parts = (firstOption === -1 ? rest : rest.slice(0, firstOption)).map((part) => part.toUpperCase().replaceAll('-', '_'));
    const options = rest.slice(parts.length);
    const flags = flagsOrFault(options);
    const told = inForce(schema, { environment: terminal.env, flags, readFile: readTextFile });
    const text = listing(
      schema,
      told,
      (name, { from }) =>
        (parts.length === 0 || parts.some((part) => name.includes(part))) && (values.changed === undefined || from !== 'default'),
    );
    terminal.out(text === '' ? 'no such setting' : text);
    configuration(options, terminal);
    return text === '' ? 1 : 0;
  },
};
