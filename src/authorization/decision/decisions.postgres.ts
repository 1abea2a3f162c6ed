// Recorded decisions in Postgres. What is personal is sealed before it leaves the process.
import { sql } from 'kysely';
import type { TenantId } from '../../base/caller.ts';
import type { Sealer } from '../../base/sealer.ts';
import type { Database, Tx } from '../../storage/storage.ts';
import { inSlices } from '../../base/slices.ts';
import type { DecisionRecord, DecisionStore } from './decision.ts';

interface Row {
  tenant_id: string;
  id: string;
  at: Date;
  subject_type: string;
  subject_id: string;
  resource_type: string;
  action: string;
  allowed: boolean;
  code: string;
  rules: string[];
  revision: string | number;
  sealed: Buffer;
}

/** `roles`: those that a trusted issuer's token brought along. */
type Sealed = Pick<DecisionRecord, 'ruling' | 'gated' | 'asked' | 'steps'> & Pick<DecisionRecord['subject'], 'roles'>;

interface Tables {
  decision: Row;
}

const tablesOf = (tx: Tx) => tx.tables<Tables>();

/** Rows of one statement, and rows removed at a go. */
const CHUNK = 100;
const SWEEP = 5000;
const PURPOSE = 'decision';

export const postgresDecisions = (db: Pick<Database, 'tenant' | 'jobs'>, sealer: Pick<Sealer, 'seal' | 'open'>): DecisionStore => {
  const contextOf = (tenantId: TenantId, id: string): string => `${tenantId}/${id}`;

  /** As JSON of a row; what is sealed in hexadecimal digits. */
  const toRow = ({ tenantId, id, at, subject, resourceType, action, ruling, gated, revision, asked, steps }: DecisionRecord): string => {
    const open = Buffer.from(JSON.stringify({ ruling, gated, asked, steps, roles: subject.roles }));
    const row: Record<keyof Row, unknown> = {
      tenant_id: tenantId,
      id,
      at: new Date(at).toISOString(),
      subject_type: subject.type,
      subject_id: subject.id,
      resource_type: resourceType,
      action,
      allowed: ruling.allowed,
      code: ruling.code,
      rules: ruling.rules,
      revision,
      sealed: sealer.seal(PURPOSE, contextOf(tenantId, id), open).toString('hex'),
    };
    return JSON.stringify(row);
  };

  function* toRows(records: readonly DecisionRecord[]): Generator<void, string> {
    const rows: string[] = [];
    for (const record of records) {
      rows.push(toRow(record));
      yield;
    }
    return `[${rows.join(',')}]`;
  }

  // One parameter whatever the number of rows: the statement's text never changes, so nothing is compiled per flush.
  const insert = (rows: string): Promise<unknown> =>
    db.jobs((tx) =>
      sql`
        INSERT INTO decision
          (tenant_id, id, at, subject_type, subject_id, resource_type, action, allowed, code, rules, revision, sealed)
        SELECT tenant_id, id, at, subject_type, subject_id, resource_type, action, allowed, code, rules, revision, decode(sealed, 'hex')
          FROM json_to_recordset(${rows}::json) AS row
            (tenant_id text, id text, at timestamptz, subject_type text, subject_id text, resource_type text, action text,
             allowed boolean, code text, rules text[], revision bigint, sealed text)
        ON CONFLICT DO NOTHING`.execute(tablesOf(tx)),
    );

  const toRecord = (row: Row): DecisionRecord => {
    const opened = sealer.open(PURPOSE, contextOf(row.tenant_id, row.id), row.sealed).toString('utf8');
    const { roles, ...sealed } = JSON.parse(opened) as Sealed;
    return {
      tenantId: row.tenant_id,
      id: row.id,
      at: row.at.getTime(),
      subject: { type: row.subject_type, id: row.subject_id, ...(roles === undefined ? {} : { roles }) },
      resourceType: row.resource_type,
      action: row.action,
      revision: Number(row.revision),
      ...sealed,
    };
  };

  const purge = (where: ReturnType<typeof sql<boolean>>): Promise<boolean> =>
    db.jobs(async (tx) => {
      const gone = await sql`DELETE FROM decision WHERE ctid IN (SELECT ctid FROM decision WHERE ${where} LIMIT ${SWEEP})`.execute(
        tablesOf(tx),
      );
      return Number(gone.numAffectedRows ?? 0) === SWEEP;
    });

  return {
    async append(records) {
      for (let at = 0; at < records.length; at += CHUNK) await insert(await inSlices(toRows(records.slice(at, at + CHUNK))));
    },

    find: (tenantId, id) =>
      db.tenant(tenantId, async (tx) => {
        const row = await tablesOf(tx)
          .selectFrom('decision')
          .selectAll()
          .where('tenant_id', '=', tenantId)
          .where('id', '=', id)
          .executeTakeFirst();
        return row === undefined ? null : toRecord(row);
      }),

    page: (tenantId, from, until, after, size) =>
      db.tenant(tenantId, async (tx) => {
        let query = tablesOf(tx)
          .selectFrom('decision')
          .selectAll()
          .where('tenant_id', '=', tenantId)
          .where('at', '>=', new Date(from))
          .where('at', '<', new Date(until));
        if (after !== null) query = query.where((eb) => eb(eb.refTuple('at', 'id'), '<', eb.tuple(new Date(after.at), after.id)));
        const rows = await query.orderBy('at', 'desc').orderBy('id', 'desc').limit(size).execute();
        return rows.map(toRecord);
      }),

    async sweep(before, most) {
      while (await purge(sql<boolean>`at < ${new Date(before)}`));
      const full = await db.jobs((tx) =>
        tablesOf(tx)
          .selectFrom('decision')
          .select('tenant_id')
          .groupBy('tenant_id')
          .having((eb) => eb.fn.countAll(), '>', most)
          .execute(),
      );
      for (const { tenant_id: tenantId } of full) {
        const edge = await db.jobs((tx) =>
          tablesOf(tx)
            .selectFrom('decision')
            .select('at')
            .where('tenant_id', '=', tenantId)
            .orderBy('at', 'desc')
            .offset(most)
            .limit(1)
            .executeTakeFirst(),
        );
        if (edge !== undefined) while (await purge(sql<boolean>`tenant_id = ${tenantId} AND at <= ${edge.at}`));
      }
    },
  };
};
