// May this caller use this row, for this tenant? Decided before anything is loaded; no is the default.
import type { MaybePromise } from '../../../base/call.ts';
import { type Caller, type KnownCaller, known, lacks, refuseDelegated } from '../../../base/caller.ts';
import { Fault } from '../../../base/fault.ts';
import type { LiveCall, Route } from '../live-call.ts';
import { andThen } from '../../../base/maybe.ts';
import type { Layer, OnionPorts } from '../onion.ts';

/** Reserved: no wildcard covers it. */
const ACROSS_TENANTS = 'installation:tenants';

type Holds = OnionPorts['holds'];

const foreignTenant = (): Fault => new Fault('PERMISSION_DENIED', 'TENANT_FORBIDDEN', 'no such tenant for this caller');

/** Whoever showed a certificate that does not count is told so, rather than that nothing was shown. */
const knownCaller = (call: LiveCall): KnownCaller => {
  const { refusedCertificate } = call.peer;
  if (call.caller.kind === 'anonymous' && refusedCertificate !== undefined)
    throw new Fault(
      'UNAUTHENTICATED',
      'CREDENTIALS_MISSING',
      'the certificate of this connection was not accepted, and nothing else was shown',
      {
        meta: { certificate: refusedCertificate },
      },
    );
  return known(call.caller);
};

/** A workload does what its entry lists, call by call. */
const checkCalls = (caller: KnownCaller, route: Route): void => {
  if (caller.kind !== 'workload') return;
  if (caller.entry === null)
    throw new Fault('PERMISSION_DENIED', 'WORKLOAD_UNKNOWN', 'no workload is registered under this certificate', {
      meta: { spiffe_id: caller.spiffeId },
    });
  if (!caller.entry.calls.includes(route.method))
    throw new Fault('PERMISSION_DENIED', 'CALL_NOT_ALLOWED', `this workload's entry does not list ${route.method}`, {
      meta: { method: route.method },
    });
};

const namedTenant = (request: unknown): string => {
  const { tenantId } = request as { tenantId?: unknown };
  return typeof tenantId === 'string' ? tenantId : '';
};

/** null: the request speaks of a tenant the caller may act in. */
const checkTenant = (caller: KnownCaller, request: unknown, across: boolean, holds: Holds): MaybePromise<null> => {
  const tenantId = namedTenant(request);
  if (tenantId === '' || tenantId === caller.tenantId) return null;
  if (caller.kind === 'workload') {
    if (caller.entry?.tenants.includes(tenantId)) return null;
    throw foreignTenant();
  }
  if (!across) throw foreignTenant();
  return andThen(holds(caller, ACROSS_TENANTS), (held) => {
    if (!held) throw foreignTenant();
    return null;
  });
};

/** The check of one decoded request: for a unary call once, for streamed requests each time. */
export type CheckRequest = (caller: Caller, request: unknown) => MaybePromise<null>;

export const requestCheck = (route: Route, holds: Holds): CheckRequest => {
  const { access } = route.row;
  if (access === 'anonymous') return () => null;
  const across = typeof access === 'object' && access.across === true;
  return (caller, request) => checkTenant(known(caller), request, across, holds);
};

export const authorize = (ports: Pick<OnionPorts, 'holds'>): Layer => ({
  name: 'authorize',
  // Inside authenticate for the caller, inside read for the tenant the request names.
  after: ['authenticate', 'read'],
  wrap(route, inner) {
    const { access, inPerson = false } = route.row;
    if (access === 'anonymous') return inner;
    const permission = typeof access === 'object' ? (access.permission ?? '') : '';
    const checkRequest = route.wire.requestStream ? () => null : requestCheck(route, ports.holds);

    return (call) => {
      const caller = knownCaller(call);
      if (access !== 'holder') checkCalls(caller, route);
      if (inPerson) refuseDelegated(caller);
      return andThen(permission === '' || ports.holds(caller, permission), (held) => {
        if (!held) throw lacks(caller, permission);
        return andThen(checkRequest(caller, call.request), () => inner(call));
      });
    };
  },
});
