// `security-hub version`: what this is and what it runs on.
import { readFileSync } from 'node:fs';
import type { Command } from './command.ts';

/** The version of the package this file belongs to. */
export const productVersion = (): string =>
  (JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }).version;

export const versionCommand: Command = {
  name: 'version',
  summary: 'Print the version.',
  usage: 'version',
  help: 'Prints the version of Security Hub, of Node and of OpenSSL.',
  run: (_argv, terminal) => {
    terminal.out(`security-hub ${productVersion()} (node ${process.versions.node}, openssl ${process.versions.openssl})`);
    return Promise.resolve(0);
  },
};
