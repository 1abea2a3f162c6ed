// The database remembers which master key it was made with, by its check value, and starts with no other.
import type { Database } from '../storage/storage.ts';
import { type MasterSealer, masterKeyMismatch } from './sealer.ts';

interface Tables {
  master_key_check: { readonly slot: string; readonly check_value: Buffer };
}

/** The first start keeps the value; later ones compare. FAILED_PRECONDITION / MASTER_KEY_MISMATCH stops the start. */
export const checkMasterKey = (db: Database, { checkValue }: Pick<MasterSealer, 'checkValue'>): Promise<void> =>
  db.jobs(async (tx) => {
    const tables = tx.tables<Tables>();
    await tables
      .insertInto('master_key_check')
      .values({ slot: 'primary', check_value: checkValue })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
    const kept = await tables.selectFrom('master_key_check').select('check_value').where('slot', '=', 'primary').executeTakeFirstOrThrow();
    if (!kept.check_value.equals(checkValue))
      throw masterKeyMismatch(
        'this database was made with another master key. Nothing in it would open: set ENCRYPTION_KEY_PATH (or ENCRYPTION_KEY) to the key it was made with',
      );
  });
