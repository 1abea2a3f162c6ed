// Policies and their versions in Postgres. The installation's are rows of tenant '', reached as the jobs role.
import { type Selectable, sql } from 'kysely';
import type { TenantId } from '../../base/caller.ts';
import type { Database, Tx } from '../../storage/storage.ts';
import type { SetReader, StoredBody } from './load.ts';
import type { Body } from './plan.ts';
import type { Draft, PolicyStore, SetState, SetVersion, StoredPolicy } from './policy.ts';
import type { Level, PolicyChange } from './risk.ts';
import { inSlices } from './slices.ts';

interface PolicyRow {
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

interface Tables {
  policy: PolicyRow;
  policy_set: SetRow;
}

/** Of what is stored in `body`. A row of another form is read anew from its content. */
const BODY_FORM = 1;
/** Rows of one statement: its text is made, and its answer read, in one go. */
const CHUNK = 100;
/** Rows that are inserted by one statement, whole. */
const WRITTEN = 25;

const tablesOf = (tx: Tx) => tx.tables<Tables>();

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

const chunks = <T>(items: readonly T[], size = CHUNK): readonly (readonly T[])[] =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, at) => items.slice(at * size, (at + 1) * size));

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

const standingAt = (tx: Tx, tenantId: TenantId, version: number) =>
  tablesOf(tx)
    .selectFrom('policy')
    .where('tenant_id', '=', tenantId)
    .where('from_version', '<=', version)
    .where((eb) => eb.or([eb('to_version', 'is', null), eb('to_version', '>', version)]));

const activeOf = (tx: Tx, tenantId: TenantId) =>
  tablesOf(tx).selectFrom('policy').where('tenant_id', '=', tenantId).where('to_version', 'is', null);

const among = (names: readonly string[]) => sql<boolean>`name = ANY(${names})`;

function* parsed(rows: readonly Pick<PolicyRow, 'name' | 'content' | 'body'>[]) {
  const bodies = [];
  for (const { name, content, body } of rows) {
    bodies.push({ name, content, body: JSON.parse(body) as Body });
    yield;
  }
  return bodies;
}

/** Rows of a set in pages: those of one statement are parsed in one go. */
const PAGE = 100;
/** Of names alone. */
const NAMES = 1000;

/** What is compiled: the text only where the body is of another form. */
const bodiesAt = (tx: Tx, tenantId: TenantId, version: number) =>
  standingAt(tx, tenantId, version).select([
    'name',
    'from_version',
    sql<string | null>`CASE WHEN form = ${BODY_FORM} THEN body END`.as('body'),
    sql<string>`CASE WHEN form = ${BODY_FORM} THEN '' ELSE content END`.as('content'),
    sql<boolean>`offers <> '{}'`.as('offers'),
  ]);

const toBody = ({ from_version, ...row }: Omit<StoredBody, 'version'> & { readonly from_version: string | number }): StoredBody => ({
  ...row,
  version: Number(from_version),
});

/** All pages of a query in the order of its names. */
const pagesOf = async <T extends { readonly name: string }>(page: (after: string) => Promise<readonly T[]>, size: number): Promise<T[]> => {
  const found: T[] = [];
  for (let after = ''; ; after = found.at(-1)?.name ?? '') {
    const rows = await page(after);
    found.push(...rows);
    if (rows.length < size) return found;
  }
};

export const postgresPolicies = (db: Pick<Database, 'tenant' | 'jobs'>): PolicyStore & SetReader => ({
  async since(tx, tenantId, version) {
    const active = await tablesOf(tx)
      .selectFrom('policy_set')
      .select('version')
      .where('tenant_id', '=', tenantId)
      .where('state', '=', 'active')
      .executeTakeFirst();
    const at = Number(active?.version ?? 0);
    if (at === version) return { version: at, come: [], gone: [] };
    const come = await pagesOf(
      (after) =>
        bodiesAt(tx, tenantId, at).where('from_version', '>', version).where('name', '>', after).orderBy('name').limit(PAGE).execute(),
      PAGE,
    );
    const gone = await pagesOf(
      (after) =>
        tablesOf(tx)
          .selectFrom('policy')
          .select('name')
          .where('tenant_id', '=', tenantId)
          .where('from_version', '<=', version)
          .where('to_version', '>', version)
          .where('name', '>', after)
          .orderBy('name')
          .limit(NAMES)
          .execute(),
      NAMES,
    );
    return { version: at, come: come.map(toBody), gone: gone.map(({ name }) => name) };
  },

  async standing(tx, tenantId, version, names) {
    const found: StoredBody[] = [];
    for (const chunk of chunks(names)) found.push(...(await bodiesAt(tx, tenantId, version).where(among(chunk)).execute()).map(toBody));
    return found;
  },

  read: (tenantId, work) => (tenantId === '' ? db.jobs(work) : db.tenant(tenantId, work)),

  async lock(tx, tenantId) {
    await sql`SELECT pg_advisory_xact_lock(hashtextextended(${`policies:${tenantId}`}, 0))`.execute(tablesOf(tx));
  },

  async versions(tx, tenantId) {
    const row = await tablesOf(tx)
      .selectFrom('policy_set')
      .select((eb) => [eb.fn.max('version').as('last'), eb.fn.max('version').filterWhere('state', '=', 'active').as('active')])
      .where('tenant_id', '=', tenantId)
      .executeTakeFirst();
    return { active: Number(row?.active ?? 0), last: Number(row?.last ?? 0) };
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

  async bodies(tx, tenantId, names) {
    const found: { readonly name: string; readonly content: string; readonly body: Body }[] = [];
    for (const chunk of chunks(names)) {
      const rows = await activeOf(tx, tenantId).select(['name', 'content', 'body']).where(among(chunk)).execute();
      found.push(...(await inSlices(parsed(rows))));
    }
    return found;
  },

  async difference(tx, tenantId, version) {
    const gone = await standingAt(tx, tenantId, version).select(['name', 'content']).where('to_version', 'is not', null).execute();
    const come = await tablesOf(tx)
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
      await tablesOf(tx)
        .updateTable('policy')
        .set({ to_version: version })
        .where('tenant_id', '=', tenantId)
        .where('to_version', 'is', null)
        .where(among(chunk))
        .execute();
    for (const chunk of chunks(coming, WRITTEN))
      await tablesOf(tx)
        .insertInto('policy')
        .values(
          chunk.map(({ name, kind, category, description, layer, content, body, offers, needs }) => ({
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

  async putSet(tx, tenantId, set, draft) {
    const values = {
      base_version: set.baseVersion,
      state: set.state,
      policies: set.policies,
      changed: set.changed,
      level: set.level,
      changes: JSON.stringify(set.changes),
      comment: set.comment,
      draft: draft === null ? null : JSON.stringify(draft),
      activated_at: set.activatedAt === null ? null : new Date(set.activatedAt),
    };
    await tablesOf(tx)
      .insertInto('policy_set')
      .values({ tenant_id: tenantId, version: set.version, created_at: new Date(set.createdAt), created_by: set.createdBy, ...values })
      .onConflict((conflict) => conflict.columns(['tenant_id', 'version']).doUpdateSet(values))
      .execute();
  },

  async supersede(tx, tenantId) {
    await tablesOf(tx)
      .updateTable('policy_set')
      .set({ state: 'superseded' })
      .where('tenant_id', '=', tenantId)
      .where('state', '=', 'active')
      .execute();
  },

  async set(tx, tenantId, version) {
    const row = await tablesOf(tx)
      .selectFrom('policy_set')
      .selectAll()
      .where('tenant_id', '=', tenantId)
      .where('version', '=', version)
      .executeTakeFirst();
    return row === undefined ? null : { set: toSet(row), draft: row.draft === null ? null : (JSON.parse(row.draft) as Draft) };
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

  async listSets(tx, tenantId, after, size) {
    let query = tablesOf(tx).selectFrom('policy_set').selectAll().where('tenant_id', '=', tenantId);
    if (after !== '') query = query.where('version', '<', Number(after));
    const rows = await query
      .orderBy('version', 'desc')
      .limit(size + 1)
      .execute();
    const shown = rows.slice(0, size);
    return { items: shown.map(toSet), after: rows.length > size ? String(shown.at(-1)?.version ?? '') : '' };
  },
});
