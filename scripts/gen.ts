// Everything that is generated and committed: stubs and the descriptor set. `--check` fails when a file is stale.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import type { DescService } from '@bufbuild/protobuf';
import { MethodOptions_IdempotencyLevel } from '@bufbuild/protobuf/wkt';
import { readDescriptors } from '../src/server/descriptors/registry.ts';

const root = join(import.meta.dirname, '..');
const buf = (...args: string[]): void => {
  execFileSync(join(root, 'node_modules/.bin/buf'), args, { cwd: root, stdio: 'inherit' });
};

const servicesOf = (descriptors: Uint8Array): readonly DescService[] =>
  [...readDescriptors(descriptors).registry]
    .filter((type): type is DescService => type.kind === 'service' && type.typeName.startsWith('securityhub.'))
    .toSorted((a, b) => (a.typeName < b.typeName ? -1 : 1));

/** The methods whose `idempotency_level` lets a client send a call again: the stubs do not carry it. */
const idempotent = (services: readonly DescService[]): string => {
  const lines = services.flatMap((service) =>
    service.methods
      .filter((method) => method.idempotency !== MethodOptions_IdempotencyLevel.IDEMPOTENCY_UNKNOWN)
      .map((method) => `  '${service.typeName}/${method.name}',\n`),
  );
  return `// Generated from the protos' idempotency_level. DO NOT EDIT.\n\nexport const IDEMPOTENT: readonly string[] = [\n${lines.join('')}];\n`;
};

const lowerFirst = (name: string): string => name.replace(/^./, (letter) => letter.toLowerCase());

/** Every service under the name it has in the client (`TokenService` → `token`), with what holds the messages of its requests. */
const services = (all: readonly DescService[]): string => {
  const named = all.map((service) => ({ service, alias: lowerFirst(service.name.replace(/Service$/, '')) }));
  const aliases = new Map(named.map(({ service, alias }) => [service.file.name, alias]));
  const aliasOf = (file: string): string => {
    const known = aliases.get(file) ?? file.slice(file.lastIndexOf('/') + 1).replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
    aliases.set(file, known);
    return known;
  };
  const lines = named.map(({ service, alias }) => {
    const others = new Set(service.methods.map(({ input }) => input.file.name).filter((file) => file !== service.file.name));
    const module = others.size === 0 ? alias : `{ ${[alias, ...[...others].map(aliasOf)].map((one) => `...${one}`).join(', ')} }`;
    return `  ${alias}: { definition: ${alias}.${service.name}Service, module: ${module} },\n`;
  });
  const imports = [...aliases].map(([file, alias]) => `import * as ${alias} from './${file}.ts';\n`).toSorted();
  return `// Generated: every service of the contract. DO NOT EDIT.\n\n${imports.join('')}\nexport const SERVICES = {\n${lines.join('')}} as const;\n`;
};

/** Writes the stubs, the descriptor set (with imports, comments and options) and the lists for the client below `out`. */
const generate = (out: string): void => {
  rmSync(join(out, 'src/gen'), { recursive: true, force: true });
  buf('generate', '--output', out);
  const descriptors = join(out, 'src/gen/descriptors.binpb');
  buf('build', '--as-file-descriptor-set', '--output', descriptors);
  const all = servicesOf(readFileSync(descriptors));
  writeFileSync(join(out, 'src/gen/idempotent.ts'), idempotent(all));
  writeFileSync(join(out, 'src/gen/services.ts'), services(all));
};

const filesBelow = (folder: string): Map<string, Buffer> =>
  new Map(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((file) => [relative(folder, file), readFileSync(file)]),
  );

if (process.argv.includes('--check')) {
  const fresh = mkdtempSync(join(tmpdir(), 'security-hub-gen-'));
  generate(fresh);
  const wanted = filesBelow(join(fresh, 'src/gen'));
  const found = filesBelow(join(root, 'src/gen'));
  const stale = [...new Set([...wanted.keys(), ...found.keys()])].filter(
    (file) => !wanted.get(file)?.equals(found.get(file) ?? Buffer.alloc(0)),
  );
  rmSync(fresh, { recursive: true });
  if (stale.length > 0) {
    console.error(`stale: ${stale.map((file) => `src/gen/${file}`).join(', ')}. Run npm run gen and commit the result.`);
    process.exit(1);
  }
} else {
  generate(root);
}
