// Reads the fields of a node: what is missing, unknown or of the wrong kind becomes a problem with its place, never an exception.
import type { Entry, Node, Position, TextPosition } from './node.ts';

export interface FieldProblem extends Position {
  readonly field: string;
  readonly message: string;
  readonly next: string;
}

/** One document's reading: its problems, and where its texts stand. */
export interface Reading {
  readonly problems: FieldProblem[];
  /** By path, `<path>=<text>` for the texts of a list: for checks that come later. */
  readonly places: Map<string, TextPosition>;
}

export const newReading = (): Reading => ({ problems: [], places: new Map() });

export interface TextRule {
  readonly pattern?: RegExp;
  readonly max?: number;
  /** What would be right, for the next step. */
  readonly want: string;
}

/** An object under reading. `done` reports members that nobody asked for. */
export interface Fields {
  readonly path: string;
  readonly at: Position;
  text(name: string, rule: TextRule, fallback?: string): string;
  oneOf<T extends string>(name: string, values: readonly T[], fallback?: T): T | undefined;
  flag(name: string): boolean;
  texts(name: string, rule: TextRule, fallback?: readonly string[]): readonly string[];
  object(name: string): Fields | null;
  objects(name: string): readonly Fields[];
  /** Name and text of each member. */
  members(name: string, rule: TextRule): readonly (readonly [string, string])[];
  /** Any JSON value; undefined where it is left out. */
  value(name: string): unknown;
  /** The names of an object's members, each with its own fields. */
  named(name: string): readonly (readonly [string, Fields])[];
  has(name: string): boolean;
  problem(name: string, message: string, next: string): void;
  done(): void;
}

const MOST = 1000;

const kindOf = (node: Node): string => {
  if (node.kind === 'map') return 'an object';
  if (node.kind === 'list') return 'a list';
  if (node.kind === 'text') return 'a text';
  return node.value === null ? 'nothing' : `the ${typeof node.value} ${String(node.value)}`;
};

const plain = (node: Node): unknown => {
  if (node.kind === 'map') return Object.fromEntries(node.entries.map(({ key, value }) => [key, plain(value)]));
  return node.kind === 'list' ? node.items.map(plain) : node.value;
};

const nearest = (wanted: string, known: Iterable<string>): string => {
  const flat = (text: string): string => text.toLowerCase().replace(/[_-]|s$/g, '');
  const close = [...known].find((name) => flat(name) === flat(wanted));
  return close === undefined ? '' : `; did you mean ${close}?`;
};

export const readFields = (node: Node, path: string, reading: Reading): Fields | null => {
  const { problems, places } = reading;
  const say = (at: Position, field: string, message: string, next: string): void =>
    void problems.push({ line: at.line, column: at.column, field, message, next });
  if (node.kind !== 'map') {
    say(node.at, path, `is ${kindOf(node)}`, 'write an object with named fields');
    return null;
  }
  const entries = new Map(node.entries.map((entry) => [entry.key, entry]));
  const asked = new Set<string>();
  const pathOf = (name: string): string => (path === '' ? name : `${path}.${name}`);

  const take = (name: string): Node | undefined => {
    asked.add(name);
    const value = entries.get(name)?.value;
    return value === undefined || (value.kind === 'value' && value.value === null) ? undefined : value;
  };

  const textFrom = (value: Node, at: string, rule: TextRule): string | null => {
    if (value.kind !== 'text') {
      say(value.at, at, `is ${kindOf(value)}`, `write ${rule.want}${value.kind === 'value' ? ', in quotes' : ''}`);
      return null;
    }
    if (value.value.length > (rule.max ?? 256)) say(value.at, at, `is longer than ${rule.max ?? 256} characters`, `write ${rule.want}`);
    else if (rule.pattern !== undefined && !rule.pattern.test(value.value)) say(value.at, at, 'is not allowed here', `write ${rule.want}`);
    places.set(at, value.text);
    return value.value;
  };

  const listFrom = (name: string): readonly Node[] | null => {
    const value = take(name);
    if (value === undefined) return null;
    if (value.kind !== 'list') {
      say(value.at, pathOf(name), `is ${kindOf(value)}`, 'write a list');
      return null;
    }
    if (value.items.length > MOST) say(value.at, pathOf(name), `has more than ${MOST} items`, 'write fewer');
    return value.items;
  };

  const entriesOf = (name: string): readonly Entry[] => {
    const value = take(name);
    if (value === undefined) return [];
    if (value.kind === 'map') return value.entries;
    say(value.at, pathOf(name), `is ${kindOf(value)}`, 'write an object with named fields');
    return [];
  };

  return {
    path,
    at: node.at,
    has(name) {
      asked.add(name);
      return entries.has(name);
    },
    text(name, rule, fallback) {
      const value = take(name);
      if (value !== undefined) return textFrom(value, pathOf(name), rule) ?? '';
      if (fallback === undefined) say(node.at, pathOf(name), 'is missing', `write ${rule.want}`);
      return fallback ?? '';
    },
    oneOf(name, values, fallback) {
      const value = take(name);
      if (value === undefined) {
        if (fallback === undefined) say(node.at, pathOf(name), 'is missing', `write one of ${values.join(', ')}`);
        return fallback;
      }
      // YAML's own null, true and numbers are words here.
      const word = value.kind === 'text' ? value.value : value.kind === 'value' ? String(value.value) : '';
      const found = values.find((one) => one === word);
      if (found === undefined) say(value.at, pathOf(name), `is none of ${values.join(', ')}${nearest(word, values)}`, 'write one of them');
      return found;
    },
    flag(name) {
      const value = take(name);
      if (value === undefined) return false;
      if (value.kind === 'value' && typeof value.value === 'boolean') return value.value;
      say(value.at, pathOf(name), `is ${kindOf(value)}`, 'write true or false');
      return false;
    },
    texts(name, rule, fallback) {
      const items = listFrom(name);
      if (items === null) {
        if (fallback === undefined && !entries.has(name)) say(node.at, pathOf(name), 'is missing', `write a list of ${rule.want}`);
        return fallback ?? [];
      }
      // A text of a list is found again by what it says.
      for (const item of items) if (item.kind === 'text') places.set(`${pathOf(name)}=${item.value}`, item.text);
      return [...new Set(items.flatMap((item, index) => textFrom(item, `${pathOf(name)}[${index}]`, rule) ?? []))];
    },
    object(name) {
      const value = take(name);
      return value === undefined ? null : readFields(value, pathOf(name), reading);
    },
    objects: (name) => (listFrom(name) ?? []).flatMap((item, index) => readFields(item, `${pathOf(name)}[${index}]`, reading) ?? []),
    members: (name, rule) =>
      entriesOf(name).flatMap(({ key, value: one }): [string, string][] => {
        const text = textFrom(one, `${pathOf(name)}.${key}`, rule);
        return text === null ? [] : [[key, text]];
      }),
    value(name) {
      const value = take(name);
      return value === undefined ? undefined : plain(value);
    },
    named: (name) =>
      entriesOf(name).flatMap(({ key, value: one }): [string, Fields][] => {
        const fields = readFields(one, `${pathOf(name)}.${key}`, reading);
        return fields === null ? [] : [[key, fields]];
      }),
    problem(name, message, next) {
      const field = name === '' ? path : pathOf(name);
      const entry = entries.get(name);
      say(entry?.value.at ?? node.at, field, message, next);
    },
    done() {
      for (const { key, at } of node.entries)
        if (!asked.has(key))
          say(at, pathOf(key), `is not a field${nearest(key, asked)}`, `leave it out; known here: ${[...asked].join(', ')}`);
    },
  };
};
