// Configuration of trusted issuers.
import { integer, list } from '../server/config/field.ts';

export const issuersConfig = {
  hosts: list('TRUSTED_ISSUER_HOSTS', {
    pattern: /^(\*\.)?[a-z0-9.\-[\]:]+$/,
    hint: 'host names',
    doc: 'Hosts that keys of trusted issuers may be fetched from, *.example.com for all below. Not set: any but this machine, link-local and metadata addresses.',
  }),
  keepHours: integer('TRUSTED_ISSUER_KEYS_HOURS', {
    default: '24',
    min: 1,
    max: 168,
    doc: 'Hours that the last keys of a trusted issuer are believed while it cannot be asked.',
  }),
} as const;
