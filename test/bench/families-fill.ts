// Families and sessions as logins leave them, by the million: rows like one that the hub itself has written, ids as long as real ones.
import type pg from 'pg';

export interface Births {
  /** The session that all of them are like. */
  readonly sessionId: string;
  /** Numbers of their own for ever. */
  readonly from: number;
  readonly to: number;
  /** Their ends, one after another in this time. */
  readonly endsFrom: Date;
  readonly endsTo: Date;
}

/** A user has got two or three of them. */
const USERS = 4_000_000;

/** A tenth belongs to the tenant of that session, the rest to a thousand others; a tenth of all came by way of one workload. */
const TENANT = `CASE n % 10 WHEN 0 THEN like_this.tenant_id ELSE 'ten_' || lpad((n % 997)::text, 22, '0') END`;
const USER = `'usr_' || substr(md5((n * 2654435761 % ${USERS})::text), 1, 22)`;
const CLIENT = `CASE n / 10 % 10 WHEN 0 THEN 'default/shop' ELSE 'first-party' END`;
const END = `$4::timestamptz + ($5::timestamptz - $4::timestamptz) * ((n - $2)::float8 / ($3::bigint - $2::bigint))`;
const id = (prefix: string): string => `'${prefix}_' || substr(md5('${prefix}' || n), 1, 22)`;

const COPIES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  sessions: {
    tenant_id: TENANT,
    session_id: id('ses'),
    user_id: USER,
    client_id: CLIENT,
    auth_method: `(ARRAY['password', 'mfa', 'sso', 'certificate'])[1 + n % 7 % 4]`,
    mfa_verified: 'n % 7 % 4 = 1',
    created_at: `${END} - interval '30 days'`,
    expires_at: END,
  },
  token_families: {
    tenant_id: TENANT,
    family_id: id('fam'),
    session_id: id('ses'),
    user_id: USER,
    client_id: CLIENT,
    context: `like_this.context || jsonb_build_object('authMethod', (ARRAY['password', 'mfa', 'sso', 'certificate'])[1 + n % 7 % 4],
      'mfaVerified', n % 7 % 4 = 1, 'deviceType', (ARRAY['mobile', 'desktop', 'tablet'])[1 + n % 11 % 3])`,
    created_at: `${END} - interval '30 days'`,
    idle_expires_at: END,
    absolute_expires_at: END,
  },
};

const columnsOf = async (client: pg.Client, table: string): Promise<readonly string[]> => {
  const { rows } = await client.query<{ name: string }>(
    "SELECT attname AS name FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum",
    [table],
  );
  return rows.map(({ name }) => name);
};

/** Sessions first, as a login writes them. */
export const bear = async (client: pg.Client, { sessionId, from, to, endsFrom, endsTo }: Births): Promise<void> => {
  for (const [table, copies] of Object.entries(COPIES)) {
    const columns = await columnsOf(client, table);
    await client.query(
      `INSERT INTO ${table} (${columns.join(', ')})
       SELECT ${columns.map((column) => copies[column] ?? `like_this.${column}`).join(', ')}
       FROM (SELECT * FROM ${table} WHERE session_id = $1 LIMIT 1) like_this, generate_series($2::bigint, $3::bigint - 1) n`,
      [sessionId, from, to, endsFrom, endsTo],
    );
  }
};

/** Those that grow in the order of the ends grow as fast as the tables. */
const SCATTERED = `SELECT i.indexrelid::regclass::text AS name, i.indrelid::regclass::text AS of, i.indisprimary AS primary, pg_get_indexdef(i.indexrelid) AS text
  FROM pg_index i WHERE i.indrelid IN ('sessions'::regclass, 'token_families'::regclass) AND i.indexrelid::regclass::text !~ '_spent$'`;

/** Statements that make the indexes again that this takes away: millions of rows are sorted sooner than they are inserted one by one. */
export const withoutIndexes = async (client: pg.Client): Promise<readonly string[]> => {
  const { rows } = await client.query<{ name: string; of: string; primary: boolean; text: string }>(SCATTERED);
  for (const { name, of, primary } of rows)
    await client.query(primary ? `ALTER TABLE ${of} DROP CONSTRAINT ${name}` : `DROP INDEX ${name}`);
  return rows.flatMap(({ name, of, primary, text }) => [
    // As full as pages are that were split as rows came.
    text.replace(/( WHERE .*)?$/, ' WITH (fillfactor = 70)$1'),
    `ALTER INDEX ${name} RESET (fillfactor)`,
    ...(primary ? [`ALTER TABLE ${of} ADD CONSTRAINT ${name} PRIMARY KEY USING INDEX ${name}`] : []),
  ]);
};
