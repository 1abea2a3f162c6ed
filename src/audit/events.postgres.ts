// The log in Postgres: one statement a batch, partitions by month. Rows are added and read; nothing here changes one.
import { type RawBuilder, sql } from 'kysely';
import type { TenantId } from '../base/caller.ts';
import type { Database, Tx } from '../storage/storage.ts';
import type { AuditEvent, EventFilter, EventStore, Position } from './audit.ts';

interface AuditEventTable {
  readonly tenant_id: string;
  readonly time: Date;
  readonly id: string;
  readonly type: string;
  readonly actor_type: string;
  readonly actor_id: string;
  readonly actor_tenant_id: string;
  readonly resource: string;
  readonly action: string;
  readonly result: 'success' | 'failure' | 'error';
  readonly reason: string;
  readonly level: 'info' | 'warning' | 'alert';
  readonly ip_address: string;
  readonly session_id: string;
  readonly request_id: string;
  readonly method: string;
  readonly count: number;
  readonly details: Record<string, unknown>;
  readonly risk_indicators: string[];
}
interface Tables {
  audit_event: AuditEventTable;
}

const rowOf = (event: AuditEvent): Record<string, unknown> => ({
  tenant_id: event.tenantId,
  time: new Date(event.time).toISOString(),
  id: event.id,
  type: event.type,
  actor_type: event.actor.type,
  actor_id: event.actor.id,
  actor_tenant_id: event.actor.tenantId,
  resource: event.resource,
  action: event.action,
  result: event.result,
  reason: event.reason,
  level: event.level,
  ip_address: event.ipAddress,
  session_id: event.sessionId,
  request_id: event.requestId,
  method: event.method,
  count: event.count,
  details: event.details,
  risk_indicators: event.riskIndicators,
});

const eventOf = (row: AuditEventTable): AuditEvent => ({
  id: row.id,
  time: row.time.getTime(),
  tenantId: row.tenant_id,
  type: row.type,
  actor: { type: row.actor_type, id: row.actor_id, tenantId: row.actor_tenant_id },
  resource: row.resource,
  action: row.action,
  result: row.result,
  reason: row.reason,
  level: row.level,
  method: row.method,
  ipAddress: row.ip_address,
  sessionId: row.session_id,
  requestId: row.request_id,
  count: row.count,
  details: row.details,
  riskIndicators: row.risk_indicators,
});

// One parameter whatever the number of rows: the statement's text never changes, so nothing is compiled per batch.
const insert = async (tx: Tx, events: readonly AuditEvent[]): Promise<void> => {
  await sql`
    INSERT INTO audit_event
      (tenant_id, time, id, type, actor_type, actor_id, actor_tenant_id, resource, action, result, reason, level,
       ip_address, session_id, request_id, method, count, details, risk_indicators)
    SELECT tenant_id, time, id, type, actor_type, actor_id, actor_tenant_id, resource, action, result, reason, level,
           ip_address, session_id, request_id, method, count, details, risk_indicators
      FROM json_to_recordset(${JSON.stringify(events.map(rowOf))}::json) AS row
        (tenant_id text, time timestamptz, id text, type text, actor_type text, actor_id text, actor_tenant_id text, resource text,
         action text, result text, reason text, level text, ip_address text, session_id text, request_id text, method text,
         count bigint, details jsonb, risk_indicators text[])`.execute(tx.tables<Tables>());
};

const COLUMNS = {
  actorType: 'actor_type',
  actorId: 'actor_id',
  resource: 'resource',
  action: 'action',
  result: 'result',
  sessionId: 'session_id',
  requestId: 'request_id',
} as const;

const ofTypes = (types: readonly string[]): RawBuilder<boolean> =>
  sql<boolean>`(${sql.join(
    types.map((type) => (type.endsWith('.*') ? sql`starts_with(type, ${type.slice(0, -1)})` : sql`type = ${type}`)),
    sql` OR `,
  )})`;

const find = async (tx: Tx, tenantId: TenantId, filter: EventFilter, after: Position | null, limit: number): Promise<AuditEvent[]> => {
  let query = tx.tables<Tables>().selectFrom('audit_event').selectAll().where('tenant_id', '=', tenantId);
  if (filter.from !== null) query = query.where('time', '>=', new Date(filter.from));
  if (filter.until !== null) query = query.where('time', '<', new Date(filter.until));
  if (filter.types.length > 0) query = query.where(ofTypes(filter.types));
  for (const [member, column] of Object.entries(COLUMNS)) {
    const wanted = filter[member as keyof typeof COLUMNS];
    if (wanted !== '') query = query.where(column, '=', wanted);
  }
  if (after !== null) query = query.where(sql<boolean>`(time, id) < (${new Date(after.time)}, ${after.id})`);
  const rows = await query.orderBy('time', 'desc').orderBy('id', 'desc').limit(limit).execute();
  return rows.map(eventOf);
};

export const postgresEvents = (db: Database): EventStore => ({
  insert,
  append: (events) => db.jobs((tx) => insert(tx, events)),

  // The installation's own events stand behind no tenant's wall: the service's role cannot read them.
  search: (tenantId, filter, after, limit) =>
    tenantId === ''
      ? db.jobs((tx) => find(tx, '', filter, after, limit))
      : db.tenant(tenantId, (tx) => find(tx, tenantId, filter, after, limit)),

  keepMonth: (month) =>
    db.jobs(async (tx) => {
      const { rows } = await sql<{ made: boolean }>`SELECT audit_event_keep_month(${month}::date) AS made`.execute(tx.tables<Tables>());
      return rows[0]?.made ?? false;
    }),

  dropBefore: (bound) =>
    db.jobs(async (tx) => {
      const found = await sql<{ name: string }>`SELECT name FROM audit_event_drop_before(${new Date(bound)}) AS name`.execute(
        tx.tables<Tables>(),
      );
      return found.rows.map(({ name }) => name);
    }),
});
