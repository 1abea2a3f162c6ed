// The configuration of a command: default, file, environment, flags.
import { flagsOf, type Loaded } from '../server/config/load.ts';
import { loadConfig, schema } from '../server/config/schema.ts';
import { readTextFile } from '../server/config/secrets.file.ts';
import { type Terminal, usageFault } from './command.ts';

export const CONFIG_HELP = `Every name of docs/config.md is an environment variable and an option: GRPC_PORT is --grpc-port.`;

/**
 * Unknown options are a usage fault; every problem of the values comes at once (FAILED_PRECONDITION / CONFIG_INVALID);
 * near misses of names in the environment go to the terminal as warnings.
 */
export const configuration = (argv: readonly string[], terminal: Terminal): Loaded<typeof schema> => {
  const { flags, problems } = flagsOf(schema, argv);
  if (problems.length > 0) throw usageFault(problems.join('\n'));
  const loaded = loadConfig({ environment: terminal.env, flags, readFile: readTextFile });
  for (const warning of loaded.warnings) terminal.err(`warning: ${warning}`);
  return loaded;
};
