// A family: the refresh tokens of one session, one valid at a time. Rules for what a presented token means (RFC 9700 §4.14.2).
import { equalBytes, equalText, sha256 } from '../base/bytes.ts';
import { lengthPrefixed } from '../base/canonical.ts';
import type { TenantId } from '../base/caller.ts';
import { type Confirmation, type Shown, unmet } from '../base/possession.ts';
import { type Instant, type Millis, minutes, seconds } from '../base/time.ts';

/** How long the losers of a race get the winner's tokens. Closes sooner: at the successor's first use. */
const REPLAY_WINDOW: Millis = seconds(10);

/** The same for tokens bound to a key: who proves it is no thief, so an answer that was lost may be asked for again much later. */
const BOUND_REPLAY_WINDOW: Millis = minutes(5);

/** The client of whoever logged in without one. */
export const FIRST_PARTY = 'first-party';

/** Why a family ended that nobody used any more. */
export const IDLE = 'idle';

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
  readonly riskScore?: number;
  readonly riskIndicators?: readonly string[];
  readonly deviceId: string;
  /** Counted, shown nowhere in tokens. */
  readonly deviceType?: string;
  /** '' unless access tokens are bound to an address. */
  readonly boundAddress: string;
  /** What its tokens are bound to, refresh tokens included; null = whoever holds them. */
  readonly confirmation: Confirmation | null;
}

/** What of it nothing but its tokens asks for: kept as one value. */
export type KeptContext = Omit<SessionContext, 'tenantId' | 'userId' | 'sessionId' | 'familyId' | 'clientId' | 'deviceId' | 'confirmation'>;

/** The access token of one generation: racers get the same. */
export interface Access {
  /** The number in its id. It runs ahead of the refresh token's where that is kept from refresh to refresh. */
  readonly generation: number;
  readonly issuedAt: Instant;
  readonly expiresAt: Instant;
  readonly rsq: number;
}

export interface Family extends SessionContext {
  /** Of the refresh token that counts now. */
  readonly generation: number;
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

/** What signing and recording need of a family that has just been rotated. */
export type Rotated = SessionContext & Pick<Family, 'fingerprint' | 'birthRsq' | 'generation' | 'access'>;

export interface Presented {
  readonly generation: number;
  readonly hash: Buffer;
  readonly sender: string;
  readonly deviceId: string;
  readonly fingerprint: string;
  readonly shown: Shown;
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
  /** The token counts, but not from somebody who does not prove its key. */
  | { readonly kind: 'unbound'; readonly problem: 'missing' | 'mismatch' }
  | { readonly kind: 'unknown' };

/** A fingerprint is compared, never shown: only its hash is kept. */
export const fingerprintOf = (tenantId: TenantId, fingerprint: string): string =>
  fingerprint === '' ? '' : sha256(lengthPrefixed(['device-fingerprint', tenantId, fingerprint])).toString('base64url');

/** What the login recorded must be repeated; what it did not record is not asked for. */
const otherDevice = (family: Family, presented: Presented): boolean =>
  (family.deviceId !== '' && family.deviceId !== presented.deviceId) ||
  (family.fingerprint !== '' && !equalText(family.fingerprint, presented.fingerprint));

const unproven = ({ confirmation }: Family, { shown }: Presented): 'missing' | 'mismatch' | null =>
  confirmation === null ? null : unmet(confirmation, shown);

/** A token of before that comes without the key was bound later or was stolen: no retry of an honest client. */
const replays = (family: Family, presented: Presented, now: Instant): boolean =>
  presented.generation === family.generation - 1 &&
  family.previousHash !== null &&
  equalBytes(family.previousHash, presented.hash) &&
  presented.sender === family.sender &&
  unproven(family, presented) === null &&
  now - family.rotatedAt <= (family.confirmation === null ? REPLAY_WINDOW : BOUND_REPLAY_WINDOW);

/**
 * What a correctly tagged token means that did not rotate its family. The row is locked, `now` is the database's clock.
 * The window closes at the successor's first use by itself: the generation moves on, and this token is two behind.
 */
export const judge = (family: Family, presented: Presented, now: Instant): Judgement => {
  const distance = family.generation - presented.generation;
  if (family.revokedAt !== null) return family.revokedReason === IDLE ? { kind: 'idle' } : { kind: 'ended', reason: family.revokedReason };
  if (distance < 0) return { kind: 'unknown' };
  if (distance > 0) {
    if (!replays(family, presented, now)) return { kind: 'reused', distance };
    return otherDevice(family, presented) ? { kind: 'other_device' } : { kind: 'replay' };
  }
  if (!equalBytes(family.currentHash, presented.hash)) return { kind: 'unknown' };
  const problem = unproven(family, presented);
  if (problem !== null) return { kind: 'unbound', problem };
  if (now >= family.absoluteExpiresAt) return { kind: 'expired' };
  if (now >= family.idleExpiresAt) return { kind: 'idle' };
  return otherDevice(family, presented) ? { kind: 'other_device' } : { kind: 'unknown' };
};

/** The id of a generation's access token. It names its family, so that a token can be revoked by its id alone. */
export const tokenIdOf = (familyId: string, generation: number): string => `${familyId}.${generation}`;

/** An exchanged token's id goes on where that of the token it began with ends. */
export const isDelegatedTokenId = (tokenId: string): boolean => tokenId.split('.').length === 3;

/** The generation that a token id of ours names; an exchanged token's is that of the token it began with. */
export const generationOfTokenId = (tokenId: string): number => Number(tokenId.split('.', 2)[1]);

/** The family that a token id names, or null where it is none of ours. */
export const familyOfTokenId = (tokenId: string): string | null =>
  /^(fam_[0-9A-Za-z]{22})\.[1-9]\d{0,9}(?:\.[0-9A-Za-z]{22})?$/.exec(tokenId)?.[1] ?? null;
