// The configuration of a command: default, file, environment, flags.
import { flagsOf, type Loaded } from '../server/config/load.ts';
import { loadConfig, schema } from '../server/config/schema.ts';
import { readTextFile } from '../server/config/secrets.file.ts';
import { type Terminal, usageFault } from './command.ts';

export const CONFIG_HELP = `Every setting is an environment variable and an option: GRPC_PORT is --grpc-port. security-hub config lists them.`;

/** What the options say; what is none of ours is a usage fault. */
export const flagsOrFault = (argv: readonly string[]): Readonly<Record<string, string>> => {
  const { flags, problems } = flagsOf(schema, argv);
  if (problems.length > 0) throw usageFault(problems.join('\n'));
  return flags;
};

/**
 * Unknown options are a usage fault; every problem of the values comes at once (FAILED_PRECONDITION / CONFIG_INVALID);
 * near misses of names in the environment go to the terminal as warnings.
 */
export const configuration = (argv: readonly string[], terminal: Terminal): Loaded<typeof schema> => {
  const loaded = loadConfig({ environment: terminal.env, flags: flagsOrFault(argv), readFile: readTextFile });
  for (const warning of loaded.warnings) terminal.err(`warning: ${warning}`);
  return loaded;
};
