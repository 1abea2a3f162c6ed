// An audit event as a capability states it; the audit capability adds id, time and proof.
import type { Call } from './call.ts';
import { subjectOf, type TenantId } from './caller.ts';

export interface AuditEntry {
  readonly tenantId: TenantId;
  /** `noun.verb`: `user.created`, `token.refreshed`, `call.refused`. */
  readonly type: string;
  readonly actor: { readonly type: string; readonly id: string; readonly tenantId: TenantId };
  /** `<type>:<id>` of what was acted on. */
  readonly resource: string;
  readonly action: string;
  readonly result: 'success' | 'failure' | 'error';
  readonly reason: string;
  readonly level: 'info' | 'warning' | 'alert';
  readonly method: string;
  readonly ipAddress: string;
  readonly sessionId: string;
  readonly requestId: string;
  /** Never a secret; bounded by whoever states it. */
  readonly details: Readonly<Record<string, unknown>>;
  /** Words of the threat vocabulary that apply: `new_device`, `reuse`. */
  readonly riskIndicators?: readonly string[];
}

/** The event of a successful act by the caller of `call`; `over` says what differs. */
export const eventOf = (
  call: Pick<Call, 'caller' | 'method' | 'peer' | 'requestId'>,
  tenantId: TenantId,
  type: string,
  resource: string,
  over: Partial<AuditEntry> = {},
): AuditEntry => {
  const subject = subjectOf(call.caller);
  return {
    tenantId,
    type,
    actor: { ...subject, tenantId: call.caller.kind === 'anonymous' ? '' : call.caller.tenantId },
    resource,
    action: type.slice(type.indexOf('.') + 1),
    result: 'success',
    reason: '',
    level: 'info',
    method: call.method,
    ipAddress: call.peer.address,
    sessionId: call.caller.kind === 'user' ? call.caller.sessionId : '',
    requestId: call.requestId,
    details: {},
    ...over,
  };
};

/** The event of the hub's own doing: no caller stands behind it. */
export const ownEvent = (tenantId: TenantId, type: string, over: Partial<AuditEntry> = {}): AuditEntry => ({
  tenantId,
  type,
  actor: { type: 'installation', id: '', tenantId: '' },
  resource: '',
  action: type.slice(type.indexOf('.') + 1),
  result: 'success',
  reason: '',
  level: 'info',
  method: '',
  ipAddress: '',
  sessionId: '',
  requestId: '',
  details: {},
  ...over,
});
