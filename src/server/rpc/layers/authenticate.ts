// Who is calling: the certificate of the connection or the credential in the header becomes a Caller.
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

export const authenticate = (ports: Pick<OnionPorts, 'authenticate'>): Layer => ({
  name: 'authenticate',
  // Inside fault and deadline: refusals are counted and masked, and a slow look-up is bounded.
  after: ['fault', 'deadline'],
  wrap(route, inner) {
    const open = route.row.access === 'anonymous';
    // Health must answer while everything behind it is away.
    if (open && route.row.limit === 'vital') return inner;

    const identifyOpen = (call: LiveCall) => {
      try {
        const caller = ports.authenticate(call);
        return isPromise(caller) ? caller.then(undefined, asAnonymous) : caller;
      } catch (thrown) {
        return asAnonymous(thrown);
      }
    };
    const who = open ? identifyOpen : ports.authenticate;

    return (call) => {
      if (call.authorization === '' && call.peer.certificate === null) return inner(call);
      const caller = who(call);
      if (!isPromise(caller)) {
        call.caller = caller;
        return inner(call);
      }
      return caller.then((found) => {
        call.caller = found;
        return inner(call);
      });
    };
  },
});
