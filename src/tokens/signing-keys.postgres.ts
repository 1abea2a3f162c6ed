// Signing keys in Postgres: public halves in the clear, private halves sealed.
import { sql } from 'kysely';
import type { Database } from '../storage/storage.ts';
import type { Algorithm } from './jws.ts';
import type { KeyState, PublicJwk } from './keyring.ts';
import type { SigningKeys, StoredKey } from './signing-keys.ts';

interface Tables {
  signing_keys: {
    kid: string;
    purpose: string;
    algorithm: Algorithm;
    state: KeyState;
    public_jwk: PublicJwk;
    private_sealed: Buffer;
  };
}

export const createSigningKeys = (db: Database): SigningKeys => ({
  load: () =>
    db.jobs(async (tx) => {
      const rows = await tx
        .tables<Tables>()
        .selectFrom('signing_keys')
        .select(['kid', 'algorithm', 'state', 'public_jwk', 'private_sealed'])
        .where('purpose', '=', 'access')
        .where('state', 'in', ['published', 'active', 'retiring'])
        .orderBy('kid')
        .execute();
      return rows.map(
        (row): StoredKey => ({
          kid: row.kid,
          algorithm: row.algorithm,
          state: row.state,
          publicJwk: row.public_jwk,
          privateSealed: row.private_sealed,
        }),
      );
    }),

  // The unique index on the active key decides between replicas that start together; whoever loses throws its key away.
  offerFirst: (key) =>
    db.jobs(async (tx) => {
      await tx
        .tables<Tables>()
        .insertInto('signing_keys')
        .values({
          kid: key.kid,
          purpose: 'access',
          algorithm: key.algorithm,
          state: 'active',
          public_jwk: sql`${JSON.stringify(key.publicJwk)}::jsonb`,
          private_sealed: key.privateSealed,
        })
        .onConflict((conflict) => conflict.doNothing())
        .execute();
    }),
});
