// Prints the configuration: the reference for people, and what is in force for those at a terminal.
import type { Field } from './field.ts';
import type { InForce, Schema } from './load.ts';

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
const code = (text: string): string => (text === '' ? '' : `\`${cell(text)}\``);

const row = (field: Field<unknown>): string => {
  const names = field.secret ? `\`${field.name}\`, \`${field.name}_FILE\`` : `\`${field.name}\``;
  return `| ${names} | ${cell(field.type)} | ${code(field.default)} | ${cell(field.doc)} |`;
};

/** The page docs/config.md. */
export const reference = (schema: Schema): string => {
  const sections = Object.entries(schema).map(([name, slice]) =>
    [`## ${name}`, '', '| name | type | default | meaning |', '|---|---|---|---|', ...Object.values(slice).map(row), ''].join('\n'),
  );
  return `${[
    '# Configuration',
    '',
    'Generated from the code by `node scripts/docs.ts`; do not edit.',
    '',
    'A value is taken from the first of these that has one: a flag (`--http-port 8005`), the environment (`HTTP_PORT=8005`), the file',
    'named by `CONFIG_FILE` (`HTTP_PORT=8005` lines, or one JSON object), the default. An empty value counts as none.',
    'A secret may also be given as the path of a file that holds it, `<NAME>_FILE`. Files named by a setting that says so are read again',
    'when they change; anything else takes effect at the next start.',
    'Unknown names are refused in flags and in the file; in the environment a slip of a known name is reported at start.',
    'Every problem is reported at once, and nothing starts until all are gone.',
    '',
    ...sections,
  ]
    .join('\n')
    .trimEnd()}\n`;
};

const shown = (field: Field<unknown>, text: string): string => (field.secret && text !== '' ? '(set)' : text);

/** Two lines a setting: the value in force and who says so, then its kind and meaning. A secret is never shown. */
const told = (field: Field<unknown>, { text, from }: InForce): readonly string[] => [
  `${field.name}=${shown(field, text)}${from === 'default' ? '' : `   (${from}; default ${field.default === '' ? 'none' : field.default})`}`,
  `    ${field.secret ? `secret, or ${field.name}_FILE` : field.type}. ${field.doc}`,
];

/** The settings that `wanted` accepts, below the name of their slice. */
export const listing = (schema: Schema, values: ReadonlyMap<string, InForce>, wanted: (name: string, value: InForce) => boolean): string =>
  Object.entries(schema)
    .flatMap(([slice, fields]) => {
      const lines = Object.values(fields).flatMap((field) => {
        const value = values.get(field.name);
        return value !== undefined && wanted(field.name, value) ? told(field, value) : [];
      });
      return lines.length === 0 ? [] : [[`# ${slice}`, ...lines].join('\n')];
    })
    .join('\n\n');
