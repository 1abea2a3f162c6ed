// Whether something answers at an address that a file names: the file may be older than whoever wrote it.
import { createConnection } from 'node:net';
import type { Millis } from '../base/time.ts';

/** On this machine an answer comes at once. */
const PATIENCE: Millis = 500;

/** `host:port`, IPv6 in brackets; false for what is no address. */
export const answersAt = (address: string): Promise<boolean> =>
  new Promise((resolve) => {
    const [, host, port] = /^\[?(.+?)\]?:(\d{1,5})$/.exec(address) ?? [];
    if (host === undefined || Number(port) > 65_535) return resolve(false);
    const socket = createConnection({ host, port: Number(port), timeout: PATIENCE });
    const tell = (answered: boolean) => (): void => {
      socket.destroy();
      resolve(answered);
    };
    socket.once('connect', tell(true)).once('error', tell(false)).once('timeout', tell(false));
  });
