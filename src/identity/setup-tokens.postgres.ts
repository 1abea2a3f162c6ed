// Set-up tokens in Postgres: each opens the door once.
import { sql } from 'kysely';
import type { SetupTokens } from './stores.ts';

export const setupTokens: SetupTokens = {
  async insert(tx, hash, expiresAt) {
    await sql`INSERT INTO setup_tokens (token_hash, expires_at) VALUES (${hash}, ${new Date(expiresAt)})`.execute(tx.tables());
  },
  async redeem(tx, hash) {
    const redeemed = await sql`UPDATE setup_tokens SET redeemed_at = clock_timestamp()
      WHERE token_hash = ${hash} AND redeemed_at IS NULL AND expires_at > clock_timestamp() RETURNING 1`.execute(tx.tables());
    return redeemed.rows.length === 1;
  },
};
