// `security-hub call SERVICE/METHOD JSON`: one call from a terminal, JSON in and JSON out.
import { readFileSync } from 'node:fs';
import { ask, ASK_HELP, ASK_OPTIONS } from './ask.ts';
import { type Command, usageFault, words } from './command.ts';

export const callCommand: Command = {
  usage: "call SERVICE/METHOD ['JSON'] [OPTIONS]",
  help: `The request is proto3 JSON; - reads it from standard input, nothing is {}.
SERVICE may be short: SecurityHub/ValidateToken.

${ASK_HELP}`,
  async run(argv, terminal) {
    const { values, positionals } = words(argv, ASK_OPTIONS);
    const [name, request = '{}', surplus] = positionals;
    if (name === undefined || surplus !== undefined) throw usageFault('say SERVICE/METHOD and at most one request');
    const answer = await ask(name, request === '-' ? readFileSync(0, 'utf8') : request, values, terminal);
    terminal.out(JSON.stringify(answer, null, 2));
    return 0;
  },
};
