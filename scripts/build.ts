// Compiles src into dist and copies what the code reads at run time: migrations and the descriptor set.
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, globSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
execFileSync(join(root, 'node_modules/.bin/tsc'), ['-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' });
for (const file of globSync('src/**/*.{sql,binpb}', { cwd: root })) cpSync(join(root, file), join(root, file.replace(/^src/, 'dist')));
chmodSync(join(root, 'dist/main.js'), 0o755);
