// Records events by class: with the change, before the answer, counted, or sampled (design §6, audit classes).
import { type AuditEntry, ownEvent } from '../base/event.ts';
import { toFault, unavailable } from '../base/fault.ts';
import { type Instant, type Millis, seconds } from '../base/time.ts';
import type { Recorder } from '../server/platform.ts';
import { inBlocks } from '../base/random.ts';
import type { AuditDeps } from './audit.ts';
import { type AuditEvent, eventFrom, eventId, ID_RANDOM } from './event.ts';
import { type Counted, createTally } from './tally.ts';

/** Repetitions of one event are written this often. */
const WINDOW: Millis = seconds(10);
const CAPACITY = 10_000;
/** Rows of one statement; making more at once would hold the event loop. */
const BATCH = 250;
/** A store that has not answered by then has failed. */
const REQUIRED_TIMEOUT: Millis = seconds(3);

/** Refused calls are counted by peer and reason. What a capability says about somebody (a failed login) is counted for each of them, alerts apart. */
const refusalKind = (e: AuditEntry): string => {
  const about = e.type === 'call.refused' ? '' : `${e.level}\0${e.resource}`;
  return `${e.tenantId}\0${e.actor.type}\0${e.actor.id}\0${e.method}\0${e.reason}\0${e.ipAddress}\0${e.type}\0${about}`;
};

const gapOf = ({ tenantId }: AuditEntry): AuditEntry =>
  ownEvent(tenantId, 'audit.gap', { result: 'error', level: 'warning', reason: 'OVERLOAD' });

const otherRefusals = ({ tenantId }: AuditEntry): AuditEntry =>
  ownEvent(tenantId, 'call.refused', { result: 'failure', level: 'warning', reason: 'OTHER', action: 'refused' });

const within = (work: Promise<void>, limit: Millis): Promise<void> =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no answer within ${limit} ms`)), limit);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });

export interface Recording {
  readonly recorder: Recorder;
  writeDue(): Promise<void>;
}

export const createRecorder = (deps: AuditDeps): Recording => {
  const { clock, random, log, store, settings } = deps;
  const refusals = createTally({ capacity: CAPACITY, window: WINDOW, other: otherRefusals });
  const verdicts = createTally({ capacity: CAPACITY, window: WINDOW, other: gapOf });
  const written = (kind: string): { inc(by?: number): void } =>
    deps.metrics.counter('securityhub_audit_events_total', 'Audit events written, by class.', { class: kind });
  const counters = {
    change: written('in-transaction'),
    required: written('required'),
    refused: written('aggregated'),
    sampled: written('sampled'),
  };
  const failures = deps.metrics.counter(
    'securityhub_audit_write_failures_total',
    'Writes of audit events that failed; refusals are kept and tried again.',
  );

  const draw = inBlocks(random);

  let last: Instant = 0;
  let order = 0;
  const build = (entry: AuditEntry, count: number, since: Instant): AuditEvent => {
    order = since === last ? order + 1 : 0;
    last = since;
    return eventFrom(entry, eventId(since, order % 32_768, draw(ID_RANDOM)), since, count);
  };

  const group = deps.groupCommit<AuditEvent>((events) => within(store.append(events), REQUIRED_TIMEOUT));

  const write = async (tally: typeof refusals, counted: readonly Counted[], counter: { inc(by?: number): void }): Promise<boolean> => {
    if (counted.length === 0) return true;
    try {
      await within(store.append(counted.map(({ entry, count, since }) => build(entry, count, since))), REQUIRED_TIMEOUT);
      counter.inc(counted.length);
      return true;
    } catch (cause) {
      tally.putBack(counted);
      failures.inc();
      log.warn(
        { events: counted.length, error: toFault(cause).message, cause: String(cause) },
        'audit events could not be written; kept for the next try',
      );
      return false;
    }
  };

  const drain = async (tally: typeof refusals, counter: { inc(by?: number): void }): Promise<void> => {
    for (;;) {
      const counted = tally.take(clock.now(), BATCH);
      if (!(await write(tally, counted, counter)) || counted.length < BATCH) return;
    }
  };

  // One writer at a time: a slow store must not be asked twice for the same rows.
  let writing: Promise<void> | null = null;
  const writeDue = (): Promise<void> => {
    writing ??= (async () => {
      await drain(refusals, counters.refused);
      await drain(verdicts, counters.sampled);
    })().finally(() => {
      writing = null;
    });
    return writing;
  };

  const { decisions } = settings;
  const keeps = (): boolean =>
    settings.bestEffort && (decisions.kind === 'all' || (decisions.kind === 'sample' && Math.random() < decisions.rate));

  return {
    writeDue,
    recorder: {
      async insert(tx, entries) {
        if (entries.length === 0) return;
        const now = clock.now();
        await store.insert(
          tx,
          entries.map((entry) => build(entry, 1, now)),
        );
        counters.change.inc(entries.length);
      },
      async required(entry) {
        try {
          await group.add(build(entry, 1, clock.now()));
        } catch (cause) {
          failures.inc();
          throw unavailable('AUDIT_UNAVAILABLE', 'the audit log cannot be written; nothing was disclosed', cause);
        }
        counters.required.inc();
      },
      refused: (entry) => refusals.add(refusalKind(entry), () => entry, clock.now()),
      sampled(kind, entry) {
        if (keeps()) verdicts.add(kind, entry, clock.now());
      },
      async flush() {
        await group.drain();
        await writing;
        const left: [typeof refusals, typeof counters.refused][] = [
          [refusals, counters.refused],
          [verdicts, counters.sampled],
        ];
        for (const [tally, counter] of left) {
          const counted = tally.takeAll();
          for (let i = 0; i < counted.length; i += BATCH) await write(tally, counted.slice(i, i + BATCH), counter);
        }
      },
    },
  };
};
