// A family: the refresh tokens of one session, one valid at a time. Rules for what a presented token means (RFC 9700 §4.14.2).
import { equalBytes, sha256 } from '../base/bytes.ts';
import { lengthPrefixed } from '../base/canonical.ts';
import type { TenantId } from '../base/caller.ts';
import { type Instant, type Millis, seconds } from '../base/time.ts';

/** How long the losers of a race get the winner's tokens. Closes sooner: at the successor's first use. */
export const REPLAY_WINDOW: Millis = seconds(10);

export interface Device {
  readonly deviceId: string;
  readonly deviceType: string;
  readonly platform: string;
  readonly browser: string;
  readonly appVersion: string;
  readonly fingerprint: string;
}

/** What stays the same through a family's life and stands in its tokens. */
export interface SessionContext {
  readonly tenantId: TenantId;
  readonly userId: string;
  readonly sessionId: string;
  readonly familyId: string;
  readonly clientId: string;
  readonly role: string;
  readonly scopes: readonly string[];
  readonly audience: readonly string[];
  readonly authMethod: string;
  readonly mfaVerified: boolean;
  readonly authTime: Instant;
  readonly riskLevel: string;
  readonly deviceId: string;
  /** '' unless access tokens are bound to an address. */
  readonly boundAddress: string;
}

/** The access token of one generation: racers get the same. */
export interface Access {
  readonly generation: number;
  readonly issuedAt: Instant;
  readonly expiresAt: Instant;
  readonly rsq: number;
}

export interface Family extends SessionContext {
  readonly access: Access;
  readonly currentHash: Buffer;
  /** Of the generation before; null in the first. */
  readonly previousHash: Buffer | null;
  readonly successorSalt: Buffer | null;
  readonly rotatedAt: Instant;
  /** Who rotated last. */
  readonly sender: string;
  readonly fingerprint: string;
  /** Head of the change feed at the login: a watermark above it ends the family. */
  readonly birthRsq: number;
  readonly idleExpiresAt: Instant;
  readonly absoluteExpiresAt: Instant;
  readonly revokedAt: Instant | null;
  readonly revokedReason: string;
}

export interface Presented {
  readonly generation: number;
  readonly hash: Buffer;
  readonly sender: string;
  readonly deviceId: string;
  readonly fingerprint: string;
}

export type Judgement =
  /** The loser of a race, or a retry after a lost answer: gets what the winner got. */
  | { readonly kind: 'replay' }
  /** Somebody else has used it: the family must die. `distance`: how many generations it is behind. */
  | { readonly kind: 'reused'; readonly distance: number }
  | { readonly kind: 'ended'; readonly reason: string }
  | { readonly kind: 'idle' }
  | { readonly kind: 'expired' }
  | { readonly kind: 'other_device' }
  | { readonly kind: 'unknown' };

/** A fingerprint is compared, never shown: only its hash is kept. */
export const fingerprintOf = (tenantId: TenantId, fingerprint: string): string =>
  fingerprint === '' ? '' : sha256(lengthPrefixed(['device-fingerprint', tenantId, fingerprint])).toString('base64url');

/** What the login recorded must be repeated; what it did not record is not asked for. */
const otherDevice = (family: Family, presented: Presented): boolean =>
  (family.deviceId !== '' && family.deviceId !== presented.deviceId) ||
  (family.fingerprint !== '' && family.fingerprint !== presented.fingerprint);

const replays = (family: Family, presented: Presented, now: Instant): boolean =>
  presented.generation === family.access.generation - 1 &&
  family.previousHash !== null &&
  equalBytes(family.previousHash, presented.hash) &&
  presented.sender === family.sender &&
  now - family.rotatedAt <= REPLAY_WINDOW;

/**
 * What a correctly tagged token means that did not rotate its family. The row is locked, `now` is the database's clock.
 * The window closes at the successor's first use by itself: the generation moves on, and this token is two behind.
 */
export const judge = (family: Family, presented: Presented, now: Instant): Judgement => {
  const distance = family.access.generation - presented.generation;
  if (family.revokedAt !== null) return { kind: 'ended', reason: family.revokedReason };
  if (distance < 0) return { kind: 'unknown' };
  if (distance > 0) {
    if (!replays(family, presented, now)) return { kind: 'reused', distance };
    return otherDevice(family, presented) ? { kind: 'other_device' } : { kind: 'replay' };
  }
  if (!equalBytes(family.currentHash, presented.hash)) return { kind: 'unknown' };
  if (now >= family.absoluteExpiresAt) return { kind: 'expired' };
  if (now >= family.idleExpiresAt) return { kind: 'idle' };
  return otherDevice(family, presented) ? { kind: 'other_device' } : { kind: 'unknown' };
};

/** The id of a generation's access token. It names its family, so that a token can be revoked by its id alone. */
export const tokenIdOf = (familyId: string, generation: number): string => `${familyId}.${generation}`;

/** The generation that a token id of ours names. */
export const generationOfTokenId = (tokenId: string): number => Number(tokenId.slice(tokenId.lastIndexOf('.') + 1));

/** The family that a token id names, or null where it is none of ours. */
export const familyOfTokenId = (tokenId: string): string | null => /^(fam_[0-9A-Za-z]{22})\.[1-9]\d{0,9}$/.exec(tokenId)?.[1] ?? null;
