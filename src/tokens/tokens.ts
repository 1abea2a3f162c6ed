// Door of the tokens capability: opening sessions, rotating refresh tokens, revoking, verifying.
import type { Call, MaybePromise, Payer } from '../base/call.ts';
import type { Caller, TenantId } from '../base/caller.ts';
import { unavailable } from '../base/fault.ts';
import type { Confirmation } from '../base/possession.ts';
import type { Instant, Millis } from '../base/time.ts';
import type { Change, Feed, ReadHead, Tx } from '../storage/storage.ts';
import { createAttest, type Statement } from './attest.ts';
import { checkAuthority, confirmationFor, shownBy } from './bind.ts';
import type { CheckProof } from './proof/check-proof.ts';
import { endUserIn, logout, revokeClient, revokeSession, revokeUser } from './end-sessions.ts';
import { type Exchange, type ExchangeDeps, exchangeToken } from './exchange.ts';
import { type Device, fingerprintOf } from './family.ts';
import type { Tokens } from './issue.ts';
import type { Refusal } from './jws.ts';
import type { StoredKey } from './keys/key-life.ts';
import type { Jwks } from './keys/keyring.ts';
import type { Marked } from './mirror.ts';
import { mintAccess, type Opening, openSession, type SessionTerms } from './open.ts';
import { type BindingAsked, type RefreshDeps, refreshTokens, type Standing } from './refresh.ts';
import { type RevokeDeps, type Revocation, type Revoked, revokeToken } from './revoke.ts';
import type { Rotation, RotationWanted } from './keys/rotate-keys.ts';
import { createRevokeForeign, type Foreign } from './revoke-foreign.ts';
import { listSessions, type Session, type SessionDeps, type SessionsAsked, type StatisticsAt, sessionStatistics } from './sessions.ts';
import { digestOf, type Verified } from './verify.ts';
import type { KeysMessage } from './watch/watch-keys.ts';
import type { ChangeHead, RevocationsMessage, RevocationsWanted } from './watch/watch-revocations.ts';

export type { Statement } from './attest.ts';
export type { PeerContext } from './bind.ts';
export type { CheckProof, ProofUse } from './proof/check-proof.ts';
export type { Claims } from './claims.ts';
export type { Device } from './family.ts';
export type { Tokens } from './issue.ts';
export type { Refusal } from './jws.ts';
export type { StoredKey } from './keys/key-life.ts';
export type { Jwks, PublicJwk } from './keys/keyring.ts';
export type { Marked } from './mirror.ts';
export type { Opening, SessionTerms } from './open.ts';
export type { KeptClaims } from './kept-claims.ts';
export type { BindingAsked, Standing } from './refresh.ts';
export type { Revocation, RevocationScope, Revoked } from './revoke.ts';
export type { Rotation, RotationWanted } from './keys/rotate-keys.ts';
export type { Session, SessionsAsked } from './sessions.ts';
export type { Slot, Verified } from './verify.ts';
export type { KeysMessage } from './watch/watch-keys.ts';
export type { ChangeHead, RevocationsMessage, RevocationsWanted, WatchEncoding } from './watch/watch-revocations.ts';

export interface TokensDoor {
  /** Writes the session and its family in the caller's transaction, and signs. The tokens count once that has committed. */
  open(opening: Opening & { readonly tx: Tx }): Promise<Tokens>;
  /** What counts for sessions of this user now: load it before the transaction that opens one. */
  terms(tenantId: TenantId, userId: string): MaybePromise<SessionTerms>;
  /** An access token with no session behind it and no refresh token (development starts, set-up). Capped at the longest accepted life. */
  mint(opening: Omit<Opening, 'rsq'> & { readonly life: Millis }): Promise<Tokens>;
  /**
   * Everything that can be said of an access token without I/O: shape, key, signature, issuer, claims, time. Never audience, revocation
   * or binding. `grace` (at most 60 s) keeps an expired one usable that long. Always answers at once.
   * `payer`: for whom; RESOURCE_EXHAUSTED / BUDGET_EXHAUSTED where it may cost no more signature checks.
   */
  verify(token: string, now: Instant, grace?: Millis, digest?: string, payer?: Payer): Verified;
  /** As it stands in claims: '' stays ''. */
  fingerprintOf(tenantId: TenantId, fingerprint: string): string;
  /** By what a token is known to `verify`, for whoever sees the same one again and again. */
  digestOf(token: string): string;
  /** Why the mirror refuses it, or null; at once. UNAVAILABLE / MIRROR_FULL when the mirror can promise nothing. */
  revoked(claims: Marked): Refusal | null;
  /** Number of the newest news about the limits of this subject; 0 = none that a living token may not know. */
  limitsSeq(tenantId: TenantId, subject: string): number;
  /** The next refresh token and an access token; the same ones for everybody who presents the same token in its window. UNAUTHENTICATED otherwise. */
  refresh(refreshToken: string, device: Device | null, call: Call, asked?: Partial<BindingAsked>): Promise<Tokens>;
  /**
   * What tokens handed out by this call are bound to, as it asks and as its connection, its DPoP proof or its inbound peer has shown.
   * INVALID_ARGUMENT / BINDING_MISSING, UNAUTHENTICATED with the proof's reason, UNAVAILABLE / DPOP_UNAVAILABLE.
   */
  bind(asked: BindingAsked, call: Call): Promise<Confirmation | null>;
  /** Is this DPoP proof good for that request, and seen for the first time? UNAVAILABLE / DPOP_UNAVAILABLE where nobody knows. */
  checkProof: CheckProof;
  /** UNAUTHENTICATED / DPOP_URI_MISMATCH unless the caller reached us by a name that is ours. */
  checkAuthority(call: Pick<Call, 'target'>): void;
  /**
   * A token for acting on somebody's behalf (RFC 8693), made from theirs: narrower, never longer, ended by whatever ends theirs.
   * INVALID_ARGUMENT with the token's own reason where one shown is not good.
   */
  exchange(asked: Exchange, call: Call): Promise<Tokens>;
  /** Says in our name, for one upstream, who calls: a JWS of the type `subject+jwt`. The same one for a while. */
  attest(statement: Statement, now: Instant): Promise<string>;
  /** By whoever shows the token, by its user, or with `token:revoke`. */
  revoke(revocation: Revocation, call: Call): Promise<Revoked>;
  revokeSession(tenantId: TenantId, sessionId: string, reason: string, wait: Millis, call: Call): Promise<Revoked>;
  revokeUser(tenantId: TenantId, userId: string, reason: string, wait: Millis, call: Call): Promise<Revoked>;
  /** NOT_FOUND / CLIENT_NOT_FOUND for one that has got nothing and is not registered. */
  revokeClient(tenantId: TenantId, clientId: string, reason: string, wait: Millis, call: Call): Promise<Revoked>;
  /** Living sessions of a user, the newest first: one's own, others' with token:inspect. */
  listSessions(asked: SessionsAsked, call: Call): Promise<{ readonly items: readonly Session[]; readonly next: string }>;
  /** With token:inspect. */
  sessionStatistics(tenantId: TenantId, call: Call): Promise<StatisticsAt>;
  /** Ends the session of a refresh token: the token is the credential. Ending it again is no error. */
  logout(refreshToken: string, call: Call, reason?: string): Promise<Revoked>;
  /**
   * Inside somebody else's change (suspending, a new password): ends every session and family of the user at the row, and answers the
   * watermark that the writer adds to its changes. `detail`: `suspended`, `deleted`, `password_changed`, …
   */
  endUser(tx: Tx, tenantId: TenantId, userId: string, detail: string): Promise<readonly Change[]>;
  /** Until when a watermark written now must stay: for capabilities that write `tenant`, `user` or `client` changes themselves. */
  watermarkUntil(): Instant;
  jwks(): Jwks;
  /** All keys there are, newest first. */
  listKeys(): Promise<readonly StoredKey[]>;
  rotateKey(wanted: RotationWanted, call: Call): Promise<Rotation>;
  revokeKey(kid: string, reason: string, wait: Millis, call: Call): Promise<Revoked & { readonly activeKid: string }>;
  /** How far the feed has come here, and how old that is. UNAVAILABLE / FEED_STALE while nothing is known. */
  changeHead(): ChangeHead;
  /** Until the call ends, the caller's rights change, or it falls behind: ABORTED / SNAPSHOT_REQUIRED. */
  watchRevocations(wanted: RevocationsWanted, call: Call): AsyncIterable<RevocationsMessage>;
  watchKeys(call: Call): AsyncIterable<KeysMessage>;
  /** null when verdicts can be given, else what is missing. */
  notReady(): string | null;
}

/** What tokens ask of others. Nothing is asked inside a transaction. */
export interface TokenPorts {
  /** The user as it stands now, null where there is none. */
  user(tenantId: TenantId, userId: string): MaybePromise<Standing | null>;
  tenant(tenantId: TenantId): MaybePromise<Standing | null>;
  /** Live rights, for the permissions that a token shows. */
  rights(
    tenantId: TenantId,
    subject: { readonly type: string; readonly id: string },
  ): MaybePromise<{ readonly permissions: readonly string[] }>;
  /** What the subject's tenant, roles and account say about its tokens now. */
  terms(tenantId: TenantId, userId: string): MaybePromise<SessionTerms>;
  /** Does the caller hold this permission now? */
  holds(caller: Caller, permission: string): MaybePromise<boolean>;
  /** Is this a registered workload of the tenant, `<namespace>/<name>`? */
  isWorkload(tenantId: TenantId, key: string): MaybePromise<boolean>;
  readonly foreign: Foreign;
  /** Is this one of the names we are reached by? */
  knownHost(authority: string): boolean;
}

export interface TokensDeps extends RefreshDeps, RevokeDeps, ExchangeDeps, SessionDeps {
  readonly feed: Pick<Feed, 'cursor' | 'acknowledged'>;
  readonly readHead: ReadHead;
  readonly foreign: Foreign;
  /** The feed's head now, for a token that no transaction of a login stands behind. */
  head(tenantId: TenantId): Promise<number>;
  watermarkUntil(): Instant;
  readonly rotateKey: TokensDoor['rotateKey'];
  readonly revokeKey: TokensDoor['revokeKey'];
  readonly listKeys: TokensDoor['listKeys'];
  readonly watch: Pick<TokensDoor, 'changeHead' | 'watchRevocations' | 'watchKeys'>;
}

export const createTokens = (deps: TokensDeps): TokensDoor => {
  const mint = mintAccess(deps);
  const revoke = { token: revokeToken(deps), session: revokeSession(deps), user: revokeUser(deps), client: revokeClient(deps) };
  const foreign = createRevokeForeign(deps);
  return {
    open: openSession(deps),
    terms: (tenantId, userId) => deps.terms(tenantId, userId),
    mint: async (opening) => mint({ ...opening, rsq: await deps.head(opening.tenantId) }),
    verify: (token, now, grace, digest, payer) => deps.verifier.verify(token, now, grace, digest, payer),
    digestOf,
    fingerprintOf,
    revoked(claims) {
      if (deps.mirror.full) throw unavailable('MIRROR_FULL', 'too many live revocations: no verdict can be given');
      return deps.mirror.refusal(claims);
    },
    limitsSeq: (tenantId, subject) => deps.mirror.limitsSeq(tenantId, subject),
    refresh: refreshTokens(deps),
    exchange: exchangeToken(deps),
    attest: createAttest(deps),
    bind: async ({ binding, context }, call) => confirmationFor(binding, await shownBy(deps)(context, call)),
    checkProof: deps.checkProof,
    checkAuthority: (call) => checkAuthority(deps, call),
    revoke: async (revocation, call) => (await foreign.token(revocation, call)) ?? revoke.token(revocation, call),
    revokeSession: async (...asked) => (await foreign.session(...asked)) ?? revoke.session(...asked),
    revokeUser: async (...asked) => (await foreign.user(...asked)) ?? revoke.user(...asked),
    revokeClient: async (...asked) => (await foreign.client(...asked)) ?? revoke.client(...asked),
    logout: logout(deps),
    listSessions: listSessions(deps),
    sessionStatistics: sessionStatistics(deps),
    endUser: endUserIn(deps),
    watermarkUntil: () => deps.watermarkUntil(),
    jwks: () => deps.keyring.jwks(),
    listKeys: deps.listKeys,
    rotateKey: deps.rotateKey,
    revokeKey: deps.revokeKey,
    ...deps.watch,
    notReady() {
      if (deps.keyring.signer() === null) return 'signing keys are not loaded';
      return deps.mirror.full ? 'the revocation mirror is full' : null;
    },
  };
};
