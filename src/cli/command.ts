// What a command is, and how its words are read.
import { parseArgs, type ParseArgsConfig } from 'node:util';
import { Fault } from '../base/fault.ts';

export interface Terminal {
  out(text: string): void;
  err(text: string): void;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface Command {
  readonly name: string;
  /** One line for the list. */
  readonly summary: string;
  /** What `--help` prints below the usage line. */
  readonly usage: string;
  readonly help: string;
  /** The exit code: 0 done, 1 it failed, 2 the words were wrong. */
  run(argv: readonly string[], terminal: Terminal): Promise<number>;
}

export const usageFault = (message: string): Fault => new Fault('INVALID_ARGUMENT', 'USAGE', message);

/** Options and words of a command; what it does not know is a usage fault. */
export const words = <O extends NonNullable<ParseArgsConfig['options']>>(argv: readonly string[], options: O) => {
  try {
    return parseArgs({ args: [...argv], options, allowPositionals: true, strict: true });
  } catch (error) {
    throw usageFault((error as Error).message.split('. ')[0] ?? 'unknown option');
  }
};
