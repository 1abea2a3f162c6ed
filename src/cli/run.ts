// The table of commands, help, and the one place that turns a fault into an exit code.
import { inspect } from 'node:util';
import { type Fault, toFault } from '../base/fault.ts';
import { type Command, didYouMean, type Terminal } from './command.ts';
import { versionCommand } from './version.ts';

interface Listed {
  readonly name: string;
  /** One line for the list. */
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

// Loaded when they are called: what one command needs is no weight on the others, least of all on serve.
const COMMANDS: readonly Listed[] = [
  { name: 'serve', summary: 'Run the hub.', load: async () => (await import('./serve.ts')).serveCommand },
  { name: 'migrate', summary: 'Bring the database to this release.', load: async () => (await import('./migrate.ts')).migrateCommand },
  {
    name: 'init',
    summary: 'Make the first tenant and its owner in production.',
    load: async () => (await import('./init.ts')).initCommand,
  },
  { name: 'call', summary: 'Make one call and print its answer as JSON.', load: async () => (await import('./call.ts')).callCommand },
  {
    name: 'policy',
    summary: 'Check policies, run their tests, apply them.',
    load: async () => (await import('./policy.ts')).policyCommand,
  },
  { name: 'config', summary: 'List every setting and what it is now.', load: async () => (await import('./config.ts')).configCommand },
  { name: 'doctor', summary: 'Say what is wrong, and the next step.', load: async () => (await import('./doctor.ts')).doctorCommand },
  {
    name: 'recover',
    summary: 'After a restore of the database: start a new generation.',
    load: async () => (await import('./recover.ts')).recoverCommand,
  },
  { name: 'admin', summary: 'Let an owner of a tenant in again.', load: async () => (await import('./admin.ts')).adminCommand },
  { name: 'version', summary: 'Print the version.', load: async () => versionCommand },
];

const overview = (): string =>
  [
    'security-hub: tokens, permissions, encryption and certificates for what happens between your own services.',
    '',
    'Usage: security-hub COMMAND [OPTIONS]',
    '',
    ...COMMANDS.map((command) => `  ${command.name.padEnd(9)} ${command.summary}`),
    '',
    'security-hub COMMAND --help says more.',
  ].join('\n');

const helpOf = (summary: string, command: Command): string => `Usage: security-hub ${command.usage}\n\n${summary}\n\n${command.help}`;

/** An internal error on a terminal is somebody's own machine: the cause helps, and nobody else sees it. */
const ownFault = (cause: unknown): string => {
  const { syscall, message } = Object(cause) as Partial<NodeJS.ErrnoException>;
  // What the system refuses, a file or a port, says itself what it is about.
  return typeof syscall === 'string' && message !== undefined ? message : `internal error: ${inspect(cause)}`;
};

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
  const listed = COMMANDS.find((one) => one.name === name);
  if (listed === undefined) {
    const names = COMMANDS.map((one) => one.name);
    terminal.err(`security-hub: no command ${name}${didYouMean(name, names)}`);
    terminal.err(`Commands: ${names.join(', ')}. security-hub --help says more.`);
    return 2;
  }
  const command = await listed.load();
  if (wantsHelp(rest)) {
    terminal.out(helpOf(listed.summary, command));
    return 0;
  }
  try {
    return await command.run(rest, terminal);
  } catch (error) {
    const fault = toFault(error);
    terminal.err(`security-hub ${name}: ${fault.code === 'INTERNAL' ? ownFault(fault.cause) : fault.message}`);
    const usage = fault.reason === 'USAGE';
    if (usage) terminal.err(`Usage: security-hub ${command.usage}\nsecurity-hub ${name} --help says more.`);
    else if (doctorKnows(fault)) terminal.err('security-hub doctor, with the same settings, says what is wrong and the next step.');
    return usage ? 2 : 1;
  }
};
