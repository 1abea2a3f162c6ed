// Keeps the log's monthly partitions: made two months ahead, dropped whole once the retention has passed.
import { ownEvent } from '../base/event.ts';
import type { Instant } from '../base/time.ts';
import type { Recorder } from '../server/platform.ts';
import type { AuditDeps } from './audit.ts';

/** The first day of the month `ahead` months after that of `now`, in UTC: `2026-11-01`. */
const monthOf = (now: Instant, ahead: number): string => {
  const date = new Date(now);
  return new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + ahead, 1)).toISOString().slice(0, 10);
};

export const createPartitionKeeper =
  ({ clock, store, settings }: AuditDeps, recorder: Recorder): (() => Promise<void>) =>
  async () => {
    const now = clock.now();
    for (const ahead of [0, 1, 2]) await store.keepMonth(monthOf(now, ahead));
    // Only whole months leave, so the last days of a month live a little longer than promised, never shorter.
    const dropped = await store.dropBefore(now - settings.retention);
    for (const name of dropped)
      await recorder.required(
        ownEvent('', 'audit.partition_dropped', {
          resource: `partition:${name}`,
          details: { retention_days: settings.retention / 86_400_000 },
        }),
      );
  };
