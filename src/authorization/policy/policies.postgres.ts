// Policies and their versions in Postgres. The installation's are rows of tenant '', reached as the jobs role.
import { type Selectable, sql } from 'kysely';
import type { Database } from '../../storage/storage.ts';
import type { SetReader } from './load.ts';
import type { Body } from './plan.ts';
import type { NewPolicy, PolicyStore, StoredPolicy } from './policy.ts';
import { activeOf, among, BODY_FORM, chunks, policyTable, type PolicyRow, standingAt } from './policy-rows.postgres.ts';
import { setReader } from './set-reader.postgres.ts';
import { setStore } from './sets.postgres.ts';
import { inSlices } from '../../base/slices.ts';

/** Rows that are inserted by one statement, whole, and UTF-16 units of their texts after which there are enough. */
const WRITTEN = 25;
const WRITTEN_UNITS = 32_768;

const toPolicy = (row: Omit<Selectable<PolicyRow>, 'body'>): StoredPolicy => ({
  name: row.name,
  kind: row.kind,
  layer: row.layer,
  category: row.category,
  description: row.description,
  version: Number(row.from_version),
  content: row.content,
  createdAt: row.created_at.getTime(),
  createdBy: row.created_by,
});

const COLUMNS = [
  'tenant_id',
  'name',
  'from_version',
  'to_version',
  'kind',
  'category',
  'description',
  'layer',
  'content',
  'form',
  'offers',
  'needs',
  'created_at',
  'created_by',
] as const;

type StoredDocument = Awaited<ReturnType<PolicyStore['documents']>>[number];

/** What conditions were packed into is left where it is: only a set that is compiled needs it. */
function* parsed(rows: readonly Pick<PolicyRow, 'name' | 'content' | 'body'>[]): Generator<void, readonly StoredDocument[]> {
  const documents: StoredDocument[] = [];
  for (const { name, content, body } of rows) {
    documents.push({ name, content, document: (JSON.parse(body) as Body).document });
    yield;
  }
  return documents;
}

/** As many as one statement takes: few, or little text. */
function* statements(policies: Iterable<NewPolicy>): Generator<readonly NewPolicy[]> {
  let group: NewPolicy[] = [];
  let units = 0;
  for (const policy of policies) {
    group.push(policy);
    units += policy.content.length;
    if (group.length < WRITTEN && units < WRITTEN_UNITS) continue;
    yield group;
    [group, units] = [[], 0];
  }
  if (group.length > 0) yield group;
}

export const postgresPolicies = (db: Pick<Database, 'tenant' | 'jobs'>): PolicyStore & SetReader => ({
  ...setReader,
  ...setStore,

  read: (tenantId, work) => (tenantId === '' ? db.jobs(work) : db.tenant(tenantId, work)),

  async lock(tx, tenantId) {
    await sql`SELECT pg_advisory_xact_lock(hashtextextended(${`policies:${tenantId}`}, 0))`.execute(policyTable(tx));
  },

  async count(tx, tenantId) {
    const { count } = await activeOf(tx, tenantId)
      .select((eb) => eb.fn.countAll<number>().as('count'))
      .executeTakeFirstOrThrow();
    return Number(count);
  },

  async names(tx, tenantId) {
    return (await activeOf(tx, tenantId).select('name').execute()).map(({ name }) => name);
  },

  concerned: (tx, tenantId, conditions) =>
    activeOf(tx, tenantId)
      .select(['name', 'offers', 'needs'])
      .where(sql<boolean>`EXISTS (SELECT 1 FROM unnest(offers || needs) AS one WHERE split_part(one, ':', 1) = ANY(${conditions}))`)
      .execute(),

  async documents(tx, tenantId, names) {
    const found: StoredDocument[] = [];
    for (const chunk of chunks(names)) {
      const rows = await activeOf(tx, tenantId).select(['name', 'content', 'body']).where(among(chunk)).execute();
      found.push(...(await inSlices(parsed(rows))));
    }
    return found;
  },

  async difference(tx, tenantId, version) {
    const gone = await standingAt(tx, tenantId, version).select(['name', 'content']).where('to_version', 'is not', null).execute();
    const come = await policyTable(tx)
      .selectFrom('policy')
      .select('name')
      .where('tenant_id', '=', tenantId)
      .where('to_version', 'is', null)
      .where('from_version', '>', version)
      .execute();
    return { gone, come: come.map(({ name }) => name) };
  },

  async replace(tx, tenantId, version, { going, coming, at, by }) {
    for (const chunk of chunks(going))
      await policyTable(tx)
        .updateTable('policy')
        .set({ to_version: version })
        .where('tenant_id', '=', tenantId)
        .where('to_version', 'is', null)
        .where(among(chunk))
        .execute();
    for (const group of statements(coming))
      await policyTable(tx)
        .insertInto('policy')
        .values(
          group.map(({ name, kind, category, description, layer, content, body, offers, needs }) => ({
            tenant_id: tenantId,
            name,
            from_version: version,
            to_version: null,
            kind,
            category,
            description,
            layer,
            content,
            form: BODY_FORM,
            body: JSON.stringify(body),
            offers: [...offers],
            needs: [...needs],
            created_at: new Date(at),
            created_by: by,
          })),
        )
        .execute();
  },

  async list(tx, tenantId, version, { kind, category }, after, size) {
    let query = standingAt(tx, tenantId, version).select(COLUMNS);
    if (kind !== '') query = query.where('kind', '=', kind);
    if (category !== '') query = query.where('category', '=', category);
    if (after !== '') query = query.where('name', '>', after);
    const rows = await query
      .orderBy('name')
      .limit(size + 1)
      .execute();
    const shown = rows.slice(0, size);
    return { items: shown.map(toPolicy), after: rows.length > size ? (shown.at(-1)?.name ?? '') : '' };
  },

  async policy(tx, tenantId, name, version) {
    const row = await standingAt(tx, tenantId, version).select(COLUMNS).where('name', '=', name).executeTakeFirst();
    return row === undefined ? null : toPolicy(row);
  },
});
