// Port of the deny list: what is known to be dead, remembered outside Postgres so that it costs no SQL. Losing it changes no verdict.
import type { TenantId } from '../base/caller.ts';

export interface DenyList {
  /** Why a family is dead, or null: also when nobody can be asked. */
  deadFamily(tenantId: TenantId, familyId: string): Promise<string | null>;
  endFamily(tenantId: TenantId, familyId: string, reason: string): void;
  denyToken(tenantId: TenantId, tokenId: string, reason: string): void;
}
