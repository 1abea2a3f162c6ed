// Fetches the engines we measure ourselves against into a folder of the user's cache: they are no dependency.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const VERSIONS = { casbin: '5.51.1', '@cerbos/cerbos-linux-x64': '0.55.0' } as const;

export interface Peers {
  readonly casbin: { readonly version: string; readonly path: string };
  /** null where there is no binary for this machine. */
  readonly cerbos: { readonly version: string; readonly path: string } | null;
}

/** Once a machine; again only for other versions. */
export const fetchPeers = (): Peers => {
  const hasCerbos = process.platform === 'linux' && process.arch === 'x64';
  const wanted = Object.entries(VERSIONS).filter(([name]) => hasCerbos || name === 'casbin');
  const folder = join(homedir(), '.cache/security-hub-bench', `${wanted.map(([, version]) => version).join('-')}`);
  const at = (path: string): string => join(folder, 'node_modules', path);
  const binary = at('@cerbos/cerbos-linux-x64/cerbos-linux-x64');
  if (!existsSync(at('casbin')) || (hasCerbos && !existsSync(binary))) {
    console.log(`fetching ${wanted.map(([name]) => name).join(' and ')} into ${folder} …`);
    const names = wanted.map(([name, version]) => `${name}@${version}`);
    execFileSync('npm', ['install', '--prefix', folder, '--no-audit', '--no-fund', '--ignore-scripts', '--silent', ...names]);
  }
  return {
    casbin: { version: VERSIONS.casbin, path: at('casbin/lib/cjs/index.js') },
    cerbos: hasCerbos ? { version: VERSIONS['@cerbos/cerbos-linux-x64'], path: binary } : null,
  };
};
