// Rows of policies in Postgres, each with the versions in which it stands, and the queries that all who read them begin with.
import { sql } from 'kysely';
import type { TenantId } from '../../base/caller.ts';
import type { Tx } from '../../storage/storage.ts';

export interface PolicyRow {
  tenant_id: string;
  name: string;
  from_version: string | number;
  to_version: string | number | null;
  kind: string;
  category: string;
  description: string;
  layer: string;
  content: string;
  form: number;
  body: string;
  offers: string[];
  needs: string[];
  created_at: Date;
  created_by: string;
}

/** Of what is stored in `body`: older forms are read as well, a row of a newer one is read anew from its content. */
export const BODY_FORM = 2;
/** Rows of one statement: its text is made, and its answer read, in one go. */
const CHUNK = 100;

export const policyTable = (tx: Tx) => tx.tables<{ policy: PolicyRow }>();

export const chunks = <T>(items: readonly T[]): readonly (readonly T[])[] =>
  Array.from({ length: Math.ceil(items.length / CHUNK) }, (_, at) => items.slice(at * CHUNK, (at + 1) * CHUNK));

export const standingAt = (tx: Tx, tenantId: TenantId, version: number) =>
  policyTable(tx)
    .selectFrom('policy')
    .where('tenant_id', '=', tenantId)
    .where('from_version', '<=', version)
    .where((eb) => eb.or([eb('to_version', 'is', null), eb('to_version', '>', version)]));

export const activeOf = (tx: Tx, tenantId: TenantId) =>
  policyTable(tx).selectFrom('policy').where('tenant_id', '=', tenantId).where('to_version', 'is', null);

export const among = (names: readonly string[]) => sql<boolean>`name = ANY(${names})`;
