// Signing keys in Postgres: public halves in the clear, private halves sealed. One at a time decides what becomes of them.
import { sql } from 'kysely';
import { date, instant } from '../../storage/instants.ts';
import type { Database, Tx, WriteInstallation } from '../../storage/storage.ts';
import type { Algorithm } from '../jws.ts';
import type { StoredKey } from './key-life.ts';
import type { KeyState, PublicJwk } from './keyring.ts';
import type { SigningKeys } from './signing-keys.ts';

interface Row {
  kid: string;
  purpose: string;
  algorithm: Algorithm;
  state: KeyState;
  source: 'stored' | 'held';
  public_jwk: PublicJwk;
  private_sealed: Buffer | null;
  created_at: Date;
  changed_at: Date;
  published_at: Date | null;
  activate_at: Date | null;
  activated_at: Date | null;
  retiring_at: Date | null;
  retired_at: Date | null;
  seen_at: Date | null;
  revoked_at: Date | null;
  revoked_reason: string;
}
interface Tables {
  signing_keys: Row;
}

const PURPOSE = 'access';

/** Rows of an earlier release know only when they were made and last changed. */
const keyOf = (row: Row): StoredKey => ({
  kid: row.kid,
  algorithm: row.algorithm,
  state: row.state,
  source: row.source,
  publicJwk: row.public_jwk,
  privateSealed: row.private_sealed,
  createdAt: row.created_at.getTime(),
  publishedAt: instant(row.published_at) ?? (row.state === 'pending' ? null : row.created_at.getTime()),
  activateAt: instant(row.activate_at),
  activatedAt: instant(row.activated_at) ?? (row.state === 'active' ? row.created_at.getTime() : null),
  retiringAt: instant(row.retiring_at) ?? (row.state === 'retiring' ? row.changed_at.getTime() : null),
  retiredAt: instant(row.retired_at) ?? (row.state === 'retired' ? row.changed_at.getTime() : null),
  seenAt: instant(row.seen_at),
  revokedAt: instant(row.revoked_at),
  revokedReason: row.revoked_reason,
});

const stored = (key: StoredKey) => ({
  algorithm: key.algorithm,
  state: key.state,
  source: key.source,
  public_jwk: sql<PublicJwk>`${JSON.stringify(key.publicJwk)}::jsonb`,
  private_sealed: key.privateSealed,
  created_at: new Date(key.createdAt),
  changed_at: sql<Date>`clock_timestamp()`,
  published_at: date(key.publishedAt),
  activate_at: date(key.activateAt),
  activated_at: date(key.activatedAt),
  retiring_at: date(key.retiringAt),
  retired_at: date(key.retiredAt),
  seen_at: date(key.seenAt),
  revoked_at: date(key.revokedAt),
  revoked_reason: key.revokedReason,
});

const all = async (tx: Tx): Promise<readonly StoredKey[]> => {
  const rows = await tx.tables<Tables>().selectFrom('signing_keys').selectAll().where('purpose', '=', PURPOSE).orderBy('kid').execute();
  return rows.map(keyOf);
};

const put = async (tx: Tx, key: StoredKey): Promise<void> => {
  const row = stored(key);
  await tx
    .tables<Tables>()
    .insertInto('signing_keys')
    .values({ kid: key.kid, purpose: PURPOSE, ...row })
    .onConflict((conflict) => conflict.column('kid').doUpdateSet(row))
    .execute();
};

export const createSigningKeys = (db: Database, writeInstallation: WriteInstallation): SigningKeys => ({
  list: () => db.jobs(all),

  // A lock rather than rows: what is decided may be to make the first one.
  decide: async (decide) =>
    writeInstallation(async (tx) => {
      await sql`SELECT pg_advisory_xact_lock(hashtextextended('signing_keys', 0))`.execute(tx.tables());
      const { result, change, revokes, events } = decide(await all(tx));
      if (change === null) return { result };
      for (const key of change.puts) await put(tx, key);
      const removes = change.removes ?? [];
      if (removes.length > 0)
        await tx
          .tables<Tables>()
          .deleteFrom('signing_keys')
          .where('kid', 'in', [...removes])
          .execute();
      return {
        result,
        events,
        changes: (change.step === 'seen' ? [] : change.puts).map(({ kid, state }) => ({
          kind: 'signing_key',
          tenantId: '',
          key: kid,
          until: revokes?.kid === kid ? revokes.until : null,
          detail: revokes?.kid === kid ? 'revoked' : state,
        })),
      };
    }),
});
