// A guess at a password: looked at first, counted before anybody hears how it came out. So an outage in between counts nothing and tells
// nothing, and of guesses made at the same time no more are answered truly than the limit allows: the rows they are counted in decide.
import { networkOfAddress, sourceOfAddress } from '../base/address.ts';
import type { Call } from '../base/call.ts';
import type { TenantId } from '../base/caller.ts';
import type { Database, Tx } from '../storage/storage.ts';
import type { Passwords } from './password.ts';
import { placeOf } from './place.ts';
import type { AttemptLimits, Attempts, Counted, Guess, LoginPlaces } from './stores.ts';

export interface GuessPorts {
  readonly db: Database;
  readonly limits: AttemptLimits;
  readonly passwords: Pick<Passwords, 'verify'>;
  readonly attempts: Pick<Attempts, 'judge'>;
  readonly places: Pick<LoginPlaces, 'knows'>;
  readonly placeSecret: Uint8Array;
}

/** `account`: the user's id, or what stands for a name that nobody has. */
export const guessFrom = async (
  { places, placeSecret }: GuessPorts,
  tx: Tx,
  tenantId: TenantId,
  account: string,
  address: string,
): Promise<Guess> => ({
  tenantId,
  account,
  source: sourceOfAddress(address) || 'unknown',
  atHome: await places.knows(
    tx,
    tenantId,
    account,
    'network',
    placeOf(placeSecret, tenantId, account, 'network', networkOfAddress(address)),
  ),
});

export interface Judged {
  /** Never for a locked account, whatever was guessed. */
  readonly right: boolean;
  readonly counted: Counted;
}

/** One hash and one count, whatever is the matter. Without a record the guess is wrong. */
export const judgeGuess = async (
  { db, limits, passwords, attempts }: GuessPorts,
  guess: Guess,
  record: string | null,
  password: string,
  call: Call,
): Promise<Judged> => {
  const right = await passwords.verify(record, password, call.deadline);
  const counted = await db.tenant(guess.tenantId, (tx) => attempts.judge(tx, guess, right, limits));
  return { right: right && counted !== 'locked', counted };
};
