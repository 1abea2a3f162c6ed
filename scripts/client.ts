// Builds the published client into dist/npm/client, or where it is told: one CommonJS build that `require` and `import` share, with types for both.
import { execFileSync } from 'node:child_process';
import { cpSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

const root = join(import.meta.dirname, '..');
const out = process.argv[2] ?? join(root, 'dist/npm/client');
const WIRE = '@bufbuild/protobuf/wire';
const MAIN = './client/index';
const KYSELY = './client/row-filter.kysely';

rmSync(out, { recursive: true, force: true });
execFileSync(join(root, 'node_modules/.bin/tsc'), ['-p', 'tsconfig.client.json', '--outDir', out], { cwd: root, stdio: 'inherit' });

// The generated code reads and writes protobuf with these few files: they come along, so that a service takes no dependency for them.
const WIRE_FILES = ['wire/binary-encoding', 'wire/varint', 'wire/text-encoding', 'proto-int64'];
const protobuf = join(root, 'node_modules/@bufbuild/protobuf');
const vendored = join(out, 'vendor/protobuf');
mkdirSync(join(vendored, 'wire'), { recursive: true });
for (const file of WIRE_FILES.flatMap((name) => [`${name}.js`, `${name}.d.ts`]))
  cpSync(join(protobuf, 'dist/cjs', file), join(vendored, file));
const { version } = JSON.parse(readFileSync(join(protobuf, 'package.json'), 'utf8')) as { version: string };
const notice = `From @bufbuild/protobuf ${version} (https://github.com/bufbuild/protobuf-es), unchanged.\nApache-2.0 AND BSD-3-Clause, as the head of each file says.\n`;
writeFileSync(join(vendored, 'NOTICE'), notice);

for (const file of globSync('**/*.{js,d.ts}', { cwd: out, exclude: ['vendor/**'] })) {
  const text = readFileSync(join(out, file), 'utf8');
  const wire = relative(join(out, dirname(file)), join(vendored, `${WIRE_FILES[0]}.js`));
  // tsc leaves the .ts endings of imports in declarations as they are.
  const plain = file.endsWith('.d.ts') ? text.replace(/((?:from|import\()\s*['"]\.[^'"]*)\.ts(['"])/g, '$1.js$2') : text;
  writeFileSync(join(out, file), plain.replaceAll(`"${WIRE}"`, `"${wire}"`).replaceAll(`'${WIRE}'`, `'${wire}'`));
}

// tsc compiles what is imported for its types alone as well: only what is used goes out.
const used = (first: string, ending: string, pattern: RegExp): ReadonlySet<string> => {
  const found = new Set<string>();
  const follow = (file: string): void => {
    if (found.has(file)) return;
    found.add(file);
    for (const match of readFileSync(join(out, file), 'utf8').matchAll(pattern))
      follow(join(dirname(file), match[1] ?? '').replace(/\.js$/, ending));
  };
  follow(first);
  return found;
};
const kept = new Set(
  [MAIN, KYSELY].flatMap((name) => [
    ...used(join(`${name}.js`), '.js', /require\("(\.[^"]+)"\)/g),
    ...used(join(`${name}.d.ts`), '.d.ts', /(?:from|import\()\s*['"](\.[^'"]+)['"]/g),
  ]),
);
for (const file of globSync('**/*.{js,d.ts}', { cwd: out })) if (!kept.has(file)) rmSync(join(out, file));

// Node finds the names of a CommonJS module by reading it; ours are stated, so that nothing is left to guessing.
const names = [...readFileSync(join(out, `${MAIN}.js`), 'utf8').matchAll(/^Object\.defineProperty\(exports, "(\w+)"/gm)]
  .map((match) => match[1] ?? '')
  .filter((name) => name !== '__esModule');
writeFileSync(join(out, 'index.mjs'), `import client from '${MAIN}.js';\n\nexport const { ${names.join(', ')} } = client;\n`);
writeFileSync(join(out, 'index.d.mts'), `export * from '${MAIN}.js';\n`);

const manifest = JSON.parse(readFileSync(join(root, 'src/client/package.json'), 'utf8')) as Record<string, unknown>;
const published = {
  ...manifest,
  type: 'commonjs',
  main: `${MAIN}.js`,
  types: `${MAIN}.d.ts`,
  exports: {
    '.': {
      import: { types: './index.d.mts', default: './index.mjs' },
      require: { types: `${MAIN}.d.ts`, default: `${MAIN}.js` },
    },
    './kysely': { types: `${KYSELY}.d.ts`, default: `${KYSELY}.js` },
    './package.json': './package.json',
  },
  sideEffects: false,
};
writeFileSync(join(out, 'package.json'), `${JSON.stringify(published, null, 2)}\n`);
cpSync(join(root, 'src/client/README.md'), join(out, 'README.md'));
cpSync(join(root, 'LICENSE'), join(out, 'LICENSE'));
