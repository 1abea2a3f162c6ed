// What the ports speak, and a server certificate that somebody else renews: its files are read again when they change.
import { readFileSync } from 'node:fs';
import { tlsWanted } from '../config/refusals.ts';
import type { Config } from '../config/schema.ts';
import { watchSecret } from '../config/secrets.file.ts';
import type { Log } from '../platform.ts';
import type { ServerIdentity, TlsSource } from './credentials.ts';

export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
  /** '' = `ownCa`. */
  readonly ca: string;
}

/** `own`: the authority whose client certificates name our workloads, where the files bring none; its renewals are followed too. */
export const tlsFromFiles = (files: TlsFiles, own: Pick<TlsSource, 'current' | 'onChange'>, log: Log): TlsSource => {
  const withOwn = files.ca === '';
  const paths = [files.cert, files.key, ...(withOwn ? [] : [files.ca])];
  const read = (): ServerIdentity => {
    const [chain = '', key = '', ca] = paths.map((path) => readFileSync(path, 'utf8'));
    return { chain, key, ca: ca ?? own.current().ca };
  };
  let identity = read();
  return {
    current: () => identity,
    onChange(listener) {
      const change = (next: ServerIdentity): void => {
        identity = next;
        listener();
      };
      const onProblem = (path: string, cause: unknown): void =>
        log.warn({ path, cause }, 'the server certificate cannot be read; the old one stays');
      const ends = [watchSecret(paths, () => change(read()), { onProblem })];
      if (withOwn)
        ends.push(
          own.onChange(() => {
            const { ca } = own.current();
            if (ca !== identity.ca) change({ ...identity, ca });
          }),
        );
      return () => {
        for (const end of ends) end();
      };
    },
  };
};

/** For each port its certificate, from files or our own; null where it speaks in the clear. To be asked when `own` is there. */
export const portTls =
  ({ server, grpc }: Pick<Config, 'server' | 'grpc'>, own: TlsSource, log: Log) =>
  (): { readonly grpc: TlsSource | null; readonly http: TlsSource | null } => {
    const files = { cert: server.tlsCertPath, key: server.tlsKeyPath, ca: grpc.tlsCaPath };
    const wanted = (host: string): boolean => tlsWanted({ production: server.environment === 'production', tls: server.tls }, host);
    const of = (host: string): TlsSource | null => {
      if (!wanted(host)) return null;
      return files.cert === '' ? own : tlsFromFiles(files, own, log);
    };
    return { grpc: of(server.grpcHost), http: of(server.httpHost) };
  };
