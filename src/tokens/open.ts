// Opening a session for a proven identity: its row, its first family, its first tokens.
import type { MaybePromise } from '../base/call.ts';
import type { TenantId } from '../base/caller.ts';
import type { Confirmation } from '../base/possession.ts';
import type { Random } from '../base/random.ts';
import type { Clock, Millis } from '../base/time.ts';
import type { Tx } from '../storage/storage.ts';
import type { Families } from './families.ts';
import { type Access, type Device, fingerprintOf, type SessionContext } from './family.ts';
import { claimsOf, issue, lifeFrom, type Tokens } from './issue.ts';
import type { Keyring } from './keyring.ts';
import { hashOf, printRefreshToken, type RefreshKeys } from './refresh-token.ts';

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
  /** What is recorded here must be repeated at every refresh. */
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
  /** What the session's tokens are bound to (`TokensDoor.bind`). */
  readonly confirmation?: Confirmation | null;
  /** Shown in the token. Load them before the transaction; left out, the token shows them only if they are at hand. */
  readonly permissions?: readonly string[];
  /** Head of the change feed, read as the first statement of the transaction (`platform.readHead`). */
  readonly rsq: number;
}

export interface OpenDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly keyring: Keyring;
  readonly families: Families;
  readonly refreshKeys: RefreshKeys;
  readonly issuer: string;
  readonly audience: readonly string[];
  readonly accessLife: Millis;
  readonly sessionIdle: Millis;
  readonly sessionLife: Millis;
  readonly longest: Millis;
  rights(
    tenantId: TenantId,
    subject: { readonly type: string; readonly id: string },
  ): MaybePromise<{ readonly permissions: readonly string[] }>;
}

const contextOf = (deps: OpenDeps, opening: Omit<Opening, 'rsq'>): SessionContext => ({
  tenantId: opening.tenantId,
  userId: opening.userId,
  sessionId: deps.random.id('ses'),
  familyId: deps.random.id('fam'),
  clientId: opening.clientId ?? 'first-party',
  role: opening.role,
  scopes: opening.scopes,
  audience: opening.audience ?? deps.audience,
  authMethod: opening.authMethod,
  mfaVerified: opening.mfaVerified,
  authTime: Math.floor(deps.clock.now() / 1000) * 1000,
  riskLevel: opening.riskLevel ?? 'low',
  deviceId: opening.device?.deviceId ?? '',
  boundAddress: opening.bindAddress === true ? opening.ipAddress : '',
  confirmation: opening.confirmation ?? null,
});

/** Never waits: inside a transaction a second connection would be asked for, and a full pool would wait for itself. */
const atHand = (deps: OpenDeps, opening: Omit<Opening, 'rsq'>): readonly string[] => {
  if (opening.permissions !== undefined) return opening.permissions;
  const rights = deps.rights(opening.tenantId, { type: 'user', id: opening.userId });
  if (!('then' in rights)) return rights.permissions;
  rights.catch(() => {});
  return [];
};

/** Writes the session and its family in the caller's transaction; what it answers counts once that has committed. */
export const openSession =
  (deps: OpenDeps) =>
  async (opening: Opening & { readonly tx: Tx }): Promise<Tokens> => {
    const context = contextOf(deps, opening);
    const access: Access = {
      generation: 1,
      ...lifeFrom(deps.clock.now(), Math.min(deps.accessLife, deps.sessionLife), deps.random),
      rsq: opening.rsq,
    };
    const refresh = {
      tenantId: context.tenantId,
      userId: context.userId,
      familyId: context.familyId,
      generation: 1,
      secret: deps.random.bytes(32),
    };
    const { fingerprint = '', ...device } = opening.device ?? {};
    await deps.families.insert(opening.tx, {
      context,
      access,
      hash: hashOf(deps.refreshKeys, refresh),
      fingerprint: fingerprintOf(context.tenantId, fingerprint),
      device: opening.device === null ? null : (device as Omit<Device, 'fingerprint'>),
      ipAddress: opening.ipAddress,
      userAgent: opening.userAgent ?? '',
      idle: deps.sessionIdle,
      life: deps.sessionLife,
    });
    const claims = claimsOf(deps.issuer, context, access, atHand(deps, opening));
    return issue(deps.keyring, claims, printRefreshToken(deps.refreshKeys, refresh));
  };

/** An access token alone. The mirror knows its ids like any other's, so it can be revoked. */
export const mintAccess =
  (deps: OpenDeps) =>
  async (opening: Opening & { readonly life: Millis }): Promise<Tokens> => {
    const life = lifeFrom(deps.clock.now(), Math.min(opening.life, deps.longest), { ...deps.random, bytes: (size) => Buffer.alloc(size) });
    const permissions = opening.permissions ?? (await deps.rights(opening.tenantId, { type: 'user', id: opening.userId })).permissions;
    const access: Access = { generation: 1, ...life, rsq: opening.rsq };
    return issue(deps.keyring, claimsOf(deps.issuer, contextOf(deps, opening), access, permissions), '');
  };
