// Keeps the authority: made once at the first start, loaded by every replica, the next generation made well ahead of an end.
import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { Fault, unavailable } from '../base/fault.ts';
import type { Random } from '../base/random.ts';
import type { Sealer } from '../base/sealer.ts';
import type { Clock, Millis } from '../base/time.ts';
import { type Authority, type AuthorityKind, certifyAuthority, dueGeneration, type Ring, ringOf, signing } from './authority.ts';
import { isOurAuthority } from './path.ts';
import { serialFrom } from './profile.ts';
import type { Codec } from './x509.ts';

export interface StoredAuthority {
  readonly kind: AuthorityKind;
  readonly generation: number;
  readonly trustDomain: string;
  readonly authorityId: string;
  /** DER. */
  readonly certificate: Buffer;
  /** PKCS #8, sealed. */
  readonly privateSealed: Buffer;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly createdAt: number;
}

/** Port: authorities of the installation. */
export interface AuthorityStore {
  /** All there ever were: numbers go on, and what an ended one has signed is still told from a forgery. */
  load(trustDomain: string): Promise<readonly StoredAuthority[]>;
  /** Stores that generation unless it is there: the database decides between replicas. Tells all replicas. */
  offer(authority: StoredAuthority): Promise<void>;
}

export interface KeepAuthorityDeps {
  readonly store: AuthorityStore;
  readonly sealer: Sealer;
  readonly codec: Codec;
  readonly clock: Clock;
  readonly random: Pick<Random, 'bytes'>;
  readonly trustDomain: string;
  readonly life: Readonly<Record<AuthorityKind, Millis>>;
}

/** The ring in use. */
export interface Keeper {
  /** UNAVAILABLE / AUTHORITY_MISSING before the first load. */
  ring(): Ring;
  /** Loads, and makes what is due. */
  keep(): Promise<void>;
  /** Loads what others have made. */
  reload(): Promise<void>;
  onChange(listener: () => void): () => void;
}

const PURPOSE = 'certificate-authority';

const mismatch = (): Fault => new Fault('FAILED_PRECONDITION', 'AUTHORITY_INVALID', 'a stored certificate authority is not what it says');

export const createKeeper = ({ store, sealer, codec, clock, random, trustDomain, life }: KeepAuthorityDeps): Keeper => {
  let current: Ring | null = null;
  const listeners = new Set<() => void>();

  const openKey = (stored: StoredAuthority): KeyObject =>
    createPrivateKey({ key: sealer.open(PURPOSE, stored.authorityId, stored.privateSealed), format: 'der', type: 'pkcs8' });

  const open = (stored: StoredAuthority): Authority => {
    const certificate = codec.parseCertificate(stored.certificate);
    if (certificate === null || certificate.fields.subjectKeyId?.toString('hex') !== stored.authorityId) throw mismatch();
    const { kind, generation, authorityId, createdAt } = stored;
    return { kind, generation, authorityId, createdAt, certificate, key: openKey(stored) };
  };

  const load = async (): Promise<Ring> => {
    const stored = await store.load(trustDomain);
    const known = new Map(current?.authorities.map((one) => [one.authorityId, one]));
    const ring = ringOf(
      trustDomain,
      stored.map((one) => known.get(one.authorityId) ?? open(one)),
    );
    if (ring.authorities.some(({ certificate }) => !isOurAuthority(certificate, ring))) throw mismatch();
    return ring;
  };

  const use = (ring: Ring): void => {
    const ids = (of: Ring | null): string => of?.authorities.map(({ authorityId }) => authorityId).join() ?? '';
    const changed = ids(ring) !== ids(current);
    current = ring;
    if (changed) for (const listener of listeners) listener();
  };

  const make = async (ring: Ring, kind: AuthorityKind): Promise<Ring> => {
    const now = clock.now();
    const generation = dueGeneration(ring, kind, now, life[kind]);
    if (generation === null) return ring;
    const issuer = kind === 'root' ? null : signing(ring, 'root', now);
    if (issuer === undefined) throw unavailable('AUTHORITY_MISSING', 'no root can sign an intermediate');
    const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
    const serial = serialFrom(random.bytes(16));
    const { authorityId, der } = certifyAuthority(codec, { kind, trustDomain, key, serial, now, life: life[kind], issuer });
    const made = codec.parseCertificate(der);
    if (made === null) throw mismatch();
    const { notBefore, notAfter } = made.fields;
    const privateSealed = sealer.seal(PURPOSE, authorityId, key.export({ type: 'pkcs8', format: 'der' }));
    await store.offer({ kind, generation, trustDomain, authorityId, certificate: der, privateSealed, notBefore, notAfter, createdAt: now });
    return load();
  };

  // One at a time: what was read earlier must not replace what was read later.
  let last: Promise<void> = Promise.resolve();
  const inTurn = (work: () => Promise<void>) => (): Promise<void> => {
    last = last.then(work, work);
    return last;
  };

  return {
    ring() {
      if (current === null) throw unavailable('AUTHORITY_MISSING', 'the certificate authority is not loaded');
      return current;
    },
    keep: inTurn(async () => {
      const rooted = await make(await load(), 'root');
      use(await make(rooted, 'intermediate'));
    }),
    reload: inTurn(async () => {
      use(await load());
    }),
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
};
