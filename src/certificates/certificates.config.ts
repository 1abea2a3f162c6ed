// What an operator may set about the certificate authority and the certificates it issues.
import { daysField, flag, list, secondsField, text } from '../server/config/field.ts';

export const certificatesConfig = {
  trustDomain: text('TRUST_DOMAIN', {
    default: 'dev.internal',
    doc: 'SPIFFE trust domain: every service is spiffe://<TRUST_DOMAIN>/ns/<namespace>/sa/<service>. Another domain is another authority: the certificates of the old one name nobody any more.',
    pattern: /^[a-z0-9]([a-z0-9._-]{0,126}[a-z0-9])?$/,
    hint: 'lower-case letters, digits, dots and hyphens',
  }),
  life: secondsField('CERT_TTL_SECONDS', {
    default: '3600',
    min: 1,
    max: 31_536_000,
    doc: 'Life of a service certificate that asks for none.',
  }),
  leastLife: secondsField('CERT_MIN_TTL_SECONDS', {
    default: '300',
    min: 1,
    max: 86_400,
    doc: 'A certificate asked for less is refused.',
  }),
  mostLife: secondsField('CERT_MAX_TTL_SECONDS', {
    default: '86400',
    min: 1,
    max: 31_536_000,
    doc: 'A certificate asked for more is issued for this long.',
  }),
  allowGeneratedKeys: flag('CERT_ALLOW_GENERATED_KEYS', {
    doc: 'In production: let the hub make private keys for callers (generate_key). They travel once and are never stored; a signing request is better.',
  }),
  retention: daysField('CERT_RETENTION_DAYS', {
    default: '30',
    min: 2,
    max: 3650,
    doc: 'How long a certificate stays in the list after its end.',
  }),
  rootLife: daysField('ROOT_CA_DAYS', { default: '3650', min: 0.001, max: 9125, doc: 'Life of a root when it is made.' }),
  intermediateLife: daysField('INTERMEDIATE_CA_DAYS', {
    default: '90',
    min: 0.001,
    max: 3650,
    doc: 'Life of an intermediate when it is made. The next one is made when a third of it is left.',
  }),
  serverLife: secondsField('SERVER_CERT_TTL_SECONDS', {
    default: '86400',
    min: 5,
    max: 31_536_000,
    doc: 'Life of our own server certificate; renewed at half of it, without a restart.',
  }),
  serverNames: list('TLS_DNS_NAMES', {
    pattern: /^(\*\.)?[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/,
    hint: 'DNS names',
    doc: 'Further DNS names of our own server certificate, besides localhost and SERVICE_NAME. Nobody else is ever certified under them.',
  }),
} as const;
