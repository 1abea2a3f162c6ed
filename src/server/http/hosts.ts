// Whom a Host header may name. A page that rebinds its own name to our address still sends its own name. Pure.

const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);

/** `host` is the header as sent, port and all; `known` are configured names, with a port only where that port alone is meant. */
export const knownHost = (host: string, known: readonly string[]): boolean => {
  const lower = host.toLowerCase();
  const name = lower.replace(/:\d+$/, '');
  return LOOPBACK.has(name) || known.some((one) => one.toLowerCase() === name || one.toLowerCase() === lower);
};
