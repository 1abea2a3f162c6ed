// Window of the audit capability.
import type { Call } from '../base/call.ts';
import { tenantOf } from '../base/caller.ts';
import { Fault } from '../base/fault.ts';
import { millisOf, timestampOf } from '../base/proto-time.ts';
import { type Instant, seconds } from '../base/time.ts';
import type { Timestamp } from '../gen/google/protobuf/timestamp.ts';
import {
  AuditServiceService,
  type AuditEvent as Printed,
  type SearchEventsRequest,
  type SearchEventsResponse,
} from '../gen/securityhub/v1/audit.ts';
import { type Service, service } from '../server/rpc/define.ts';
import type { Audit, AuditEvent, EventFilter } from './audit.ts';

/** The name under which the operator (`installation:tenants`) finds events that belong to no tenant. No tenant can have it. */
const INSTALLATION = 'installation';

const instantOf = (at: Timestamp | undefined): Instant | null => (at === undefined ? null : millisOf(at));

/** `usr_1` or `user:usr_1`. */
const actorOf = (actor: string): { readonly actorType: string; readonly actorId: string } => {
  const colon = actor.indexOf(':');
  return { actorType: colon < 0 ? '' : actor.slice(0, colon), actorId: actor.slice(colon + 1) };
};

const filterOf = (request: SearchEventsRequest): EventFilter => ({
  from: instantOf(request.after),
  until: instantOf(request.before),
  types: request.eventTypes,
  ...actorOf(request.actor),
  resource: request.resource,
  action: request.action,
  result: request.result,
  sessionId: request.sessionId,
  requestId: request.requestId,
});

const printed = (event: AuditEvent): Printed => ({
  eventId: event.id,
  time: timestampOf(event.time),
  tenantId: event.tenantId,
  eventType: event.type,
  actor: { ...event.actor },
  resource: event.resource,
  action: event.action,
  result: event.result,
  reason: event.reason,
  level: event.level,
  ipAddress: event.ipAddress,
  sessionId: event.sessionId,
  requestId: event.requestId,
  method: event.method,
  count: event.count,
  details: event.details,
  riskIndicators: [...event.riskIndicators],
});

/** Whoever may name any tenant may name the installation; a workload's entry cannot. */
const tenantSearched = (request: SearchEventsRequest, call: Call): string => {
  if (request.tenantId !== INSTALLATION) return tenantOf(call.caller, request.tenantId, true);
  if (call.caller.kind === 'workload') throw new Fault('PERMISSION_DENIED', 'TENANT_FORBIDDEN', 'no such tenant for this caller');
  return '';
};

export const auditServices = (audit: Pick<Audit, 'search'>): readonly Service[] => [
  service(AuditServiceService, {
    searchEvents: {
      access: { permission: 'audit:read', across: true },
      audit: 'sampled',
      limit: 'manage',
      deadline: seconds(10),
      idempotency: 'safe',
      async handle(request, call): Promise<SearchEventsResponse> {
        const { pageSize, pageToken } = request;
        const found = await audit.search({ tenantId: tenantSearched(request, call), filter: filterOf(request), pageSize, pageToken });
        return { events: found.events.map(printed), nextPageToken: found.nextPageToken };
      },
    },
  }),
];
