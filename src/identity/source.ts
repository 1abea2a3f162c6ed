// Where a login comes from, as far as counting goes: one household is one source.
import { isIP } from 'node:net';

const groups = (side: string): readonly string[] => (side === '' ? [] : side.split(':'));

/** The eight groups of an IPv6 address as numbers; a dotted tail counts as two (RFC 4291 §2.2). */
const parsed = (address: string): readonly number[] => {
  const dotted = /(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address);
  const plain =
    dotted === null
      ? address
      : `${address.slice(0, dotted.index)}${((Number(dotted[1]) << 8) | Number(dotted[2])).toString(16)}:${((Number(dotted[3]) << 8) | Number(dotted[4])).toString(16)}`;
  const [head = '', tail] = plain.split('::');
  const [before, after] = [groups(head), tail === undefined ? [] : groups(tail)];
  const gap = Array.from({ length: tail === undefined ? 0 : 8 - before.length - after.length }, () => '0');
  return [...before, ...gap, ...after].map((group) => Number.parseInt(group, 16));
};

/**
 * IPv4 as it is, also where it is written as IPv6 (::ffff:…); IPv6 by its /64, of which one line of a provider has all addresses;
 * what is no address (a Unix socket) stays itself, bounded.
 */
export const sourceOfAddress = (address: string): string => {
  const bare = address.replace(/%.*$/, '');
  if (isIP(bare) !== 6) return bare.slice(0, 64);
  const all = parsed(bare);
  const [g6 = 0, g7 = 0] = all.slice(6);
  if (all.slice(0, 5).every((group) => group === 0) && all[5] === 0xffff) return `${g6 >> 8}.${g6 & 255}.${g7 >> 8}.${g7 & 255}`;
  return `${all
    .slice(0, 4)
    .map((group) => group.toString(16))
    .join(':')}::/64`;
};
