// One source of keys a registration, kept as long as the place its keys come from stays the same.
import { boundedMap } from '../base/bounded.ts';
import type { Clock, Millis } from '../base/time.ts';
import type { TrustedIssuer } from './issuer.ts';
import { readJwks } from './jwks.ts';
import { createKeySource, type Fetched, fixedKeys, type KeySource } from './key-source.ts';

export interface KeySourcesDeps {
  readonly clock: Clock;
  readonly fetch: (trusted: TrustedIssuer) => Promise<Fetched>;
  readonly keep: Millis;
}

const SOURCES = 10_000;

export const createKeySources = ({ clock, fetch, keep }: KeySourcesDeps): ((trusted: TrustedIssuer) => KeySource) => {
  const sources = boundedMap<string, { readonly from: string; readonly source: KeySource }>(SOURCES);
  const made = new WeakMap<TrustedIssuer, KeySource>();
  return (trusted) => {
    const known = made.get(trusted);
    if (known !== undefined) return known;
    const { tenantId, name, issuer, jwksUri, discoveryUri, jwks, caCertificates } = trusted;
    const id = `${tenantId}/${name}`;
    const from = JSON.stringify([issuer, jwksUri, discoveryUri, jwks, caCertificates]);
    const before = sources.get(id, 0);
    const source =
      before?.from === from
        ? before.source
        : jwks === ''
          ? createKeySource({ clock, keep, fetch: () => fetch(trusted) })
          : fixedKeys(readJwks(jwks) ?? new Map());
    if (before?.source !== source) sources.set(id, { from, source }, Number.POSITIVE_INFINITY);
    made.set(trusted, source);
    return source;
  };
};
