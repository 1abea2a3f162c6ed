// The table of commands, help, and the one place that turns a fault into an exit code.
import { inspect } from 'node:util';
import { type Fault, toFault } from '../base/fault.ts';
import { callCommand } from './call.ts';
import { type Command, didYouMean, type Terminal } from './command.ts';
import { doctorCommand } from './doctor.ts';
import { initCommand } from './init.ts';
import { migrateCommand } from './migrate.ts';
import { recoverCommand } from './recover.ts';
import { serveCommand } from './serve.ts';
import { versionCommand } from './version.ts';

const COMMANDS: readonly Command[] = [
  serveCommand,
  migrateCommand,
  initCommand,
  callCommand,
  doctorCommand,
  recoverCommand,
  versionCommand,
];

const overview = (): string =>
  [
    'security-hub: tokens, permissions, encryption and certificates for what happens between your own services.',
    '',
    'Usage: security-hub COMMAND [OPTIONS]',
    '',
    ...COMMANDS.map((command) => `  ${command.name.padEnd(9)} ${command.summary}`),
    '',
    'security-hub COMMAND --help says more. The configuration is described in docs/config.md.',
  ].join('\n');

const helpOf = (command: Command): string => `Usage: security-hub ${command.usage}\n\n${command.summary}\n\n${command.help}`;

/** A store that is away, or does not let us in. */
const doctorKnows = ({ reason }: Fault): boolean => reason === 'STORE_UNAVAILABLE' || reason === 'STORE_REFUSED';

const wantsHelp = (argv: readonly string[]): boolean => argv.includes('--help') || argv.includes('-h');

export const run = async (argv: readonly string[], terminal: Terminal): Promise<number> => {
  const [name, ...rest] = argv;
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
    terminal.out(overview());
    return name === undefined ? 2 : 0;
  }
  if (name === '--version' || name === '-v') return versionCommand.run([], terminal);
  const command = COMMANDS.find((one) => one.name === name);
  if (command === undefined) {
    const names = COMMANDS.map((one) => one.name);
    terminal.err(`security-hub: no command ${name}${didYouMean(name, names)}`);
    terminal.err(`Commands: ${names.join(', ')}. security-hub --help says more.`);
    return 2;
  }
  if (wantsHelp(rest)) {
    terminal.out(helpOf(command));
    return 0;
  }
  try {
    return await command.run(rest, terminal);
  } catch (error) {
    const fault = toFault(error);
    // An internal error on a terminal is somebody's own machine: the cause helps, and nobody else sees it.
    const cause = fault.code === 'INTERNAL' ? `: ${inspect(fault.cause)}` : '';
    terminal.err(`security-hub ${name}: ${fault.message}${cause}`);
    const usage = fault.reason === 'USAGE';
    if (usage) terminal.err(`Usage: security-hub ${command.usage}\nsecurity-hub ${name} --help says more.`);
    else if (doctorKnows(fault)) terminal.err('security-hub doctor, with the same settings, says what is wrong and the next step.');
    return usage ? 2 : 1;
  }
};
