// Families and sessions as their tables keep them.
import type { Selectable } from 'kysely';
import type { TenantId } from '../base/caller.ts';
import { readConfirmation } from './confirmation.ts';
import type { Device, Family, KeptContext, Rotated } from './family.ts';

export interface FamilyTable {
  tenant_id: string;
  family_id: string;
  session_id: string;
  user_id: string;
  client_id: string;
  device_id: string;
  fingerprint: string;
  context: KeptContext;
  confirmation: Readonly<Record<string, string>> | null;
  birth_rsq: number;
  generation: number;
  current_hash: Buffer;
  previous_hash: Buffer | null;
  successor_salt: Buffer | null;
  sender: string;
  access_issued_at: Date;
  access_expires_at: Date;
  access_rsq: number;
  access_generation: number | null;
  rotated_at: Date;
  idle_expires_at: Date;
  absolute_expires_at: Date;
  revoked_at: Date | null;
  revoked_reason: string;
}

interface SessionTable {
  tenant_id: string;
  session_id: string;
  user_id: string;
  client_id: string;
  auth_method: string;
  mfa_verified: boolean;
  device: Omit<Device, 'fingerprint'> | Record<string, never>;
  ip_address: string;
  user_agent: string;
  expires_at: Date;
  ended_at: Date | null;
  ended_reason: string;
}

export interface Tables {
  token_families: FamilyTable;
  sessions: SessionTable;
}

export const COLUMNS = [
  'tenant_id',
  'family_id',
  'session_id',
  'user_id',
  'client_id',
  'device_id',
  'fingerprint',
  'context',
  'confirmation',
  'birth_rsq',
  'generation',
  'current_hash',
  'previous_hash',
  'successor_salt',
  'sender',
  'access_issued_at',
  'access_expires_at',
  'access_rsq',
  'access_generation',
  'rotated_at',
  'idle_expires_at',
  'absolute_expires_at',
  'revoked_at',
  'revoked_reason',
] as const;

/** What every statement answers of a family. */
export type ContextRow = Pick<
  FamilyTable,
  | 'family_id'
  | 'session_id'
  | 'user_id'
  | 'client_id'
  | 'device_id'
  | 'fingerprint'
  | 'context'
  | 'confirmation'
  | 'birth_rsq'
  | 'generation'
>;

export const contextOf = (tenantId: TenantId, row: ContextRow): Omit<Rotated, 'access'> => ({
  ...row.context,
  tenantId,
  familyId: row.family_id,
  sessionId: row.session_id,
  userId: row.user_id,
  clientId: row.client_id,
  deviceId: row.device_id,
  fingerprint: row.fingerprint,
  confirmation: row.confirmation === null ? null : readConfirmation(row.confirmation),
  birthRsq: row.birth_rsq,
  generation: row.generation,
});

export const familyOf = (row: Selectable<FamilyTable>): Family => ({
  ...contextOf(row.tenant_id, row),
  access: {
    generation: Math.max(row.generation, row.access_generation ?? 0),
    issuedAt: row.access_issued_at.getTime(),
    expiresAt: row.access_expires_at.getTime(),
    rsq: row.access_rsq,
  },
  currentHash: row.current_hash,
  previousHash: row.previous_hash,
  successorSalt: row.successor_salt,
  sender: row.sender,
  rotatedAt: row.rotated_at.getTime(),
  idleExpiresAt: row.idle_expires_at.getTime(),
  absoluteExpiresAt: row.absolute_expires_at.getTime(),
  revokedAt: row.revoked_at?.getTime() ?? null,
  revokedReason: row.revoked_reason,
});
