// Everything that is generated and committed: stubs and the descriptor set. `--check` fails when a file is stale.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';

const root = join(import.meta.dirname, '..');
const buf = (...args: string[]): void => {
  execFileSync(join(root, 'node_modules/.bin/buf'), args, { cwd: root, stdio: 'inherit' });
};

/** Writes the stubs and the descriptor set (with imports, comments and options) below `out`. */
const generate = (out: string): void => {
  rmSync(join(out, 'src/gen'), { recursive: true, force: true });
  buf('generate', '--output', out);
  buf('build', '--as-file-descriptor-set', '--output', join(out, 'src/gen/descriptors.binpb'));
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
