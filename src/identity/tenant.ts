// A tenant: a wall with a name, the namespaces that are its own, and whether it may act at all.
import type { TenantId } from '../base/caller.ts';
import type { Constraints } from '../base/constraints.ts';
import { badField, Fault } from '../base/fault.ts';
import type { Instant } from '../base/time.ts';
import type { Change } from '../storage/storage.ts';
import { isLabel, label } from './names.ts';
import type { TenantPolicy } from './policy.ts';

export type TenantStatus = 'active' | 'suspended';

export interface Tenant {
  readonly tenantId: TenantId;
  readonly displayName: string;
  readonly status: TenantStatus;
  /** Sorted. Each belongs to no other tenant. */
  readonly namespaces: readonly string[];
  /** The encryption key used where a request names none. */
  readonly defaultKeyName: string;
  /** null = no limits on its users' tokens. */
  readonly constraints: Constraints | null;
  /** null = the installation's ways. */
  readonly policy: TenantPolicy | null;
  /** Sessions with a smaller rsq are over. */
  readonly watermark: number;
  readonly createdAt: Instant;
  readonly updatedAt: Instant;
}

export const tenantNotFound = (): Fault => new Fault('NOT_FOUND', 'TENANT_NOT_FOUND', 'no such tenant');

/** The name under which operators search the events that belong to no tenant: a tenant of that name would hide its own. */
const RESERVED = 'installation';

/** What may become a tenant's id: a label, as it stands in keys, secrets and events. INVALID_ARGUMENT that names the field otherwise. */
export const newTenantId = (text: string, field = 'id'): TenantId => {
  if (text === RESERVED) throw badField(field, 'is a reserved name');
  return label(field, text);
};

const MAX_NAMESPACES = 256;

/** Sorted, each once; INVALID_ARGUMENT that names the field otherwise. */
export const newNamespaces = (field: string, texts: readonly string[]): readonly string[] => {
  if (texts.length > MAX_NAMESPACES) throw badField(field, `must not be more than ${MAX_NAMESPACES}`);
  const bad = texts.findIndex((text) => !isLabel(text));
  if (bad >= 0) throw badField(`${field}[${bad}]`, 'must be 1 to 63 lower-case letters, digits and inner hyphens');
  return [...new Set(texts)].sort();
};

/** Keys under which the installation's own look-ups are cached; their changes carry no tenant. */
export const SOLE_TENANT = 'sole-tenant';
export const namespaceKey = (namespace: string): string => `namespace:${namespace}`;

/** What the caches of every replica have to forget when a tenant changed. */
export const tenantChanges = (tenantId: TenantId, namespaces: readonly string[] = []): readonly Change[] => [
  { kind: 'tenant_state', tenantId, key: tenantId, until: null },
  ...[SOLE_TENANT, ...namespaces.map(namespaceKey)].map((key): Change => ({ kind: 'tenant_state', tenantId: '', key, until: null })),
];
