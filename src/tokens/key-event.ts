// What the audit log hears of a signing key when nobody's call stands behind it.
import type { AuditEntry } from '../base/event.ts';
import type { Step } from './key-life.ts';

export const keyEvent = (step: Step, kid: string): AuditEntry => ({
  tenantId: '',
  type: `signing_key.${step}`,
  actor: { type: 'installation', id: '', tenantId: '' },
  resource: `signing_key:${kid}`,
  action: step,
  result: 'success',
  reason: '',
  level: 'info',
  method: '',
  ipAddress: '',
  sessionId: '',
  requestId: '',
  details: {},
});
