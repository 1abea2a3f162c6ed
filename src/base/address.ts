// Addresses in one spelling each, and the network one belongs to. Pure.
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

const hex = (numbers: readonly number[]): string => numbers.map((group) => group.toString(16)).join(':');

/** The first `size` groups of an IPv6 address, or all of an IPv4 one, also where it is written as IPv6; what is neither stays itself, bounded. */
const reduced = (address: string, size: number): { readonly text: string; readonly family: 4 | 6 | 0 } => {
  const bare = address.replace(/%.*$/, '');
  const family = isIP(bare);
  if (family !== 6) return { text: bare.slice(0, 64), family: family === 4 ? 4 : 0 };
  const all = parsed(bare);
  const [g6 = 0, g7 = 0] = all.slice(6);
  if (all.slice(0, 5).every((group) => group === 0) && all[5] === 0xffff)
    return { text: `${g6 >> 8}.${g6 & 255}.${g7 >> 8}.${g7 & 255}`, family: 4 };
  return { text: hex(all.slice(0, size)), family: 6 };
};

/** Two spellings of one address come out the same. */
export const canonicalAddress = (address: string): string => reduced(address, 8).text;

/** IPv4 as it is; IPv6 by its /64, of which one line of a provider has all addresses. */
export const sourceOfAddress = (address: string): string => {
  const { text, family } = reduced(address, 4);
  return family === 6 ? `${text}::/64` : text;
};

/** Where a provider moves one customer about: IPv4 by its /24, IPv6 by its /48. */
export const networkOfAddress = (address: string): string => {
  const { text, family } = reduced(address, 3);
  if (family === 6) return `${text}::/48`;
  return family === 4 ? `${text.slice(0, text.lastIndexOf('.'))}.0/24` : text;
};

/** IPv4 written as IPv6 is IPv4. */
export const plainAddress = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/i, '');

/** 127.0.0.0/8 and ::1. */
export const isLoopback = (address: string): boolean => address === '::1' || /^127\.\d+\.\d+\.\d+$/.test(plainAddress(address));

/** Of a host as a setting or a URL names it: `localhost` too. */
export const isLoopbackHost = (host: string): boolean => host === 'localhost' || isLoopback(host);
