// Door of the tokens capability: opening sessions, rotating refresh tokens, revoking, verifying.
import type { Call, MaybePromise } from '../base/call.ts';
import type { TenantId } from '../base/caller.ts';
import type { Instant, Millis, Seconds } from '../base/time.ts';
import type { Change, Tx } from '../storage/storage.ts';
import type { Claims } from './claims.ts';
import type { Device } from './family.ts';
import type { Refusal } from './jws.ts';
import type { Jwks } from './keyring.ts';
import type { Marked } from './mirror.ts';
import type { Verified } from './verify.ts';

export type { Claims, Confirmation } from './claims.ts';
export type { Device } from './family.ts';
export type { Refusal } from './jws.ts';
export type { Jwks } from './keyring.ts';
export type { Verified } from './verify.ts';

/** What a login, a refresh or an exchange hands out. */
export interface Tokens {
  readonly accessToken: string;
  /** '' where the session cannot be refreshed. */
  readonly refreshToken: string;
  readonly tokenType: 'Bearer';
  readonly expiresIn: Seconds;
  readonly expiresAt: Instant;
  readonly issuedAt: Instant;
  readonly scope: string;
  readonly sessionId: string;
  readonly familyId: string;
  readonly tokenId: string;
}

/** A proven identity that gets tokens. */
export interface Opening {
  readonly tenantId: TenantId;
  readonly userId: string;
  /** Shown in the token; rights are looked up live. */
  readonly role: string;
  readonly scopes: readonly string[];
  /** `password`, `mfa`, `sso`, `api_key`, `certificate`, `biometric`. */
  readonly authMethod: string;
  readonly mfaVerified: boolean;
  readonly device: Device | null;
  readonly ipAddress: string;
  readonly userAgent?: string;
  /** Default: JWT_AUDIENCE. */
  readonly audience?: readonly string[];
  /** The application that asked: `<namespace>/<service>` of a calling workload. Default `first-party`. */
  readonly clientId?: string;
  readonly riskLevel?: string;
  /** Binds the access tokens to `ipAddress` (sessions of high risk). */
  readonly bindAddress?: boolean;
  /** Shown in the token. Load them before the transaction; left out, the token shows those that are at hand. */
  readonly permissions?: readonly string[];
  /** Head of the change feed, read as the first statement of the transaction (`platform.readHead`). */
  readonly rsq: number;
}

/** How far a revocation reaches. */
export type RevocationScope = 'token' | 'family' | 'session';

export interface Revocation {
  /** Access or refresh token; or */
  readonly token: string;
  readonly tokenId: string;
  /** null: its family and its session. */
  readonly scope: RevocationScope | null;
  readonly reason: string;
  readonly revokedBy: string;
  /** How long to wait for every live replica to have seen it. */
  readonly wait: Millis;
}

export interface Revoked {
  readonly seq: number;
  /** When connected replicas refuse it at the latest. */
  readonly effectiveBy: Instant;
  readonly replicasAcknowledged: number;
  readonly replicasLive: number;
}

export interface TokensDoor {
  /** Writes the session and its family in the caller's transaction, and signs. */
  open(opening: Opening & { readonly tx: Tx }): Promise<Tokens>;
  /** An access token with no session behind it and no refresh token: development starts and set-up tokens. Capped at the longest accepted life. */
  mint(opening: Omit<Opening, 'rsq'> & { readonly life: Millis }): Promise<Tokens>;
  /**
   * Everything that can be said of an access token without I/O: shape, key, signature, issuer, claims, time. Never audience, revocation, binding.
   * `grace` keeps an expired one usable that long. Always answers at once.
   */
  verify(token: string, now: Instant, grace?: Millis): Verified;
  /** Why the mirror refuses it, or null. UNAVAILABLE / MIRROR_FULL when the mirror can promise nothing. */
  revoked(claims: Marked): Refusal | null;
  /** The next refresh token and an access token. UNAUTHENTICATED with a reason of the contract otherwise. */
  refresh(refreshToken: string, device: Device | null, call: Call): Promise<Tokens>;
  /** `mayRevoke`: the caller holds `token:revoke`. Without it only what is the caller's own. */
  revoke(revocation: Revocation, call: Call): Promise<Revoked>;
  revokeSession(tenantId: TenantId, sessionId: string, reason: string, wait: Millis, call: Call): Promise<Revoked>;
  revokeUser(tenantId: TenantId, userId: string, reason: string, wait: Millis, call: Call): Promise<Revoked>;
  /** Ends the session of a refresh token: the token is the credential. */
  logout(refreshToken: string, call: Call): Promise<Revoked>;
  /**
   * Inside somebody else's change (suspending, a new password): ends every session and family of the user at the row,
   * and answers the watermark that the writer adds to its changes. `detail`: `suspended`, `deleted`, `password_changed`, …
   */
  endUser(tx: Tx, tenantId: TenantId, userId: string, detail: string): Promise<readonly Change[]>;
  jwks(): Jwks;
  /** null when verdicts can be given, else what is missing. */
  notReady(): string | null;
}

/** What tokens ask of others. */
export interface TokenPorts {
  /** The user as it stands now, null where there is none. */
  user(tenantId: TenantId, userId: string): MaybePromise<{ readonly status: string } | null>;
  tenant(tenantId: TenantId): MaybePromise<{ readonly status: string } | null>;
  /** Live rights, for the permissions that a token shows. */
  rights(tenantId: TenantId, subject: { readonly type: string; readonly id: string }): MaybePromise<{ readonly permissions: readonly string[] }>;
  /** Does the caller hold this permission now? */
  holds(call: Call, permission: string): MaybePromise<boolean>;
}
