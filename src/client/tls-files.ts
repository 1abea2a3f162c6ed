// The PEM files of a client, read now and again whenever one of them changes.
import { readFileSync } from 'node:fs';
import { Fault } from '../base/fault.ts';
import { watchSecret } from '../server/config/secrets.file.ts';
import type { TlsFiles } from './options.ts';

export interface Pems {
  readonly ca: Buffer | null;
  readonly cert: Buffer | null;
  readonly key: Buffer | null;
}

const NAMES = ['ca', 'cert', 'key'] as const;

const refuse = (message: string, cause?: unknown): Fault => new Fault('INVALID_ARGUMENT', 'TLS_FILES_INVALID', message, { cause });

/** @throws Fault INVALID_ARGUMENT / TLS_FILES_INVALID */
export const readPems = (files: TlsFiles): Pems => {
  if ((files.cert === undefined) !== (files.key === undefined)) throw refuse('tls.cert and tls.key belong together');
  const read = (name: (typeof NAMES)[number]): Buffer | null => {
    const path = files[name];
    if (path === undefined) return null;
    try {
      return readFileSync(path);
    } catch (cause) {
      throw refuse(`tls.${name}: ${path} cannot be read (${(cause as { code?: string }).code ?? 'unknown'})`, cause);
    }
  };
  return { ca: read('ca'), cert: read('cert'), key: read('key') };
};

/** Calls `use` with the new contents; what it throws (a certificate whose key is not there yet) is tried again at the next look. */
export const watchPems = (files: TlsFiles, use: (pems: Pems) => void, onProblem: (message: string, cause: unknown) => void) => {
  const paths = NAMES.map((name) => files[name]).filter((path) => path !== undefined);
  if (paths.length === 0) return () => {};
  return watchSecret(paths, () => use(readPems(files)), {
    ...(files.reloadEvery === undefined ? {} : { every: files.reloadEvery }),
    onProblem: (path, cause) => onProblem(`${path} cannot be used; the old certificate stays`, cause),
  });
};
