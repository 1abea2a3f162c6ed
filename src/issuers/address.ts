// Which addresses we ask for keys: a tenant names them, so none may lead to this machine or to a cloud's metadata. Pure.
import { BlockList, isIP } from 'node:net';

export interface AddressRules {
  /** Outside production plain http to this machine is good enough. */
  readonly production: boolean;
  /** Host names that may be asked, `*.example.com` for all below; empty = any. */
  readonly hosts: readonly string[];
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Never an issuer: this host, link-local (metadata services), multicast, reserved, the metadata addresses of clouds. */
const never = new BlockList();
never.addSubnet('0.0.0.0', 8, 'ipv4');
never.addSubnet('169.254.0.0', 16, 'ipv4');
never.addSubnet('224.0.0.0', 3, 'ipv4');
never.addAddress('100.100.100.200', 'ipv4');
never.addAddress('168.63.129.16', 'ipv4');
never.addAddress('::', 'ipv6');
never.addSubnet('fe80::', 10, 'ipv6');
never.addSubnet('fec0::', 10, 'ipv6');
never.addSubnet('ff00::', 8, 'ipv6');
never.addAddress('fd00:ec2::254', 'ipv6');
never.addAddress('fd20:ce::254', 'ipv6');

const groupsOf = (half: string): readonly number[] =>
  half === ''
    ? []
    : half.split(':').flatMap((group) => {
        if (!group.includes('.')) return [Number.parseInt(group, 16)];
        const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number);
        return [a * 256 + b, c * 256 + d];
      });

/** An IPv4 address inside an IPv6 one (mapped, compatible, NAT64, 6to4) is judged as what it is; null where there is none. */
const embeddedV4 = (address: string): string | null => {
  const [head = '', tail] = (address.split('%', 1)[0] ?? '').split('::');
  const before = groupsOf(head);
  const after = tail === undefined ? [] : groupsOf(tail);
  const groups = tail === undefined ? before : [...before, ...Array<number>(8 - before.length - after.length).fill(0), ...after];
  const dotted = (high = 0, low = 0): string => [high >> 8, high & 255, low >> 8, low & 255].join('.');
  const zeros = groups.slice(0, 5).every((group) => group === 0);
  if (zeros && (groups[5] === 0xffff || (groups[5] === 0 && (groups[6] !== 0 || (groups[7] ?? 0) > 1))))
    return dotted(groups[6], groups[7]);
  if (groups[0] === 0x64 && groups[1] === 0xff9b) return dotted(groups[6], groups[7]);
  return groups[0] === 0x2002 ? dotted(groups[1], groups[2]) : null;
};

/** May we connect to this IP address? Private networks may: that is where a company's issuers are. */
export const addressAllowed = (address: string, { production }: Pick<AddressRules, 'production'>): boolean => {
  const family = isIP(address);
  if (family === 0) return false;
  if (family === 6) {
    const inner = embeddedV4(address);
    if (inner !== null) return addressAllowed(inner, { production });
  }
  const kind = family === 4 ? 'ipv4' : 'ipv6';
  return !never.check(address, kind) && !(production && loopback.check(address, kind));
};

const isLoopbackHost = (host: string): boolean =>
  host === 'localhost' || (isIP(host) !== 0 && loopback.check(host, isIP(host) === 4 ? 'ipv4' : 'ipv6'));

const hostListed = (host: string, hosts: readonly string[]): boolean =>
  hosts.length === 0 || hosts.some((one) => (one.startsWith('*.') ? host.endsWith(one.slice(1)) : host === one));

/** The host as it is resolved: without the brackets of an IPv6 address. */
export const hostOf = (url: URL): string => url.hostname.replace(/^\[|\]$/g, '');

/** What is wrong with an address that keys should come from, or null. What a name resolves to is checked when it is connected to. */
export const urlProblem = (text: string, rules: AddressRules): string | null => {
  if (!URL.canParse(text)) return 'is no absolute address';
  const url = new URL(text);
  const host = hostOf(url);
  if (url.username !== '' || url.password !== '') return 'must not carry a password';
  if (url.hash !== '') return 'must not have a fragment';
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && !rules.production && isLoopbackHost(host)))
    return 'must begin with https://';
  if (isIP(host) !== 0 && !addressAllowed(host, rules)) return 'names an address that keys never come from';
  if (rules.production && (host === 'localhost' || host.endsWith('.localhost'))) return 'names this machine';
  return hostListed(host, rules.hosts) ? null : 'names a host that TRUSTED_ISSUER_HOSTS does not list';
};
