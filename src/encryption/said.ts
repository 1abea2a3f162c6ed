// What the encryption capability says in more than one place: its faults, and events that nobody called for.
import type { TenantId } from '../base/caller.ts';
import type { AuditEntry } from '../base/event.ts';
import { Fault } from '../base/fault.ts';
import type { EncryptionKey } from './key.ts';

export const notFound = (): Fault => new Fault('NOT_FOUND', 'KEY_NOT_FOUND', 'no such encryption key');

export const notUsable = ({ id, status }: Pick<EncryptionKey, 'id' | 'status'>): Fault =>
  new Fault('FAILED_PRECONDITION', 'KEY_NOT_USABLE', `the key is ${status}`, { meta: { key_id: id, status } });

export const resourceOf = (key: Pick<EncryptionKey, 'id'>): string => `encryption_key:${key.id}`;

/** An event of the hub's own doing. */
export const ownEvent = (
  key: { readonly tenantId: TenantId; readonly id: string },
  type: string,
  details: Readonly<Record<string, unknown>>,
): AuditEntry => ({
  tenantId: key.tenantId,
  type,
  actor: { type: 'installation', id: '', tenantId: '' },
  resource: resourceOf(key),
  action: type.slice(type.indexOf('.') + 1),
  result: 'success',
  reason: '',
  level: 'info',
  method: '',
  ipAddress: '',
  sessionId: '',
  requestId: '',
  details,
});
