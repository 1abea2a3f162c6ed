// The hub's own certificate, from the same authority: made in memory by each replica, renewed at half its life without a restart.
import { generateKeyPairSync } from 'node:crypto';
import type { Random } from '../base/random.ts';
import type { Clock, Instant, Millis } from '../base/time.ts';
import { unavailable } from '../base/fault.ts';
import { bundle, certifyLeaf, signing } from './authority.ts';
import type { Keeper } from './keep-authority.ts';
import type { OwnNames } from './names.ts';
import { serialFrom } from './profile.ts';
import { spiffeIdOf } from './spiffe-id.ts';
import { certificatePem, type Codec, pem } from './x509.ts';

/** PEM, all of it. */
export interface ServerCertificate {
  readonly key: string;
  /** Leaf first. */
  readonly chain: string;
  /** Authorities whose client certificates name a workload. */
  readonly ca: string;
  readonly notAfter: Instant;
}

export interface ServerIdentity {
  /** UNAVAILABLE / AUTHORITY_MISSING before `start`. */
  current(): ServerCertificate;
  /** Calls `listener` after `current` has changed; answers what stops it. */
  onChange(listener: () => void): () => void;
}

export interface ServerIdentityDeps {
  readonly keeper: Pick<Keeper, 'ring' | 'onChange'>;
  readonly codec: Codec;
  readonly clock: Clock;
  readonly random: Pick<Random, 'bytes'>;
  readonly own: OwnNames;
  readonly ttl: Millis;
}

const LOOPBACK = ['127.0.0.1', '::1'];

/** `renew` makes a new one where half of the life is spent; needs no store. */
export const createServerIdentity = ({ keeper, codec, clock, random, own, ttl }: ServerIdentityDeps) => {
  let certificate: ServerCertificate | null = null;
  let renewAt: Instant = 0;
  const listeners = new Set<() => void>();

  const make = (): ServerCertificate => {
    const now = clock.now();
    const ring = keeper.ring();
    const issuer = signing(ring, 'intermediate', now);
    if (issuer === undefined) throw unavailable('AUTHORITY_MISSING', 'no authority can sign the server certificate');
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const { der, notAfter } = certifyLeaf(codec, ring.trustDomain, issuer, {
      serial: serialFrom(random.bytes(16)),
      spki: publicKey.export({ type: 'spki', format: 'der' }),
      keyType: 'ec',
      spiffeId: spiffeIdOf(ring.trustDomain, own),
      dnsNames: own.dnsNames,
      ipAddresses: LOOPBACK,
      now,
      ttl,
    });
    renewAt = now + (notAfter - now) / 2;
    // A client that sends its leaf alone is known all the same.
    const authorities = [...bundle(ring, now), ...ring.intermediates.filter(({ fields }) => fields.notAfter > now)];
    return {
      key: pem('PRIVATE KEY', privateKey.export({ type: 'pkcs8', format: 'der' })),
      chain: certificatePem([der, issuer.certificate.der]),
      ca: certificatePem(authorities.map((one) => one.der)),
      notAfter,
    };
  };

  const renew = (force: boolean): void => {
    if (!force && certificate !== null && clock.now() < renewAt) return;
    certificate = make();
    for (const listener of listeners) listener();
  };

  keeper.onChange(() => renew(true));

  const identity: ServerIdentity = {
    current() {
      if (certificate === null) throw unavailable('AUTHORITY_MISSING', 'the server certificate is not made yet');
      return certificate;
    },
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
  return { identity, renew: () => renew(false) };
};
