// Groups and their members in Postgres.
import { sql } from 'kysely';
import { date, instant } from '../storage/instants.ts';
import type { Database, Tx } from '../storage/storage.ts';
import type { Groups, Member } from './stores.ts';

interface MemberRow {
  readonly group_name: string;
  readonly member_type: string;
  readonly member_id: string;
  readonly expires_at: Date | null;
  readonly created_at: Date;
  readonly added_by: string;
}

const memberOf = (row: MemberRow): Member => ({
  group: row.group_name,
  member: { type: row.member_type, id: row.member_id },
  expiresAt: instant(row.expires_at),
  createdAt: row.created_at.getTime(),
  createdBy: row.added_by,
});

const on = (tx: Tx) => tx.tables<object>();

export const postgresGroups = (db: Pick<Database, 'tenant'>): Groups => ({
  async count(tx, tenantId) {
    const { rows } = await sql<{ n: number }>`SELECT count(*)::integer AS n FROM subject_group WHERE tenant_id = ${tenantId}`.execute(
      on(tx),
    );
    return rows[0]?.n ?? 0;
  },

  async find(tx, tenantId, name) {
    const { rows } = await sql<{
      name: string;
      description: string;
    }>`SELECT name, description FROM subject_group WHERE tenant_id = ${tenantId} AND name = ${name}`.execute(on(tx));
    return rows[0] ?? null;
  },

  async put(tx, tenantId, { name, description }, now) {
    const at = new Date(now);
    await sql`INSERT INTO subject_group (tenant_id, name, description, created_at, updated_at) VALUES (${tenantId}, ${name}, ${description}, ${at}, ${at})
      ON CONFLICT (tenant_id, name) DO UPDATE SET description = excluded.description, updated_at = excluded.updated_at`.execute(on(tx));
  },

  async delete(tx, tenantId, name) {
    for (const [table, side] of [
      ['role_assignment', 'subject'],
      ['permission_grant', 'subject'],
      ['delegation', 'grantee'],
    ] as const)
      await sql`DELETE FROM ${sql.table(table)} WHERE tenant_id = ${tenantId} AND ${sql.ref(`${side}_type`)} = 'group' AND ${sql.ref(`${side}_id`)} = ${name}`.execute(
        on(tx),
      );
    await sql`DELETE FROM subject_group WHERE tenant_id = ${tenantId} AND name = ${name}`.execute(on(tx));
  },

  async add(tx, tenantId, { group, member, expiresAt, createdAt, createdBy }) {
    await sql`INSERT INTO group_member (tenant_id, member_type, member_id, group_name, expires_at, added_by, created_at)
      VALUES (${tenantId}, ${member.type}, ${member.id}, ${group}, ${date(expiresAt)}, ${createdBy}, ${new Date(createdAt)})
      ON CONFLICT (tenant_id, member_type, member_id, group_name) DO UPDATE SET expires_at = excluded.expires_at, added_by = excluded.added_by`.execute(
      on(tx),
    );
  },

  async remove(tx, tenantId, group, members) {
    const types = members.map(({ type }) => type);
    const ids = members.map(({ id }) => id);
    const { rows } = await sql`DELETE FROM group_member WHERE tenant_id = ${tenantId} AND group_name = ${group}
      AND (member_type, member_id) IN (SELECT * FROM unnest(${types}::text[], ${ids}::text[])) RETURNING member_id`.execute(on(tx));
    return rows.length;
  },

  async countOf(tx, tenantId, { type, id }) {
    const { rows } = await sql<{
      n: number;
    }>`SELECT count(*)::integer AS n FROM group_member WHERE tenant_id = ${tenantId} AND member_type = ${type} AND member_id = ${id}`.execute(
      on(tx),
    );
    return rows[0]?.n ?? 0;
  },

  list: (tenantId, member, after, size) =>
    db.tenant(tenantId, async (tx) => {
      const its =
        member === null
          ? sql`true`
          : sql`name IN (SELECT group_name FROM group_member WHERE tenant_id = ${tenantId} AND member_type = ${member.type} AND member_id = ${member.id})`;
      const { rows } = await sql<{ name: string; description: string }>`SELECT name, description FROM subject_group
        WHERE tenant_id = ${tenantId} AND name > ${after} AND ${its} ORDER BY name LIMIT ${size + 1}`.execute(on(tx));
      const items = rows.slice(0, size);
      return { items, after: rows.length > size ? (items.at(-1)?.name ?? '') : '' };
    }),

  listMembers: (tenantId, group, after, size) =>
    db.tenant(tenantId, async (tx) => {
      const [type, id] = after === '' ? ['', ''] : (JSON.parse(after) as [string, string]);
      const { rows } = await sql<MemberRow>`SELECT group_name, member_type, member_id, expires_at, created_at, added_by FROM group_member
        WHERE tenant_id = ${tenantId} AND group_name = ${group} AND (member_type, member_id) > (${type}, ${id})
        ORDER BY member_type, member_id LIMIT ${size + 1}`.execute(on(tx));
      const shown = rows.slice(0, size);
      const last = shown.at(-1);
      return { items: shown.map(memberOf), after: rows.length > size && last ? JSON.stringify([last.member_type, last.member_id]) : '' };
    }),
});
