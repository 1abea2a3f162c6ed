// Where a hub is: what may be said in the clear, and what its certificate must say.
import { isIP } from 'node:net';

/** Only this machine hears it. */
export const isLocal = (address: string): boolean => /^(127\.|localhost(:|$)|\[::1\]|unix:|ipv4:127\.|ipv6:\[::1\])/.test(address);

/** The address of `10.0.0.1:50052` or `[::1]:50052`; null for a name. */
export const ipOf = (address: string): string | null => {
  const host = address
    .replace(/^ipv[46]:/, '')
    .replace(/:\d+$/, '')
    .replace(/^\[(.*)\]$/, '$1');
  return isIP(host) === 0 ? null : host;
};
