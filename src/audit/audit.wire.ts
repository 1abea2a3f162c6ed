// Joins the audit capability with its store: the recorder first, since everybody else is wired with it.
import { minutes, seconds } from '../base/time.ts';
import type { Values } from '../server/config/field.ts';
import type { Platform, Recorder } from '../server/platform.ts';
import type { Service } from '../server/rpc/define.ts';
import { createAudit } from './audit.ts';
import type { auditConfig } from './audit.config.ts';
import { auditServices } from './audit.rpc.ts';
import { postgresEvents } from './events.postgres.ts';

export type AuditPlatform = Pick<Platform, 'clock' | 'random' | 'log' | 'metrics' | 'db' | 'pager' | 'groupCommit' | 'every'>;

export const wireAudit = (
  platform: AuditPlatform,
  config: Values<typeof auditConfig>,
): { readonly recorder: Recorder; readonly services: readonly Service[] } => {
  const { enabled, decisions, retention } = config;
  if (!enabled)
    platform.log.warn({}, 'ENABLE_AUDIT_LOGGING is false: allowed verdicts are not kept; changes, decryptions and refusals still are');
  const store = postgresEvents(platform.db);
  const audit = createAudit({ ...platform, store, settings: { decisions, retention, bestEffort: enabled } });
  platform.every('audit.write', seconds(1), () => audit.writeDue());
  platform.every('audit.partitions', minutes(10), () => audit.keepPartitions(), true);
  return { recorder: audit.recorder, services: auditServices(audit) };
};
