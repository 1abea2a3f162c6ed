// Which DNS names and addresses a service may carry, and whether a request asks for somebody else's. Pure.
import { isIP } from 'node:net';
import { isLoopback } from '../base/address.ts';
import { badField, Fault } from '../base/fault.ts';
import { type ServiceName, spiffeIdOf } from './spiffe-id.ts';
import type { SigningRequest } from './x509.ts';

/** The hub's own: nobody else may have anything that looks like it. */
export interface OwnNames {
  readonly namespace: string;
  readonly service: string;
  readonly dnsNames: readonly string[];
}

export interface Permitted {
  readonly name: ServiceName;
  /** From the workload's entry. */
  readonly registered: readonly string[];
  /** With the right to issue: any name inside the namespace, and addresses. */
  readonly anyInNamespace: boolean;
  /** On a developer's machine: localhost and loopback addresses for everybody. */
  readonly development: boolean;
  readonly own: OwnNames;
}

const DNS_NAME = /^(\*\.)?[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;

/** Names inside a cluster belong to their namespace (Kubernetes DNS specification §2.3). */
const ZONES = ['svc', 'svc.cluster.local'];

const clusterNames = ({ namespace, service }: ServiceName): readonly string[] => ZONES.map((zone) => `${service}.${namespace}.${zone}`);

/**
 * The label of a name that a cluster would read as a namespace, '' where there is none. `within`: the name lies in a cluster's zone
 * for sure, so the namespace must be one's own; else it must only not be another tenant's (`payments.other` is found by search domains,
 * `payments.other.svc.corp` in clusters with a domain of their own).
 */
export const namespaceIn = (name: string): { readonly namespace: string; readonly within: boolean } => {
  const labels = name.split('.');
  const zone = labels.lastIndexOf('svc');
  if (zone > 0) return { namespace: labels[zone - 1] ?? '', within: ZONES.some((one) => name.endsWith(`.${one}`)) };
  return { namespace: labels.length === 2 ? (labels[1] ?? '') : '', within: false };
};

const isDnsName = (text: string): boolean => text.length <= 253 && DNS_NAME.test(text);

const isOwn = (name: string, own: OwnNames): boolean => {
  const bare = name.replace(/^\*\./, '');
  const first = bare.slice(0, bare.includes('.') ? bare.indexOf('.') : undefined);
  if (first === own.service) return true;
  // A wildcard that covers one of ours is ours as well.
  return own.dnsNames.some((mine) => mine !== 'localhost' && (mine === name || (name.startsWith('*.') && mine.endsWith(name.slice(1)))));
};

const mayCarryDns = (text: string, { name, registered, anyInNamespace, development, own }: Permitted): boolean => {
  if (text === 'localhost') return development;
  if (isOwn(text, own)) return false;
  // A name of one label means another service in every namespace, and by a wildcard all of them.
  if (!text.replace('*.', '').includes('.')) return false;
  if (registered.includes(text) || clusterNames(name).includes(text)) return true;
  return anyInNamespace && !text.startsWith('*') && ZONES.some((zone) => text.endsWith(`.${name.namespace}.${zone}`));
};

/** Nobody's in particular: unspecified, multicast, broadcast. */
const isNobodys = (address: string): boolean => /^(0\.|22[4-9]\.|23\d\.|2[45]\d\.|::$|ff)/.test(address);

/** One spelling an address: 2001:db8::1, never IPv4 inside IPv6. null for what is no address. */
const plainAddress = (text: string): string | null => {
  const version = text.includes('%') ? 0 : isIP(text);
  if (version === 4) return text;
  if (version !== 6) return null;
  const plain = new URL(`http://[${text}]`).hostname.slice(1, -1);
  return plain.startsWith('::ffff:') ? null : plain;
};

const mayCarryAddress = (address: string, { anyInNamespace, development }: Permitted): boolean =>
  isLoopback(address) ? development : anyInNamespace && !isNobodys(address);

const forbidden = (name: string): Fault =>
  new Fault('PERMISSION_DENIED', 'IDENTITY_FORBIDDEN', `this service may not carry the name ${name}`, { meta: { name } });

/** The names as they will stand in the certificate. INVALID_ARGUMENT names the field; PERMISSION_DENIED / IDENTITY_FORBIDDEN the name. */
export const permittedDnsNames = (requested: readonly string[], permitted: Permitted): readonly string[] => {
  const names = [...new Set(requested.map((text) => text.toLowerCase()))];
  const malformed = names.findIndex((text) => !isDnsName(text));
  if (malformed >= 0) throw badField(`dns_names[${malformed}]`, 'must be a DNS name');
  const foreign = names.find((text) => !mayCarryDns(text, permitted));
  if (foreign !== undefined) throw forbidden(foreign);
  return names;
};

export const permittedAddresses = (requested: readonly string[], permitted: Permitted): readonly string[] => {
  const addresses = requested.map((text, at) => {
    const plain = plainAddress(text);
    if (plain === null) throw badField(`ip_addresses[${at}]`, 'must be an IPv4 or IPv6 address');
    return plain;
  });
  const foreign = addresses.find((address) => !mayCarryAddress(address, permitted));
  if (foreign !== undefined) throw forbidden(foreign);
  return [...new Set(addresses)];
};

/** What a certificate carries when nobody asked for names: the registered ones and those of the cluster. */
export const defaultDnsNames = (permitted: Permitted): readonly string[] =>
  [...new Set([...clusterNames(permitted.name), ...permitted.registered])].filter(
    (text) => isDnsName(text) && mayCarryDns(text, permitted),
  );

/** Of an earlier certificate's names, those that the service may still carry. */
export const keptNames = (
  earlier: { readonly dnsNames: readonly string[]; readonly ipAddresses: readonly string[] },
  permitted: Permitted,
): { readonly dnsNames: readonly string[]; readonly ipAddresses: readonly string[] } => ({
  dnsNames: earlier.dnsNames.filter((text) => isDnsName(text) && mayCarryDns(text, permitted)),
  ipAddresses: earlier.ipAddresses.filter((address) => mayCarryAddress(address, permitted)),
});

/**
 * A signing request may ask for nothing, or for what it gets anyway. Its words are never copied, but one that asks for
 * another's name is a mistake or an attack, and either is better told than passed over.
 */
export const assertAsksForItself = (request: SigningRequest, trustDomain: string, permitted: Permitted): void => {
  const { uris, dnsNames, ipAddresses, others } = request.requested;
  const own = spiffeIdOf(trustDomain, permitted.name);
  const uri = uris.find((text) => text !== own);
  if (uri !== undefined) throw forbidden(uri.slice(0, 256));
  const dns = dnsNames.find((text) => !isDnsName(text.toLowerCase()) || !mayCarryDns(text.toLowerCase(), permitted));
  if (dns !== undefined) throw forbidden(dns.slice(0, 256));
  const address = ipAddresses.find((text) => !mayCarryAddress(text, permitted));
  if (address !== undefined) throw forbidden(address);
  if (others > 0) throw forbidden('of a kind that services do not have');
  // A common name is only a label, unless it is spelt like a name that somebody could be known by.
  const common = request.commonNames.find(
    (text) =>
      (text.includes('://') && text !== own) ||
      (text.includes('.') && isDnsName(text.toLowerCase()) && !mayCarryDns(text.toLowerCase(), permitted)),
  );
  if (common !== undefined) throw forbidden(common.slice(0, 256));
};
