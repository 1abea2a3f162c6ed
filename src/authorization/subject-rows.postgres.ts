// Everything stored about subjects, in one statement: what a cold check waits for.
import { sql } from 'kysely';
import type { TenantId } from '../base/caller.ts';
import type { Instant } from '../base/time.ts';
import { date } from '../storage/instants.ts';
import type { Tx } from '../storage/storage.ts';
import type { Condition } from './condition/condition.ts';
import type { StoredClearance, Subject, SubjectRows } from './subject.ts';
import type { Forgotten } from './stores.ts';

/** Instants as milliseconds: JSON has no dates. */
interface Stored {
  readonly assignments: readonly { readonly role: string; readonly nb: Instant | null; readonly ex: Instant | null }[] | null;
  readonly grants:
    | readonly {
        readonly id: string;
        readonly effect: 'allow' | 'deny';
        readonly permission: string;
        readonly resource: string;
        readonly nb: Instant | null;
        readonly ex: Instant | null;
        readonly condition: string;
        readonly tree: Condition | null;
      }[]
    | null;
  readonly memberships: readonly { readonly name: string; readonly ex: Instant | null }[] | null;
  readonly delegations:
    | readonly {
        readonly id: string;
        readonly type: string;
        readonly grantor: string;
        readonly permissions: readonly string[];
        readonly resource: string;
        readonly nb: Instant | null;
        readonly ex: Instant;
        readonly depth: number;
      }[]
    | null;
  readonly clearance: { readonly clearance: string; readonly ex: Instant | null } | null;
}

const millis = (column: string) => sql.raw(`floor(extract(epoch FROM ${column}) * 1000)::bigint`);
const NB = millis('not_before');
const EX = millis('expires_at');

const rowsOf = (subject: Subject, stored: Stored | undefined): SubjectRows => ({
  subject,
  assignments: (stored?.assignments ?? []).map(({ role, nb, ex }) => ({ role, notBefore: nb, expiresAt: ex })),
  grants: (stored?.grants ?? []).map(({ id, effect, permission, resource, nb, ex, condition, tree }) => ({
    id,
    effect,
    permission,
    resourceId: resource,
    notBefore: nb,
    expiresAt: ex,
    condition,
    tree,
  })),
  memberships: (stored?.memberships ?? []).map(({ name, ex }) => ({ group: name, expiresAt: ex })),
  delegations: (stored?.delegations ?? []).map(({ id, type, grantor, permissions, resource, nb, ex, depth }) => ({
    id,
    grantor: { type, id: grantor },
    permissions,
    resourceId: resource,
    notBefore: nb,
    expiresAt: ex,
    depth,
  })),
  clearance: stored?.clearance ? { clearance: stored.clearance.clearance, expiresAt: stored.clearance.ex } : null,
});

/** In the order of the subjects. */
export const readSubjects = async (tx: Tx, tenantId: TenantId, subjects: readonly Subject[]): Promise<readonly SubjectRows[]> => {
  const own = (prefix: string) =>
    sql`tenant_id = ${tenantId} AND ${sql.raw(prefix)}_type = wanted.type AND ${sql.raw(prefix)}_id = wanted.id`;
  const [types, ids] = [subjects.map(({ type }) => type), subjects.map(({ id }) => id)];
  const { rows } = await sql<Stored>`SELECT
    (SELECT json_agg(json_build_object('role', role, 'nb', ${NB}, 'ex', ${EX}) ORDER BY role)
       FROM role_assignment WHERE ${own('subject')}) AS assignments,
    (SELECT json_agg(json_build_object('id', id, 'effect', effect, 'permission', permission, 'resource', resource_id, 'nb', ${NB}, 'ex', ${EX},
         'condition', condition, 'tree', condition_tree) ORDER BY id)
       FROM permission_grant WHERE ${own('subject')}) AS grants,
    (SELECT json_agg(json_build_object('name', group_name, 'ex', ${EX}) ORDER BY group_name)
       FROM group_member WHERE ${own('member')}) AS memberships,
    (SELECT json_agg(json_build_object('id', id, 'type', grantor_type, 'grantor', grantor_id, 'permissions', permissions,
         'resource', resource_id, 'nb', ${NB}, 'ex', ${EX}, 'depth', depth) ORDER BY id)
       FROM delegation WHERE ${own('grantee')}) AS delegations,
    (SELECT json_build_object('clearance', clearance, 'ex', ${EX}) FROM subject_clearance WHERE ${own('subject')}) AS clearance
    FROM unnest(${types}::text[], ${ids}::text[]) WITH ORDINALITY AS wanted (type, id, place) ORDER BY wanted.place`.execute(
    tx.tables<object>(),
  );
  return subjects.map((subject, at) => rowsOf(subject, rows[at]));
};

export const setClearance = async (
  tx: Tx,
  tenantId: TenantId,
  { type, id }: Subject,
  { clearance, expiresAt }: StoredClearance,
  by: string,
  now: Instant,
): Promise<void> => {
  const db = tx.tables<object>();
  await sql`DELETE FROM subject_clearance WHERE tenant_id = ${tenantId} AND subject_type = ${type} AND subject_id = ${id}`.execute(db);
  if (clearance === '') return;
  await sql`INSERT INTO subject_clearance (tenant_id, subject_type, subject_id, clearance, expires_at, set_by, created_at)
    VALUES (${tenantId}, ${type}, ${id}, ${clearance}, ${date(expiresAt)}, ${by}, ${new Date(now)})`.execute(db);
};

/** See the port. */
export const forgetSubject = async (tx: Tx, tenantId: TenantId, { type, id }: Subject, clearanceToo: boolean): Promise<Forgotten> => {
  const db = tx.tables<object>();
  const of = (side: string) => sql`tenant_id = ${tenantId} AND ${sql.ref(`${side}_type`)} = ${type} AND ${sql.ref(`${side}_id`)} = ${id}`;
  const counts = [
    await sql`DELETE FROM role_assignment WHERE ${of('subject')}`.execute(db),
    await sql`DELETE FROM permission_grant WHERE ${of('subject')} AND effect = 'allow'`.execute(db),
    await sql`DELETE FROM group_member WHERE ${of('member')}`.execute(db),
    await sql`DELETE FROM delegation WHERE ${of('grantee')}`.execute(db),
    ...(clearanceToo ? [await sql`DELETE FROM subject_clearance WHERE ${of('subject')}`.execute(db)] : []),
  ].map(({ numAffectedRows }) => Number(numAffectedRows ?? 0));
  const lent = await sql<Subject>`DELETE FROM delegation WHERE ${of('grantor')} RETURNING grantee_type AS type, grantee_id AS id`.execute(
    db,
  );
  return { rows: counts.reduce((sum, count) => sum + count, lent.rows.length), grantees: lent.rows };
};
