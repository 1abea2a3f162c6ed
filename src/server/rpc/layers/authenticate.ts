// Who is calling: the certificate of the connection or the credential in the header becomes a Caller.
import type { MaybePromise } from '../../../base/call.ts';
import type { Caller } from '../../../base/caller.ts';
import { Fault } from '../../../base/fault.ts';
import type { LiveCall } from '../live-call.ts';
import { isPromise } from '../../../base/maybe.ts';
import type { Layer, OnionPorts } from '../onion.ts';

const ANONYMOUS: Caller = { kind: 'anonymous' };

/**
 * On a row open to all a bad credential is no worse than none; an outage stays one, for it proves nothing about the credential. Neither does
 * a nonce that is asked for: the caller is to try again.
 */
const asAnonymous = (thrown: unknown): Caller => {
  if (thrown instanceof Fault && thrown.code === 'UNAUTHENTICATED' && thrown.reason !== 'USE_DPOP_NONCE') return ANONYMOUS;
  throw thrown;
};

/** Whoever showed a credential and is told to show one learns nothing; what is wrong with the one shown is what helps. */
const told = (thrown: unknown, bad: unknown): never => {
  throw thrown instanceof Fault && thrown.reason === 'CREDENTIALS_MISSING' ? bad : thrown;
};

export const authenticate = (ports: Pick<OnionPorts, 'authenticate'>): Layer => ({
  name: 'authenticate',
  // Inside fault and deadline: refusals are counted and masked, and a slow look-up is bounded.
  after: ['fault', 'deadline'],
  wrap(route, inner) {
    const open = route.row.access === 'anonymous';
    // Health must answer while everything behind it is away.
    if (open && route.row.limit === 'vital') return inner;

    const admit = (call: LiveCall, caller: Caller) => {
      call.caller = caller;
      return inner(call);
    };
    const admitNobody = (call: LiveCall, bad: unknown) => {
      try {
        const answer = admit(call, asAnonymous(bad));
        return isPromise(answer) ? answer.catch((thrown: unknown) => told(thrown, bad)) : answer;
      } catch (thrown) {
        return told(thrown, bad);
      }
    };
    const identifyOpen = (call: LiveCall) => {
      let caller: MaybePromise<Caller>;
      try {
        caller = ports.authenticate(call);
      } catch (bad) {
        return admitNobody(call, bad);
      }
      if (!isPromise(caller)) return admit(call, caller);
      return caller.then(
        (found) => admit(call, found),
        (bad: unknown) => admitNobody(call, bad),
      );
    };
    const identify = (call: LiveCall) => {
      const caller = ports.authenticate(call);
      return isPromise(caller) ? caller.then((found) => admit(call, found)) : admit(call, caller);
    };
    const who = open ? identifyOpen : identify;

    return (call) => (call.authorization === '' && call.peer.certificate === null ? inner(call) : who(call));
  },
});
