// Opening a session for a proven identity: its row, its first family, its first tokens.
import type { MaybePromise } from '../base/call.ts';
import type { TenantId } from '../base/caller.ts';
import type { Confirmation } from '../base/possession.ts';
import { NO_RESTRICTIONS, type Restrictions } from '../base/constraints.ts';
import type { Random } from '../base/random.ts';
import { isPromise } from '../base/maybe.ts';
import type { Clock, Millis } from '../base/time.ts';
import type { ReadHead, Tx } from '../storage/storage.ts';
import type { Families } from './families.ts';
import { type Access, type Device, FIRST_PARTY, fingerprintOf, type SessionContext } from './family.ts';
import { claimsOf, issue, lifeFrom, type Tokens } from './issue.ts';
import type { Keyring } from './keys/keyring.ts';
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
  /** From 0 to 1. */
  readonly riskScore?: number;
  readonly riskIndicators?: readonly string[];
  /** Binds the access tokens to `ipAddress` (sessions of high risk). */
  readonly bindAddress?: boolean;
  /** What the session's tokens are bound to (`TokensDoor.bind`). */
  readonly confirmation?: Confirmation | null;
  /** Shown in the token. Load them before the transaction; left out, the token shows them only if they are at hand. */
  readonly permissions?: readonly string[];
  /** What limits the subject now, and how long its sessions live. Load them before the transaction; left out, they count as far as they are at hand. */
  readonly terms?: SessionTerms;
}

/** What the subject's tenant, roles and account say about its tokens. */
export interface SessionTerms {
  readonly restrictions: Restrictions | null;
  /** Number of the newest news about the subject's limits that is in them; 0 = of none: verifiers ask where there was one. */
  readonly asOf: number;
  /** 0 = the installation's; a longer time counts as that. */
  readonly idle: Millis;
  readonly life: Millis;
  readonly accessLife: Millis;
}

/** What limits it is not at hand: verifiers ask. */
const NO_TERMS: SessionTerms = { restrictions: NO_RESTRICTIONS, asOf: 0, idle: 0, life: 0, accessLife: 0 };

/** The shorter of the installation's and the tenant's. */
export const shorter = (installation: Millis, tenant: Millis): Millis => (tenant > 0 && tenant < installation ? tenant : installation);

export interface OpenDeps {
  readonly readHead: ReadHead;
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
  terms(tenantId: TenantId, userId: string): MaybePromise<SessionTerms>;
}

const contextOf = (deps: OpenDeps, opening: Opening): SessionContext => ({
  tenantId: opening.tenantId,
  userId: opening.userId,
  sessionId: deps.random.id('ses'),
  familyId: deps.random.id('fam'),
  clientId: opening.clientId ?? FIRST_PARTY,
  role: opening.role,
  scopes: opening.scopes,
  audience: opening.audience ?? deps.audience,
  authMethod: opening.authMethod,
  mfaVerified: opening.mfaVerified,
  authTime: Math.floor(deps.clock.now() / 1000) * 1000,
  riskLevel: opening.riskLevel ?? 'low',
  riskScore: opening.riskScore ?? 0,
  riskIndicators: opening.riskIndicators ?? [],
  deviceId: opening.device?.deviceId ?? '',
  ...(opening.device === null || opening.device.deviceType === '' ? {} : { deviceType: opening.device.deviceType }),
  boundAddress: opening.bindAddress === true ? opening.ipAddress : '',
  confirmation: opening.confirmation ?? null,
});

/** Never waits: inside a transaction a second connection would be asked for, and a full pool would wait for itself. */
const atHand = <T>(given: T | undefined, ask: () => MaybePromise<T>, instead: T): T => {
  if (given !== undefined) return given;
  const found = ask();
  if (!isPromise(found)) return found;
  found.catch(() => {});
  return instead;
};

/** Writes the session and its family in the caller's transaction; what it answers counts once that has committed. */
export const openSession =
  (deps: OpenDeps) =>
  async (opening: Opening & { readonly tx: Tx }): Promise<Tokens> => {
    const context = contextOf(deps, opening);
    await deps.families.hold(opening.tx, context);
    // Not in the same statement: its moment would be from before the wait.
    const rsq = await deps.readHead(opening.tx);
    const terms = atHand(opening.terms, () => deps.terms(opening.tenantId, opening.userId), NO_TERMS);
    const life = shorter(deps.sessionLife, terms.life);
    const access: Access = {
      generation: 1,
      ...lifeFrom(deps.clock.now(), Math.min(shorter(deps.accessLife, terms.accessLife), life), deps.random),
      rsq,
    };
    const refresh = {
      tenantId: context.tenantId,
      userId: context.userId,
      familyId: context.familyId,
      generation: 1,
      secret: deps.random.bytes(32),
    };
    const { fingerprint: shown = '', ...device } = opening.device ?? {};
    const fingerprint = fingerprintOf(context.tenantId, shown);
    await deps.families.insert(opening.tx, {
      context,
      access,
      hash: hashOf(deps.refreshKeys, refresh),
      fingerprint,
      device: opening.device === null ? null : (device as Omit<Device, 'fingerprint'>),
      ipAddress: opening.ipAddress,
      userAgent: opening.userAgent ?? '',
      idle: shorter(deps.sessionIdle, terms.idle),
      life,
    });
    const { permissions } = atHand(
      opening.permissions === undefined ? undefined : { permissions: opening.permissions },
      () => deps.rights(opening.tenantId, { type: 'user', id: opening.userId }),
      { permissions: [] },
    );
    const claims = claimsOf(deps.issuer, { ...context, fingerprint }, access, {
      permissions,
      restrictions: terms.restrictions,
      limitsSeq: terms.asOf,
    });
    return issue(deps.keyring, claims, printRefreshToken(deps.refreshKeys, refresh));
  };

/** An access token alone. The mirror knows its ids like any other's, so it can be revoked. */
export const mintAccess =
  (deps: OpenDeps) =>
  async (opening: Opening & { readonly life: Millis; readonly rsq: number }): Promise<Tokens> => {
    const life = lifeFrom(deps.clock.now(), Math.min(opening.life, deps.longest), { ...deps.random, bytes: (size) => Buffer.alloc(size) });
    const permissions = opening.permissions ?? (await deps.rights(opening.tenantId, { type: 'user', id: opening.userId })).permissions;
    const access: Access = { generation: 1, ...life, rsq: opening.rsq };
    const { restrictions, asOf } = opening.terms ?? (await deps.terms(opening.tenantId, opening.userId));
    const context = { ...contextOf(deps, opening), fingerprint: fingerprintOf(opening.tenantId, opening.device?.fingerprint ?? '') };
    return issue(deps.keyring, claimsOf(deps.issuer, context, access, { permissions, restrictions, limitsSeq: asOf }), '');
  };
