// What the audit log hears of a signing key when nobody's call stands behind it.
import { type AuditEntry, ownEvent } from '../../base/event.ts';
import type { Step } from './key-life.ts';

export const keyEvent = (step: Step, kid: string): AuditEntry => ownEvent('', `signing_key.${step}`, { resource: `signing_key:${kid}` });
