// Families and sessions in Postgres: every decision of a race is one row's lock, at READ COMMITTED, by the database's clock.
import { sql } from 'kysely';
import type { TenantId } from '../base/caller.ts';
import type { Confirmation } from '../base/possession.ts';
import type { Millis } from '../base/time.ts';
import type { Tx } from '../storage/storage.ts';
import { printConfirmation } from './confirmation.ts';
import { endAll, endOf, followEnds } from './ends.postgres.ts';
import type { Families, NewFamily } from './families.ts';
import { COLUMNS, familyOf, type FamilyTable, type Tables } from './family-rows.postgres.ts';
import { keep, rotate } from './rotate.postgres.ts';

const clock = sql<Date>`clock_timestamp()`;
const after = (life: Millis) => sql<Date>`clock_timestamp() + make_interval(secs => ${life / 1000}::double precision)`;

const bound = (confirmation: Confirmation | null) =>
  sql<FamilyTable['confirmation']>`${confirmation === null ? null : JSON.stringify(printConfirmation(confirmation))}::jsonb`;

/** Logins share it, ending all sessions of a user takes it alone: a login in flight is either seen, or begins afterwards. */
const userLock = (tenantId: TenantId, userId: string) => sql`hashtextextended(${`tokens:${tenantId}:${userId}`}, 0)`;
/** The same for those of a client. */
const clientLock = (tenantId: TenantId, clientId: string) => sql`hashtextextended(${`tokens:client:${tenantId}:${clientId}`}, 0)`;

const hold: Families['hold'] = async (tx, { tenantId, userId, clientId }) => {
  await sql`SELECT pg_advisory_xact_lock_shared(${userLock(tenantId, userId)}), pg_advisory_xact_lock_shared(${clientLock(tenantId, clientId)})`.execute(
    tx.tables<Tables>(),
  );
};

const insert = async (tx: Tx, family: NewFamily): Promise<void> => {
  const { context, access, device } = family;
  const { tenantId, sessionId, familyId, userId, clientId, deviceId, confirmation, ...rest } = context;
  const db = tx.tables<Tables>();
  await db
    .insertInto('sessions')
    .values({
      tenant_id: tenantId,
      session_id: sessionId,
      user_id: userId,
      client_id: clientId,
      auth_method: rest.authMethod,
      mfa_verified: rest.mfaVerified,
      device: sql`${JSON.stringify(device ?? {})}::jsonb`,
      ip_address: family.ipAddress,
      user_agent: family.userAgent,
      expires_at: after(family.life),
      ended_at: null,
      ended_reason: '',
    })
    .execute();
  await db
    .insertInto('token_families')
    .values({
      tenant_id: tenantId,
      family_id: familyId,
      session_id: sessionId,
      user_id: userId,
      client_id: clientId,
      device_id: deviceId,
      fingerprint: family.fingerprint,
      context: sql`${JSON.stringify(rest)}::jsonb`,
      confirmation: bound(confirmation),
      birth_rsq: access.rsq,
      generation: access.generation,
      current_hash: family.hash,
      previous_hash: null,
      successor_salt: null,
      sender: '',
      access_issued_at: new Date(access.issuedAt),
      access_expires_at: new Date(access.expiresAt),
      access_rsq: access.rsq,
      access_generation: null,
      rotated_at: clock,
      idle_expires_at: after(family.idle),
      absolute_expires_at: after(family.life),
      revoked_at: null,
      revoked_reason: '',
    })
    .execute();
};

const lock: Families['lock'] = async (tx, key) => {
  const row = await tx
    .tables<Tables>()
    .selectFrom('token_families')
    .select(COLUMNS)
    // After the lock was waited for, so that the window is measured now and not before the wait.
    .where('tenant_id', '=', key.tenantId)
    .where('family_id', '=', key.familyId)
    .forUpdate()
    .executeTakeFirst();
  if (row === undefined) return null;
  const { now, end } = await endOf(tx, row);
  const over = row.revoked_at === null && end !== null ? { revoked_at: end.at, revoked_reason: end.reason } : {};
  return { family: familyOf({ ...row, ...over }), now };
};

const endFamilies = async (
  tx: Tx,
  tenantId: TenantId,
  by: Partial<Record<'family_id' | 'session_id', string>>,
  reason: string,
): Promise<void> => {
  let query = tx
    .tables<Tables>()
    .updateTable('token_families')
    .set({ revoked_at: clock, revoked_reason: reason })
    .where('tenant_id', '=', tenantId)
    .where('revoked_at', 'is', null);
  for (const [column, value] of Object.entries(by)) query = query.where(column as keyof typeof by, '=', value);
  await query.execute();
};

const endSession = async (tx: Tx, tenantId: TenantId, sessionId: string, reason: string): Promise<void> => {
  await tx
    .tables<Tables>()
    .updateTable('sessions')
    .set({ ended_at: clock, ended_reason: reason })
    .where('tenant_id', '=', tenantId)
    .where('session_id', '=', sessionId)
    .where('ended_at', 'is', null)
    .execute();
};

export const createFamilies = (): Families => ({
  hold,
  insert,
  rotate,
  keep,
  lock,
  endFamily: (tx, key, reason) => endFamilies(tx, key.tenantId, { family_id: key.familyId }, reason),

  // Families first, then the session: the order of locks that refresh and every other end follow.
  async endSession(tx, tenantId, sessionId, reason) {
    await endFamilies(tx, tenantId, { session_id: sessionId }, reason);
    await endSession(tx, tenantId, sessionId, reason);
  },

  async endUser(tx, tenantId, userId, reason) {
    await sql`SELECT pg_advisory_xact_lock(${userLock(tenantId, userId)})`.execute(tx.tables<Tables>());
    await endAll(tx, tenantId, 'user', userId, reason);
  },

  async endClient(tx, tenantId, clientId, reason) {
    await sql`SELECT pg_advisory_xact_lock(${clientLock(tenantId, clientId)})`.execute(tx.tables<Tables>());
    return endAll(tx, tenantId, 'client', clientId, reason);
  },

  followEnds,

  async session(tx, tenantId, sessionId) {
    const row = await tx
      .tables<Tables>()
      .selectFrom('sessions')
      .select(['user_id', 'ended_at'])
      .where('tenant_id', '=', tenantId)
      .where('session_id', '=', sessionId)
      .executeTakeFirst();
    return row === undefined ? null : { userId: row.user_id, ended: row.ended_at !== null };
  },
});
