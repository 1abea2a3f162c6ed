// The client installed as npm would put it, without asking a registry.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');

/** Builds and packs the client and installs it into an empty folder, whose path it answers. */
export const install = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'security-hub-npm-'));
  const built = join(folder, 'built');
  execFileSync(process.execPath, [join(root, 'scripts/client.ts'), built], { stdio: 'inherit' });
  const packing = ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder];
  const packed = execFileSync('npm', packing, { cwd: built, encoding: 'utf8' });
  const own = join(folder, 'node_modules/security-hub-client');
  mkdirSync(own, { recursive: true });
  execFileSync('tar', ['-xzf', join(folder, packed.trim()), '-C', own, '--strip-components=1']);
  mkdirSync(join(folder, 'node_modules/@grpc'));
  for (const name of ['grpc-js', 'proto-loader'])
    symlinkSync(join(root, 'node_modules/@grpc', name), join(folder, 'node_modules/@grpc', name));
  return folder;
};

/** This Node, and the machine's own where it is one that the package is for. */
export const nodes = (): string[] => {
  const others = ['/usr/bin/node', '/usr/local/bin/node'].filter((node) => {
    try {
      const version = execFileSync(node, ['--version'], { encoding: 'utf8' });
      const [major = 0, minor = 0] = version.slice(1).split('.').map(Number);
      return major > 20 || (major === 20 && minor >= 19);
    } catch {
      return false;
    }
  });
  return [process.execPath, ...others];
};
