// Documents that are generated and committed. `--check` fails when one is stale.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { reference } from '../src/server/config/describe.ts';
import { schema } from '../src/server/config/schema.ts';

const root = join(import.meta.dirname, '..');
const documents: Readonly<Record<string, string>> = { 'docs/config.md': reference(schema) };

const onDisk = (file: string): string => {
  try {
    return readFileSync(join(root, file), 'utf8');
  } catch {
    return '';
  }
};

const stale = Object.entries(documents).filter(([file, text]) => onDisk(file) !== text);
if (!process.argv.includes('--check')) {
  for (const [file, text] of stale) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), text);
  }
} else if (stale.length > 0) {
  console.error(`stale: ${stale.map(([file]) => file).join(', ')}. Run node scripts/docs.ts and commit the result.`);
  process.exit(1);
}
