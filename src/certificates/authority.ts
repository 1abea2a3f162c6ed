// The authority: generations of root and intermediate, which of them signs, and when the next one is made. Pure but for signing.
import { createPublicKey, type KeyObject, sign } from 'node:crypto';
import { Fault } from '../base/fault.ts';
import { days, type Instant, type Millis, minutes } from '../base/time.ts';
import { lint } from './lint.ts';
import type { Anchors } from './path.ts';
import { authorityName, authorityTbs, certificateDer, leafTbs, type LeafWish, validityOf } from './profile.ts';
import { keyIdOf } from './public-key.ts';
import type { Certificate, Codec } from './x509.ts';

export type AuthorityKind = 'root' | 'intermediate';

export interface Authority {
  readonly kind: AuthorityKind;
  /** 1, 2, … within its kind. */
  readonly generation: number;
  /** Its subject key id, lower-case hex. */
  readonly authorityId: string;
  readonly certificate: Certificate;
  readonly key: KeyObject;
  readonly createdAt: Instant;
}

/** All authorities, ended ones included, oldest first. */
export interface Ring extends Anchors {
  readonly authorities: readonly Authority[];
}

/** Everybody must know a new authority before it signs: replicas an intermediate, every peer's bundle a root. */
const SETTLING: Readonly<Record<AuthorityKind, Millis>> = { root: days(30), intermediate: minutes(1) };

const endOf = ({ certificate }: Authority): Instant => certificate.fields.notAfter;

export const ringOf = (trustDomain: string, authorities: readonly Authority[]): Ring => {
  const sorted = authorities.toSorted((a, b) => a.generation - b.generation);
  const certificates = (kind: AuthorityKind): readonly Certificate[] =>
    sorted.filter((one) => one.kind === kind).map(({ certificate }) => certificate);
  return { trustDomain, authorities: sorted, roots: certificates('root'), intermediates: certificates('intermediate') };
};

const living = (ring: Ring, kind: AuthorityKind, now: Instant): readonly Authority[] =>
  ring.authorities.filter((one) => one.kind === kind && endOf(one) > now);

/** The newest that everybody has had time to hear of; before that, the oldest there is. */
export const signing = (ring: Ring, kind: AuthorityKind, now: Instant): Authority | undefined => {
  const candidates = living(ring, kind, now);
  return candidates.findLast((one) => one.createdAt + SETTLING[kind] <= now) ?? candidates[0];
};

/** The generation to make now, or null: when none is left, or the newest has spent two thirds of its life. */
export const dueGeneration = (ring: Ring, kind: AuthorityKind, now: Instant, life: Millis): number | null => {
  const all = ring.authorities.filter((one) => one.kind === kind);
  const newest = living(ring, kind, now).at(-1);
  if (newest !== undefined && endOf(newest) - now > life / 3) return null;
  return (all.at(-1)?.generation ?? 0) + 1;
};

/** Roots to trust now. */
export const bundle = (ring: Ring, now: Instant): readonly Certificate[] => living(ring, 'root', now).map(({ certificate }) => certificate);

/** Grows whenever the set of roots changes: by making one, or by one's end. */
export const bundleSequence = (ring: Ring, now: Instant): number => {
  const newest = ring.authorities.findLast(({ kind }) => kind === 'root')?.generation ?? 0;
  return 2 * newest - living(ring, 'root', now).length;
};

const unsound = (findings: readonly string[]): Fault =>
  new Fault('INTERNAL', 'INTERNAL', 'the certificate would not be sound', { cause: findings.join('; ') });

const signTbs = (tbs: Buffer, key: KeyObject): Buffer => certificateDer(tbs, sign('sha256', tbs, key));

export interface NewAuthority {
  readonly kind: AuthorityKind;
  readonly trustDomain: string;
  readonly key: KeyObject;
  readonly serial: Buffer;
  readonly now: Instant;
  readonly life: Millis;
  /** null: a root, which signs itself. */
  readonly issuer: Authority | null;
}

/** The certificate of a new authority, linted before it is signed. */
export const certifyAuthority = (codec: Codec, wish: NewAuthority): { readonly authorityId: string; readonly der: Buffer } => {
  const spki = createPublicKey(wish.key).export({ type: 'spki', format: 'der' });
  const keyId = keyIdOf(spki);
  const authorityId = keyId.toString('hex');
  const subject = authorityName(`Security Hub ${wish.kind} ${wish.trustDomain}`.slice(0, 64), authorityId);
  const by = wish.issuer?.certificate.fields;
  const validity = validityOf(wish.now, wish.life, by?.notAfter ?? Number.MAX_SAFE_INTEGER);
  const issuer = { subject: by?.subject ?? subject, keyId: by?.subjectKeyId ?? keyId };
  const tbs = authorityTbs({ ...wish, ...validity, spki, subject, issuer: wish.issuer === null ? null : issuer });
  const fields = codec.parseTbs(tbs);
  const context = { kind: wish.kind, trustDomain: wish.trustDomain, issuer: { ...issuer, notAfter: by?.notAfter ?? validity.notAfter } };
  const findings = fields === null ? ['it cannot be read back'] : lint(fields, context);
  if (findings.length > 0) throw unsound(findings);
  return { authorityId, der: signTbs(tbs, wish.issuer?.key ?? wish.key) };
};

export type NewLeaf = Omit<LeafWish, 'issuer' | 'notBefore' | 'notAfter'> & { readonly now: Instant; readonly ttl: Millis };

/** A leaf under `issuer`, linted before it is signed; it ends with its issuer at the latest. */
export const certifyLeaf = (
  codec: Codec,
  trustDomain: string,
  issuer: Authority,
  wish: NewLeaf,
): { readonly der: Buffer; readonly notBefore: Instant; readonly notAfter: Instant } => {
  const { subject, subjectKeyId, notAfter } = issuer.certificate.fields;
  if (subjectKeyId === null) throw unsound(['its issuer has no key id']);
  const validity = validityOf(wish.now, wish.ttl, notAfter);
  const names = { subject, keyId: subjectKeyId };
  const tbs = leafTbs({ ...wish, ...validity, issuer: names });
  const fields = codec.parseTbs(tbs);
  const findings =
    fields === null ? ['it cannot be read back'] : lint(fields, { kind: 'leaf', trustDomain, issuer: { ...names, notAfter } });
  if (findings.length > 0) throw unsound(findings);
  return { der: signTbs(tbs, issuer.key), ...validity };
};
