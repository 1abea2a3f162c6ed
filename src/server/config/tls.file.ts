// The server's certificate from files that somebody else renews (TLS_CERT_PATH, TLS_KEY_PATH, TLS_CA_PATH), re-read on change.
import type { Millis } from '../../base/time.ts';
import type { ServerIdentity, TlsSource } from '../grpc/credentials.ts';
import type { Log } from '../platform.ts';
import { readTextFile, watchSecret } from './secrets.file.ts';

export interface TlsFiles {
  readonly certPath: string;
  readonly keyPath: string;
  /** '': callers' certificates are checked against `own` authority. */
  readonly caPath: string;
}

/** Throws when a file cannot be read now; later the last contents stay until all of them can be read again. */
export const tlsFromFiles = (
  { certPath, keyPath, caPath }: TlsFiles,
  own: TlsSource,
  log: Log,
  every?: Millis,
): TlsSource & { readonly stop: () => void } => {
  const read = (): Pick<ServerIdentity, 'chain' | 'key'> & { readonly ca: string | null } => ({
    chain: readTextFile(certPath),
    key: readTextFile(keyPath),
    ca: caPath === '' ? null : readTextFile(caPath),
  });
  let files = read();
  const listeners = new Set<() => void>();
  const stop = watchSecret(
    [certPath, keyPath, ...(caPath === '' ? [] : [caPath])],
    () => {
      files = read();
      log.info({ path: certPath }, 'the server certificate was read again');
      for (const listener of listeners) listener();
    },
    {
      ...(every === undefined ? {} : { every }),
      onProblem: (path, cause) => log.error({ path, cause }, 'the server certificate cannot be read; the old one stays'),
    },
  );
  return {
    current: () => ({ ...files, ca: files.ca ?? own.current().ca }),
    onChange(listener) {
      listeners.add(listener);
      const stopOwn = caPath === '' ? own.onChange(listener) : () => {};
      return () => {
        listeners.delete(listener);
        stopOwn();
      };
    },
    stop,
  };
};
