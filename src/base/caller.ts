// Who is calling: what the transport and the credential proved, never what the request says.
import { Fault } from './fault.ts';
import type { Instant, Millis } from './time.ts';

export type TenantId = string;

/** A registered workload's entry, as far as callers are concerned (WorkloadService). */
export interface WorkloadEntry {
  readonly tenantId: TenantId;
  readonly namespace: string;
  readonly name: string;
  readonly audiences: readonly string[];
  readonly anyAudience: boolean;
  readonly tenants: readonly TenantId[];
  readonly resourceTypes: readonly string[];
  readonly calls: readonly string[];
  readonly permissions: readonly string[];
  readonly keyNames: readonly string[];
  readonly dnsNames: readonly string[];
  readonly certificateTtlSeconds: number;
  readonly asserts: readonly string[];
  /** Audiences, besides its own, that it may exchange tokens for; left out: none. */
  readonly exchangeAudiences?: readonly string[];
}

/** A proof that a session lacks. */
export interface SecondFactor {
  /** Does this permission, or a part of it, need the proof? */
  readonly neededFor: (permission: string) => boolean;
  /** Empty = any. */
  readonly methods: readonly string[];
  /** 0 = as old as the session. */
  readonly maxAge: Millis;
}

export type Caller =
  | { readonly kind: 'anonymous' }
  | {
      readonly kind: 'user';
      readonly tenantId: TenantId;
      readonly userId: string;
      readonly sessionId: string;
      readonly tokenId: string;
      readonly clientId: string;
      readonly scopes: readonly string[];
      readonly mfaVerified: boolean;
      readonly authMethod: string;
      readonly riskLevel: string;
      /** From 0 to 1; 0 = not weighed. */
      readonly riskScore: number;
      readonly expiresAt: Instant;
      /** Thumbprint of the DPoP key that this very call has proven, where its token is bound to one. */
      readonly jkt?: string;
      /** Somebody acts for this user by an exchanged token: what only the user itself may do, it may not. */
      readonly delegated?: boolean;
      /** Absent where nothing needs one, or the session has it. */
      readonly secondFactor?: SecondFactor;
    }
  | {
      readonly kind: 'api_key';
      readonly tenantId: TenantId;
      readonly keyId: string;
      readonly ownerId: string;
      readonly permissions: readonly string[];
      readonly scopes: readonly string[];
    }
  | {
      readonly kind: 'workload';
      readonly tenantId: TenantId;
      readonly spiffeId: string;
      readonly namespace: string;
      readonly name: string;
      /** null: the certificate is ours, but nobody registered the workload. */
      readonly entry: WorkloadEntry | null;
    };

export type KnownCaller = Exclude<Caller, { kind: 'anonymous' }>;

/** type and id as they stand in grants, events and answers. A workload's id is `<namespace>/<name>`. */
export const subjectOf = (caller: Caller): { readonly type: string; readonly id: string } => {
  switch (caller.kind) {
    case 'user':
      return { type: 'user', id: caller.userId };
    case 'api_key':
      return { type: 'api_key', id: caller.keyId };
    case 'workload':
      return { type: 'service', id: `${caller.namespace}/${caller.name}` };
    case 'anonymous':
      return { type: 'anonymous', id: '' };
  }
};

/** Why `permission` is not held, where it is not: it is missing, or would count with a second factor. */
export const lacks = (caller: Caller, permission: string): Fault =>
  caller.kind === 'user' && caller.secondFactor?.neededFor(permission) === true
    ? new Fault('FAILED_PRECONDITION', 'MFA_REQUIRED', `${permission} needs a second factor: log in with one`, {
        meta: {
          permission,
          acr_values: 'aal2',
          methods: caller.secondFactor.methods.join(' '),
          max_age: `${caller.secondFactor.maxAge / 1000}`,
        },
      })
    : new Fault('PERMISSION_DENIED', 'PERMISSION_MISSING', `this call needs the permission ${permission}`, { meta: { permission } });

/** Is it this user, himself or through somebody who acts for him by an exchanged token? */
export const isUser = (caller: Caller, tenantId: TenantId, userId: string): boolean =>
  caller.kind === 'user' && caller.tenantId === tenantId && caller.userId === userId;

/** PERMISSION_DENIED / IN_PERSON_ONLY for whoever acts for a user by an exchanged token. */
export const refuseDelegated = (caller: Caller): void => {
  if (caller.kind !== 'user' || caller.delegated !== true) return;
  throw new Fault('PERMISSION_DENIED', 'IN_PERSON_ONLY', 'who acts for somebody else makes no credentials in his name');
};

export const known = (caller: Caller): KnownCaller => {
  if (caller.kind === 'anonymous')
    throw new Fault('UNAUTHENTICATED', 'CREDENTIALS_MISSING', 'this call needs a certificate, an access token or an API key');
  return caller;
};

/**
 * The tenant a request speaks of: its own words, or the caller's tenant where it says nothing.
 * A tenant that the caller may not name reads like one that does not exist.
 */
export const tenantOf = (caller: Caller, requested: string, across = false): TenantId => {
  const own = known(caller).tenantId;
  if (requested === '' || requested === own) return own;
  if (across || (caller.kind === 'workload' && caller.entry?.tenants.includes(requested))) return requested;
  throw new Fault('PERMISSION_DENIED', 'TENANT_FORBIDDEN', 'no such tenant for this caller');
};

/** The tenants a caller may ask about, its own first. */
export const tenantsOf = (caller: Caller): readonly TenantId[] =>
  caller.kind === 'anonymous'
    ? []
    : caller.kind === 'workload' && caller.entry !== null && caller.entry.tenants.length > 0
      ? [...new Set([caller.tenantId, ...caller.entry.tenants])]
      : [caller.tenantId];
