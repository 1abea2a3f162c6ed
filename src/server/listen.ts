// Opens a port or a socket; where that is refused, says which setting to change.
import type { Server } from 'node:net';
import { Fault } from '../base/fault.ts';

export type Where = { readonly host: string; readonly port: number } | { readonly path: string };

const CAUSES: Readonly<Record<string, string>> = {
  EADDRINUSE: 'is taken by another process: stop that, or',
  EACCES: 'may not be opened by this user:',
  EADDRNOTAVAIL: 'is no address of this machine:',
  ENOTFOUND: 'is no address of this machine:',
};

const refused = (where: Where, settings: string, cause: unknown): unknown => {
  const { code = '' } = Object(cause) as NodeJS.ErrnoException;
  const known = CAUSES[code];
  if (known === undefined) return cause;
  const place = 'path' in where ? where.path : `${where.host}:${where.port}`;
  return new Fault('FAILED_PRECONDITION', 'PORT_NOT_OPENED', `${place} ${known} change ${settings}`, { cause });
};

/** @param settings which say `where`. FAILED_PRECONDITION / PORT_NOT_OPENED names them. */
export const listen = (server: Server, where: Where, settings: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const fail = (cause: unknown): void => reject(refused(where, settings, cause));
    server.once('error', fail);
    server.listen(where, () => {
      server.off('error', fail);
      resolve();
    });
  });
