// User accounts and their login names in Postgres.
import { sql, type Selectable } from 'kysely';
import type { TenantId } from '../base/caller.ts';
import type { Constraints } from '../base/constraints.ts';
import { instant } from '../storage/instants.ts';
import type { Tx } from '../storage/storage.ts';
import { nameKey } from './names.ts';
import type { UserStore } from './stores.ts';
import type { Metadata } from '../base/metadata.ts';
import type { User, UserStatus } from './user.ts';

interface UserRow {
  readonly tenant_id: string;
  readonly user_id: string;
  readonly username: string;
  readonly email: string;
  readonly first_name: string;
  readonly last_name: string;
  readonly status: UserStatus;
  readonly metadata: Metadata;
  readonly constraints: Constraints | null;
  readonly password_hash: string | null;
  readonly watermark: number;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly last_login_at: Date | null;
}

interface Tables {
  readonly users: UserRow;
  readonly login_names: { readonly tenant_id: string; readonly name_key: string; readonly user_id: string };
}

const LOCKED_UNTIL = sql<Date | null>`(SELECT max(a.locked_until) FROM login_attempts a
  WHERE a.tenant_id = users.tenant_id AND a.account = users.user_id AND a.locked_until > clock_timestamp())`;

const select = (tx: Tx, tenantId: TenantId) =>
  tx
    .tables<Tables>()
    .selectFrom('users')
    .select(['tenant_id', 'user_id', 'username', 'email', 'first_name', 'last_name', 'status', 'metadata', 'constraints', 'watermark'])
    .select(['created_at', 'updated_at', 'last_login_at', LOCKED_UNTIL.as('locked_until')])
    .where('tenant_id', '=', tenantId);

const userOfRow = (row: Omit<Selectable<UserRow>, 'password_hash'> & { readonly locked_until: Date | null }): User => ({
  tenantId: row.tenant_id,
  userId: row.user_id,
  username: row.username,
  email: row.email,
  firstName: row.first_name,
  lastName: row.last_name,
  status: row.status,
  metadata: row.metadata,
  constraints: row.constraints,
  watermark: row.watermark,
  createdAt: row.created_at.getTime(),
  updatedAt: row.updated_at.getTime(),
  lastLoginAt: instant(row.last_login_at),
  lockedUntil: instant(row.locked_until),
});

const claimName = async (tx: Tx, { tenantId, userId }: Pick<User, 'tenantId' | 'userId'>, name: string): Promise<boolean> => {
  const inserted = await sql<{ user_id: string }>`
    INSERT INTO login_names (tenant_id, name_key, user_id) VALUES (${tenantId}, ${nameKey(name)}, ${userId})
    ON CONFLICT (tenant_id, name_key) DO UPDATE SET name_key = excluded.name_key WHERE login_names.user_id = excluded.user_id
    RETURNING user_id`.execute(tx.tables<Tables>());
  return inserted.rows.length === 1;
};

export const userStore: UserStore = {
  async insert(tx, user) {
    const { tenantId, userId, username, email, firstName, lastName, metadata, passwordHash } = user;
    await sql`
      INSERT INTO users (tenant_id, user_id, username, email, first_name, last_name, status, metadata, password_hash)
      VALUES (${tenantId}, ${userId}, ${username}, ${email}, ${firstName}, ${lastName}, 'active', ${JSON.stringify(metadata)}::jsonb,
        ${passwordHash})`.execute(tx.tables<Tables>());
    if (!(await claimName(tx, user, username))) return 'username';
    return email === '' || (await claimName(tx, user, email)) ? null : 'email';
  },
  async find(tx, tenantId, userId) {
    const row = await select(tx, tenantId).where('user_id', '=', userId).executeTakeFirst();
    return row === undefined ? null : userOfRow(row);
  },
  async findAll(tx, tenantId, userIds) {
    const rows = await select(tx, tenantId).where(sql<boolean>`user_id = ANY (${userIds})`).execute();
    const byId = new Map(rows.map((row) => [row.user_id, row]));
    return userIds.map((userId) => {
      const row = byId.get(userId);
      return row === undefined ? null : userOfRow(row);
    });
  },
  async lock(tx, tenantId, userId) {
    const row = await select(tx, tenantId).where('user_id', '=', userId).forUpdate().executeTakeFirst();
    return row === undefined ? null : userOfRow(row);
  },
  async lockActive(tx, tenantId, userIds) {
    const rows = await sql<{ user_id: string }>`
      SELECT user_id FROM users WHERE tenant_id = ${tenantId} AND user_id = ANY (${userIds}) AND status = 'active'
      ORDER BY user_id FOR UPDATE`.execute(tx.tables<Tables>());
    return rows.rows.map((row) => row.user_id);
  },
  async setStatus(tx, tenantId, userId, status, watermark) {
    await sql`UPDATE users SET status = ${status}, watermark = ${watermark}, updated_at = clock_timestamp()
      WHERE tenant_id = ${tenantId} AND user_id = ${userId}`.execute(tx.tables<Tables>());
  },
  async update(tx, user, emailBefore) {
    const { tenantId, userId, username, email, firstName, lastName, metadata, constraints } = user;
    if (nameKey(email) !== nameKey(emailBefore)) {
      if (email !== '' && !(await claimName(tx, user, email))) return false;
      await sql`DELETE FROM login_names WHERE tenant_id = ${tenantId} AND user_id = ${userId} AND name_key = ${nameKey(emailBefore)}
        AND name_key <> ${nameKey(username)}`.execute(tx.tables<Tables>());
    }
    await sql`UPDATE users SET email = ${email}, first_name = ${firstName}, last_name = ${lastName},
        metadata = ${JSON.stringify(metadata)}::jsonb, constraints = ${constraints === null ? null : JSON.stringify(constraints)}::jsonb,
        updated_at = clock_timestamp()
      WHERE tenant_id = ${tenantId} AND user_id = ${userId}`.execute(tx.tables<Tables>());
    return true;
  },
  async setPassword(tx, tenantId, userId, hash, watermark) {
    await sql`UPDATE users SET password_hash = ${hash}, watermark = ${watermark}, updated_at = clock_timestamp()
      WHERE tenant_id = ${tenantId} AND user_id = ${userId}`.execute(tx.tables<Tables>());
  },
  async passwordOf(tx, tenantId, userId) {
    const row = await tx
      .tables<Tables>()
      .selectFrom('users')
      .select('password_hash')
      .where('tenant_id', '=', tenantId)
      .where('user_id', '=', userId)
      .executeTakeFirst();
    return row?.password_hash ?? null;
  },
  async page(tx, tenantId, status, after, limit) {
    const all = select(tx, tenantId).where('user_id', '>', after).orderBy('user_id').limit(limit);
    const rows = await (status === '' ? all : all.where('status', '=', status as UserStatus)).execute();
    return rows.map(userOfRow);
  },
  async byName(tx, tenantId, key) {
    const found = await sql<{ user_id: string; status: UserStatus; password_hash: string | null }>`
      SELECT u.user_id, u.status, u.password_hash FROM login_names n JOIN users u USING (tenant_id, user_id)
      WHERE n.tenant_id = ${tenantId} AND n.name_key = ${key}`.execute(tx.tables<Tables>());
    const row = found.rows[0];
    return row === undefined ? null : { userId: row.user_id, status: row.status, passwordHash: row.password_hash };
  },
  async loggedIn(tx, tenantId, userId, hash, replacement) {
    const updated = await sql`
      UPDATE users SET last_login_at = clock_timestamp(), password_hash = coalesce(${replacement}::text, password_hash)
      WHERE tenant_id = ${tenantId} AND user_id = ${userId} AND status = 'active' AND password_hash = ${hash} RETURNING 1`.execute(
      tx.tables<Tables>(),
    );
    return updated.rows.length === 1;
  },
};
