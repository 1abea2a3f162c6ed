// Does this caller still have a part left? Only rows that cost much are asked; everything else passes through without a step.
import { isPromise } from '../../../base/maybe.ts';
import { Fault } from '../../../base/fault.ts';
import type { AnyRow } from '../define.ts';
import { type Pay, type Paid, payerName } from '../budgets.ts';
import type { LiveCall } from '../live-call.ts';
import type { Layer, Step } from '../onion.ts';

export interface Shares {
  /** Batches of one caller under way at the same time. */
  readonly batches: number;
  /** Its revocations that wait for other replicas. */
  readonly waits: number;
}

const tooMany = (what: string): Fault =>
  new Fault('RESOURCE_EXHAUSTED', 'TOO_MANY_IN_FLIGHT', `this caller has too many ${what} under way here: wait for some of them`, {
    meta: { budget: 'in_flight' },
    retryAfter: 250,
  });

/** Lets so many calls of one caller wait at the same time. A call answered at once never counts. */
const sharing = (most: number, what: string, inner: Step): Step => {
  const underWay = new Map<string, number>();
  return (call) => {
    const name = payerName(call);
    if ((underWay.get(name) ?? 0) >= most) throw tooMany(what);
    const answer = inner(call);
    if (!isPromise(answer)) return answer;
    underWay.set(name, (underWay.get(name) ?? 0) + 1);
    const giveBack = (): void => {
      const left = (underWay.get(name) ?? 1) - 1;
      if (left === 0) underWay.delete(name);
      else underWay.set(name, left);
    };
    answer.then(giveBack, giveBack);
    return answer;
  };
};

const waits = ({ request }: LiveCall): boolean => (request as { readonly wait?: unknown }).wait !== undefined;

const paidBy = ({ limit, budget }: AnyRow): Paid | undefined => budget ?? (limit === 'login' || limit === 'issue' ? limit : undefined);

export const spend = (ports: { readonly pay: Pay }, shares: Shares): Layer => ({
  name: 'spend',
  // Inside authorize: what a caller may not do costs it nothing. Inside read: whether a revocation waits stands in the request.
  after: ['authenticate', 'read', 'authorize'],
  wrap(route, inner) {
    if (route.type !== 'unary') return inner;
    const { row } = route;
    if (row.limit === 'batch') return sharing(shares.batches, 'batches', inner);
    const paid = paidBy(row);
    if (paid === undefined) return inner;
    const waiting = paid === 'revoke' ? sharing(shares.waits, 'revocations that wait', inner) : inner;
    return (call) => {
      if (paid === 'revoke' && waits(call)) {
        ports.pay('revoke_wait', call);
        return waiting(call);
      }
      ports.pay(paid, call);
      return inner(call);
    };
  },
});
