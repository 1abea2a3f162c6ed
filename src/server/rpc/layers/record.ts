// What succeeded is kept as its row says: durable before the answer, or sampled. Changes record themselves; refusals are the fault layer's.
import { subjectOf } from '../../../base/caller.ts';
import { type AuditEntry, eventOf } from '../../../base/event.ts';
import type { LiveCall, Route } from '../live-call.ts';
import { andThen } from '../../../base/maybe.ts';
import type { Layer, OnionPorts } from '../onion.ts';

/** `ValidateToken` → `call.validate_token` */
export const eventType = (route: Pick<Route, 'method'>): string =>
  `call.${route.method.replaceAll(/(?<=[a-z\d])(?=[A-Z])/g, '_').toLowerCase()}`;

/** What makes two events of a method equal: who asks, about what, with which end. Their other details are those of the first. */
const kindOf = (type: string, { caller, noted }: LiveCall): string => {
  const { type: kind, id } = subjectOf(caller);
  const who = `${type}\0${caller.kind === 'anonymous' ? '' : caller.tenantId}\0${kind}\0${id}`;
  return noted === null
    ? who
    : `${who}\0${noted.tenantId ?? ''}\0${noted.resource ?? ''}\0${noted.action ?? ''}\0${noted.result ?? ''}\0${noted.reason ?? ''}`;
};

export const record = (ports: Pick<OnionPorts, 'recorder'>): Layer => ({
  name: 'record',
  // Innermost: only what was allowed and answered comes here.
  after: ['fault', 'deadline', 'authenticate', 'authorize'],
  wrap(route, inner) {
    const { audit } = route.row;
    const type = eventType(route);
    const resource = `method:${route.name}`;
    const event = (call: LiveCall): AuditEntry => {
      const tenantId = call.caller.kind === 'anonymous' ? '' : call.caller.tenantId;
      return eventOf(call, tenantId, type, resource, call.noted ?? {});
    };

    if (audit === 'required')
      return async (call) => {
        const bytes = await inner(call);
        await ports.recorder.required(event(call));
        return bytes;
      };
    if (audit === 'sampled')
      return (call) =>
        andThen(inner(call), (bytes) => {
          ports.recorder.sampled(kindOf(type, call), () => event(call));
          return bytes;
        });
    return inner;
  },
});
