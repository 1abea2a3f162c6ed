// The database remembers which master key it was made with, by its check value, and starts with no other.
import { equalBytes } from '../base/bytes.ts';
import type { Database } from '../storage/storage.ts';
import { type MasterSealer, masterKeyMismatch } from './sealer.ts';

interface Tables {
  master_key_check: { readonly slot: string; readonly check_value: Buffer };
}

const SLOT = 'primary';

/** False for a database made with another master key; true where none was used yet. Changes nothing. */
export const knowsMasterKey = (db: Database, { checkValue }: Pick<MasterSealer, 'checkValue'>): Promise<boolean> =>
  db.jobs(async (tx) => {
    const kept = await tx.tables<Tables>().selectFrom('master_key_check').select('check_value').where('slot', '=', SLOT).executeTakeFirst();
    return kept === undefined || equalBytes(kept.check_value, checkValue);
  });

/** The first start keeps the value; later ones compare. FAILED_PRECONDITION / MASTER_KEY_MISMATCH stops the start. */
export const checkMasterKey = async (db: Database, sealer: Pick<MasterSealer, 'checkValue'>): Promise<void> => {
  await db.jobs((tx) =>
    tx
      .tables<Tables>()
      .insertInto('master_key_check')
      .values({ slot: SLOT, check_value: sealer.checkValue })
      .onConflict((conflict) => conflict.doNothing())
      .execute(),
  );
  if (!(await knowsMasterKey(db, sealer)))
    throw masterKeyMismatch(
      'this database was made with another master key. Nothing in it would open: set ENCRYPTION_KEY_PATH (or ENCRYPTION_KEY) to the key it was made with',
    );
};
