// Versions of sets of policies in Postgres: which one is active, what each changed, and drafts.
import type { Selectable } from 'kysely';
import type { TenantId } from '../../base/caller.ts';
import type { Tx } from '../../storage/storage.ts';
import { printDraft, readDraft } from './draft-text.ts';
import type { PolicyStore, SetState, SetVersion } from './policy.ts';
import type { Level, PolicyChange } from './risk.ts';
import { inSlices } from '../../base/slices.ts';

interface SetRow {
  tenant_id: string;
  version: string | number;
  base_version: string | number;
  state: string;
  policies: number;
  changed: number;
  level: string;
  changes: unknown;
  comment: string;
  draft: string | null;
  created_at: Date;
  created_by: string;
  activated_at: Date | null;
}

const setTable = (tx: Tx) => tx.tables<{ policy_set: SetRow }>();

const toSet = (row: Selectable<SetRow>): SetVersion => ({
  version: Number(row.version),
  baseVersion: Number(row.base_version),
  state: row.state as SetState,
  policies: row.policies,
  changed: row.changed,
  level: row.level as Level,
  changes: row.changes as readonly PolicyChange[],
  comment: row.comment,
  createdAt: row.created_at.getTime(),
  createdBy: row.created_by,
  activatedAt: row.activated_at?.getTime() ?? null,
});

/** 0 where none was ever applied. */
export const activeVersion = async (tx: Tx, tenantId: TenantId): Promise<number> => {
  const active = await setTable(tx)
    .selectFrom('policy_set')
    .select('version')
    .where('tenant_id', '=', tenantId)
    .where('state', '=', 'active')
    .executeTakeFirst();
  return Number(active?.version ?? 0);
};

export const setStore: Pick<PolicyStore, 'versions' | 'putSet' | 'supersede' | 'set' | 'listSets'> = {
  async versions(tx, tenantId) {
    const row = await setTable(tx)
      .selectFrom('policy_set')
      .select((eb) => [eb.fn.max('version').as('last'), eb.fn.max('version').filterWhere('state', '=', 'active').as('active')])
      .where('tenant_id', '=', tenantId)
      .executeTakeFirst();
    return { active: Number(row?.active ?? 0), last: Number(row?.last ?? 0) };
  },

  async putSet(tx, tenantId, set, draft) {
    const printed = draft === null ? null : await inSlices(printDraft(draft));
    const values = {
      base_version: set.baseVersion,
      state: set.state,
      policies: set.policies,
      changed: set.changed,
      level: set.level,
      changes: JSON.stringify(set.changes),
      comment: set.comment,
      draft: printed,
      activated_at: set.activatedAt === null ? null : new Date(set.activatedAt),
    };
    await setTable(tx)
      .insertInto('policy_set')
      .values({ tenant_id: tenantId, version: set.version, created_at: new Date(set.createdAt), created_by: set.createdBy, ...values })
      .onConflict((conflict) => conflict.columns(['tenant_id', 'version']).doUpdateSet(values))
      .execute();
  },

  async supersede(tx, tenantId) {
    await setTable(tx)
      .updateTable('policy_set')
      .set({ state: 'superseded' })
      .where('tenant_id', '=', tenantId)
      .where('state', '=', 'active')
      .execute();
  },

  async set(tx, tenantId, version) {
    const row = await setTable(tx)
      .selectFrom('policy_set')
      .selectAll()
      .where('tenant_id', '=', tenantId)
      .where('version', '=', version)
      .executeTakeFirst();
    if (row === undefined) return null;
    return { set: toSet(row), draft: row.draft === null ? null : await inSlices(readDraft(row.draft)) };
  },

  async listSets(tx, tenantId, after, size) {
    let query = setTable(tx).selectFrom('policy_set').selectAll().where('tenant_id', '=', tenantId);
    if (after !== '') query = query.where('version', '<', Number(after));
    const rows = await query
      .orderBy('version', 'desc')
      .limit(size + 1)
      .execute();
    const shown = rows.slice(0, size);
    return { items: shown.map(toSet), after: rows.length > size ? String(shown.at(-1)?.version ?? '') : '' };
  },
};
