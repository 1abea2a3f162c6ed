// Joins default, file, environment and flags into one configuration; says everything that is wrong at once.
import { Fault } from '../../base/fault.ts';
import { nearest } from '../../base/distance.ts';
import type { Field, Slice, Values } from './field.ts';

export type Schema = Readonly<Record<string, Slice>>;
export type ConfigOf<S extends Schema> = { readonly [K in keyof S]: Values<S[K]> };

export interface Sources {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** What `flagsOf` read from the command line: variable name → value. */
  readonly flags: Readonly<Record<string, string>>;
  /** The text of a file; throws when it cannot be read. */
  readonly readFile: (path: string) => string;
}

export interface Loaded<S extends Schema> {
  readonly config: ConfigOf<S>;
  readonly warnings: readonly string[];
}

type Layer = Readonly<Record<string, string | undefined>>;

/** What a setting is, and who says so. */
export interface InForce {
  readonly text: string;
  readonly from: 'flag' | 'environment' | 'file' | 'default';
}

const LAYERS = ['flag', 'environment', 'file'] as const;

const fieldsOf = (schema: Schema): readonly Field<unknown>[] => Object.values(schema).flatMap((slice) => Object.values(slice));

/** `--http-port 8005`, `--http-port=8005`, `--gdpr-mode` (true). What is not a known name is a problem. */
export const flagsOf = (
  schema: Schema,
  argv: readonly string[],
): { readonly flags: Record<string, string>; readonly problems: readonly string[] } => {
  const known = new Set(namesOf(schema));
  const flags: Record<string, string> = {};
  const problems: string[] = [];
  for (let at = 0; at < argv.length; at += 1) {
    const word = argv[at] ?? '';
    const [flag = '', ...rest] = word.split('=');
    const name = flag.slice(2).toUpperCase().replaceAll('-', '_');
    if (!flag.startsWith('--') || !known.has(name)) {
      const near = nearest(name, known);
      problems.push(`${word}: no such option${near === null ? '' : `; did you mean --${near.toLowerCase().replaceAll('_', '-')}?`}`);
      // Its value is no mistake of its own.
      if (flag.startsWith('--') && rest.length === 0 && argv[at + 1]?.startsWith('--') === false) at += 1;
      continue;
    }
    const next = argv[at + 1];
    if (rest.length > 0) flags[name] = rest.join('=');
    else if (next === undefined || next.startsWith('--')) flags[name] = 'true';
    else {
      flags[name] = next;
      at += 1;
    }
  }
  return { flags, problems };
};

/** Every name that may be set: the fields, and `<NAME>_FILE` of each secret. */
export const namesOf = (schema: Schema): readonly string[] =>
  fieldsOf(schema).flatMap((field) => (field.secret ? [field.name, `${field.name}_FILE`] : [field.name]));

/** The text of a configuration file: one JSON object of plain values, or NAME=value lines with # comments. */
const parseFile = (content: string): { readonly values: Record<string, string>; readonly problems: readonly string[] } => {
  const values: Record<string, string> = {};
  const problems: string[] = [];
  if (content.trimStart().startsWith('{')) {
    let parsed: unknown;
    try {
      parsed = JSON.parse(content);
    } catch {
      return { values, problems: ['is not valid JSON'] };
    }
    for (const [name, value] of Object.entries(parsed as object)) {
      if (['string', 'number', 'boolean'].includes(typeof value)) values[name] = String(value);
      else problems.push(`${name} must be text, a number, true or false`);
    }
    return { values, problems };
  }
  content.split('\n').forEach((raw, index) => {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) return;
    const match = /^([A-Z][A-Z0-9_]*)\s*=\s*(?:"([^"]*)"|'([^']*)'|(.*))$/.exec(line);
    if (match === null) problems.push(`line ${index + 1} is not NAME=value`);
    else values[match[1] ?? ''] = (match[2] ?? match[3] ?? match[4] ?? '').trim();
  });
  return { values, problems };
};

const fileLayer = (schema: Schema, sources: Sources, problems: string[]): Layer => {
  const path = sources.flags['CONFIG_FILE'] ?? sources.environment['CONFIG_FILE'] ?? '';
  if (path === '') return {};
  let content: string;
  try {
    content = sources.readFile(path);
  } catch {
    problems.push(`CONFIG_FILE: ${path} cannot be read`);
    return {};
  }
  const { values, problems: found } = parseFile(content);
  problems.push(...found.map((problem) => `${path}: ${problem}`));
  const known = new Set(namesOf(schema));
  for (const name of Object.keys(values)) {
    if (known.has(name) && name !== 'CONFIG_FILE') continue;
    const near = nearest(name, known);
    problems.push(`${path}: ${name} is not a name we know${near === null ? '' : `; did you mean ${near}?`}`);
  }
  return values;
};

/** The strongest layer that says something about the field; an empty value says nothing. */
const find = (field: Field<unknown>, layers: readonly Layer[], readFile: Sources['readFile'], problems: string[]): InForce => {
  const standard: InForce = { text: field.default, from: 'default' };
  for (const [at, layer] of layers.entries()) {
    const from = LAYERS[at] ?? 'default';
    const direct = layer[field.name] ?? '';
    const path = field.secret ? (layer[`${field.name}_FILE`] ?? '') : '';
    if (direct !== '' && path !== '') problems.push(`${field.name}: set either it or ${field.name}_FILE, not both`);
    if (direct !== '') return { text: direct, from };
    if (path === '') continue;
    try {
      const text = readFile(path).replace(/\r?\n$/, '');
      if (text === '') problems.push(`${field.name}_FILE: ${path} is empty`);
      return { text, from };
    } catch {
      problems.push(`${field.name}_FILE: ${path} cannot be read`);
      return standard;
    }
  }
  return standard;
};

/** Every setting by its name, as far as it can be told: what is wrong with it, `load` says. */
export const inForce = (schema: Schema, sources: Sources): ReadonlyMap<string, InForce> => {
  const unsaid: string[] = [];
  const layers: readonly Layer[] = [sources.flags, sources.environment, fileLayer(schema, sources, unsaid)];
  return new Map(fieldsOf(schema).map((field) => [field.name, find(field, layers, sources.readFile, unsaid)]));
};

/** Names in the environment that look like a slip of one of ours. */
const nearMisses = (schema: Schema, environment: Sources['environment']): readonly string[] => {
  const known = new Set(namesOf(schema));
  return Object.keys(environment).flatMap((name) => {
    const near = known.has(name) ? null : nearest(name, known);
    return near === null || (environment[near] ?? '') !== '' ? [] : [`${name} is not a name we know; did you mean ${near}?`];
  });
};

/** The configuration, or every problem in one Fault (FAILED_PRECONDITION / CONFIG_INVALID), a line each. */
export const load = <S extends Schema>(schema: S, sources: Sources, flagProblems: readonly string[] = []): Loaded<S> => {
  const problems: string[] = [...flagProblems];
  const layers: readonly Layer[] = [sources.flags, sources.environment, fileLayer(schema, sources, problems)];
  const config: Record<string, Record<string, unknown>> = {};
  for (const [sliceName, slice] of Object.entries(schema)) {
    const values: Record<string, unknown> = {};
    for (const [key, field] of Object.entries(slice)) {
      const { text } = find(field, layers, sources.readFile, problems);
      const parsed = field.parse(text);
      if ('value' in parsed) values[key] = parsed.value;
      else problems.push(`${field.name} ${parsed.problem}${field.secret ? '' : ` (is ${JSON.stringify(text)})`}`);
    }
    config[sliceName] = values;
  }
  if (problems.length > 0) throw configFault(problems);
  return { config: config as ConfigOf<S>, warnings: nearMisses(schema, sources.environment) };
};

const configFault = (problems: readonly string[]): Fault =>
  new Fault(
    'FAILED_PRECONDITION',
    'CONFIG_INVALID',
    `the configuration has ${problems.length} problem(s):\n${problems.map((p) => `  - ${p}`).join('\n')}`,
  );
