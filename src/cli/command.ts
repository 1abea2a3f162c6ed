// What a command is, and how its words are read.
import { parseArgs, type ParseArgsConfig } from 'node:util';
import { Fault } from '../base/fault.ts';
import { nearest } from '../base/distance.ts';

export interface Terminal {
  out(text: string): void;
  err(text: string): void;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface Command {
  /** What `--help` prints below the usage line. */
  readonly usage: string;
  readonly help: string;
  /** The exit code: 0 done, 1 it failed, 2 the words were wrong. */
  run(argv: readonly string[], terminal: Terminal): Promise<number>;
}

export const usageFault = (message: string): Fault => new Fault('INVALID_ARGUMENT', 'USAGE', message);

/** `; did you mean x?`, or nothing where no known name is near. */
export const didYouMean = (given: string, known: Iterable<string>): string => {
  const near = nearest(given, known);
  return near === null ? '' : `; did you mean ${near}?`;
};

/** Options and words of a command; what it does not know is a usage fault. */
export const words = <O extends NonNullable<ParseArgsConfig['options']>>(argv: readonly string[], options: O) => {
  try {
    return parseArgs({ args: [...argv], options, allowPositionals: true, strict: true });
  } catch (error) {
    const said = (error as Error).message.split('. ')[0] ?? 'unknown option';
    const name = /^Unknown option '(--[^']+)'/.exec(said)?.[1] ?? '';
    throw usageFault(
      said +
        didYouMean(
          name,
          Object.keys(options).map((option) => `--${option}`),
        ),
    );
  }
};

/**
 * Takes a command's own options out of words that are otherwise the configuration's: `--name value` or `--name=value`,
 * and `--name` alone where it is one of `switches` (then 'true').
 */
export const takeOptions = <N extends string>(
  argv: readonly string[],
  names: readonly N[],
  switches: readonly N[] = [],
): { readonly values: Readonly<Partial<Record<N, string>>>; readonly rest: readonly string[] } => {
  const values: Partial<Record<N, string>> = {};
  const rest: string[] = [];
  for (let at = 0; at < argv.length; at += 1) {
    const word = argv[at] ?? '';
    const name = names.find((one) => word === `--${one}` || word.startsWith(`--${one}=`));
    if (name === undefined) {
      rest.push(word);
      continue;
    }
    if (values[name] !== undefined) throw usageFault(`--${name} is given twice`);
    const next = argv[at + 1];
    if (word.includes('=')) values[name] = word.slice(name.length + 3);
    else if (switches.includes(name)) values[name] = 'true';
    else if (next === undefined || next.startsWith('--')) throw usageFault(`--${name} needs a value`);
    else {
      values[name] = next;
      at += 1;
    }
  }
  return { values, rest };
};
