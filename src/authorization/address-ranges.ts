// Address ranges (CIDR, RFC 4632 and RFC 4291 §2.3), read once and asked often.
import { BlockList, isIP } from 'node:net';

/** An IPv4 address as an IPv6 socket shows it (RFC 4291 §2.5.5.2). */
const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

const plain = (address: string): string => MAPPED.exec(address)?.[1] ?? address;

interface Range {
  readonly address: string;
  readonly prefix: number;
  readonly family: 'ipv4' | 'ipv6';
}

const parse = (text: string): Range | null => {
  const [address = '', prefix, ...rest] = text.split('/');
  const version = isIP(address);
  if (version === 0 || rest.length > 0 || address.includes('%')) return null;
  const width = version === 4 ? 32 : 128;
  if (prefix === undefined) return { address, prefix: width, family: version === 4 ? 'ipv4' : 'ipv6' };
  if (!/^\d{1,3}$/.test(prefix) || Number(prefix) > width) return null;
  return { address, prefix: Number(prefix), family: version === 4 ? 'ipv4' : 'ipv6' };
};

export const isRange = (text: string): boolean => parse(text) !== null;

/** Does one of the ranges contain the address? What is no range contains nothing, and an unknown address lies in none. */
export const addressRanges = (texts: readonly string[]): ((address: string) => boolean) => {
  const list = new BlockList();
  for (const text of texts) {
    const range = parse(text);
    if (range !== null) list.addSubnet(range.address, range.prefix, range.family);
  }
  return (shown) => {
    const address = plain(shown);
    const version = isIP(address);
    return version !== 0 && !address.includes('%') && list.check(address, version === 4 ? 'ipv4' : 'ipv6');
  };
};
