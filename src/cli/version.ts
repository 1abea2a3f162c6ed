// `security-hub version`: what this is and what it runs on.
import { readFileSync } from 'node:fs';
import { type Command, usageFault, words } from './command.ts';

/** The version of the package this file belongs to. */
const productVersion = (): string =>
  (JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }).version;

export const versionCommand: Command = {
  usage: 'version',
  help: 'Prints the version of Security Hub, of Node and of OpenSSL.',
  async run(argv, terminal) {
    const [surplus] = words(argv, {}).positionals;
    if (surplus !== undefined) throw usageFault(`version does not know ${surplus}`);
    terminal.out(`security-hub ${productVersion()} (node ${process.versions.node}, openssl ${process.versions.openssl})`);
    return 0;
  },
};
