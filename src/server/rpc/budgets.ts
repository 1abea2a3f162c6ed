// The budgets of all callers: what each may cost this replica, so that no peer takes the share of the others.
import { sourceOfAddress } from '../../base/address.ts';
import type { Payer } from '../../base/call.ts';
import { subjectOf } from '../../base/caller.ts';
import { Fault } from '../../base/fault.ts';
import type { Clock, Millis } from '../../base/time.ts';
import { type Budget, createBudget } from './budget.ts';

/**
 * What is paid for. `cold`: a signature check that no cache spares. `key_miss`: asking an issuer for a key it may not have. `proof`: checking a DPoP proof.
 * `revoke`, `revoke_wait` (those that wait for the other replicas), `issue`, `login`: calls.
 */
export type Paid = 'cold' | 'key_miss' | 'proof' | 'revoke' | 'revoke_wait' | 'issue' | 'login';

/** Units a second; 0 = without limit. */
export type Rates = Readonly<Record<Exclude<Paid, 'revoke_wait'>, number>>;

/** RESOURCE_EXHAUSTED / BUDGET_EXHAUSTED when this caller has used its part up. */
export type Pay = (what: Paid, payer: Payer) => void;

/** A budget unused for so many seconds is there at once. */
const BURST_SECONDS = 10;
/** Callers remembered, about 150 bytes each; strangers apart, so that no number of them makes us forget a caller. */
const NAMES = 20_000;

const SPENT: Readonly<Record<Paid, string>> = {
  cold: 'checks of signatures',
  key_miss: 'look-ups of unknown keys',
  proof: 'checks of DPoP proofs',
  revoke: 'revocations',
  revoke_wait: 'revocations that wait',
  issue: 'certificates',
  login: 'logins',
};

/** By whom something is paid: whoever proved who it is; before that, the certificate of the connection; else where it comes from. */
export const payerName = ({ caller, peer }: Payer): string => {
  if (caller !== undefined && caller.kind !== 'anonymous') {
    const { type, id } = subjectOf(caller);
    return `${caller.tenantId} ${type} ${id}`;
  }
  return peer.certificate === null
    ? `from ${sourceOfAddress(peer.address)}`
    : `peer ${peer.certificate.spiffeId ?? peer.certificate.sha256}`;
};

const spent = (what: Paid, wait: Millis): Fault =>
  new Fault('RESOURCE_EXHAUSTED', 'BUDGET_EXHAUSTED', `this caller has used up its part of ${SPENT[what]} here: try again later`, {
    meta: { budget: what, subject: what },
    retryAfter: wait,
  });

export interface Budgets {
  readonly pay: Pay;
  /** Callers of whom something is remembered. */
  readonly size: number;
}

interface Pair {
  readonly known: Budget;
  readonly strangers: Budget;
}

export const createBudgets = (clock: Pick<Clock, 'monotonic'>, rates: Rates): Budgets => {
  const pair = (perSecond: number): Pair => {
    const rate = { perSecond, burst: perSecond * BURST_SECONDS };
    return { known: createBudget(rate, NAMES), strangers: createBudget(rate, NAMES) };
  };
  const pairs: Readonly<Record<Paid, Pair>> = {
    cold: pair(rates.cold),
    key_miss: pair(rates.key_miss),
    proof: pair(rates.proof),
    revoke: pair(rates.revoke),
    revoke_wait: pair(rates.revoke),
    issue: pair(rates.issue),
    login: pair(rates.login),
  };
  return {
    pay(what, payer) {
      const stranger = payer.caller === undefined || payer.caller.kind === 'anonymous';
      const wait = pairs[what][stranger ? 'strangers' : 'known'].take(payerName(payer), clock.monotonic());
      if (wait > 0) throw spent(what, wait);
    },
    get size() {
      return Object.values(pairs).reduce((sum, { known, strangers }) => sum + known.size + strangers.size, 0);
    },
  };
};
