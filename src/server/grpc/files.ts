// A server certificate that somebody else renews: its files are read again when they change.
import { readFileSync } from 'node:fs';
import { watchSecret } from '../config/secrets.file.ts';
import type { Log } from '../platform.ts';
import type { ServerIdentity, TlsSource } from './credentials.ts';

export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
  /** '' = `ownCa`. */
  readonly ca: string;
}

/** `ownCa`: the authority whose client certificates name our workloads, where the files bring none. */
export const tlsFromFiles = (files: TlsFiles, ownCa: () => string, log: Log): TlsSource => {
  const paths = [files.cert, files.key, ...(files.ca === '' ? [] : [files.ca])];
  const read = (): ServerIdentity => {
    const [chain = '', key = '', ca] = paths.map((path) => readFileSync(path, 'utf8'));
    return { chain, key, ca: ca ?? ownCa() };
  };
  let identity = read();
  return {
    current: () => identity,
    onChange: (listener) =>
      watchSecret(
        paths,
        () => {
          identity = read();
          listener();
        },
        { onProblem: (path, cause) => log.warn({ path, cause }, 'the server certificate cannot be read; the old one stays') },
      ),
  };
};
