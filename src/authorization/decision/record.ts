// Records decisions off their path: as many a second as allowed, explained and written by the second, never waited for.
import type { TenantId } from '../../base/caller.ts';
import type { Clock, Instant } from '../../base/time.ts';
import type { Step } from '../explain.ts';
import type { Limits } from '../limits.ts';
import { inSlices } from '../../base/slices.ts';
import type { Question } from '../question.ts';
import type { Rights } from '../rights.ts';
import type { Ruling } from '../ruling.ts';
import type { Situation } from '../situation.ts';
import type { DecisionRecord, DecisionStore } from './decision.ts';

/** A decision just made: references to what was there anyway. */
export interface Made {
  readonly tenantId: TenantId;
  readonly id: string;
  readonly at: Instant;
  readonly rights: Rights;
  readonly limits: Limits;
  readonly question: Question;
  readonly situation: Situation;
  readonly ruling: Ruling;
  /** The token or the account stood in the way, so that policies had no say. */
  readonly gated: boolean;
  readonly revision: number;
}

export interface DecisionRecorder {
  /** Is there room for another one in this second? Asked on the hot path: a comparison. */
  wants(): boolean;
  /** Only after `wants`. */
  add(made: Made): void;
  /** Writes what is due and makes room again; once a second. */
  flush(): Promise<void>;
}

export interface RecorderDeps {
  readonly store: DecisionStore;
  readonly clock: Clock;
  /** A replica's decisions a second; 0 = none. */
  readonly perSecond: number;
  readonly explain: (rights: Rights, limits: Limits, question: Question, situation: Situation) => readonly Step[];
  /** Decisions that could not be kept. */
  readonly lost: (count: number) => void;
}

/** Seconds' worth that may wait when the database is away. */
const PATIENCE = 10;
/** A burst after quiet seconds. */
const BURST = 10;

function* recordsOf(due: readonly Made[], explain: RecorderDeps['explain']): Generator<void, readonly DecisionRecord[]> {
  const records: DecisionRecord[] = [];
  for (const { rights, limits, question, situation, ...made } of due) {
    const { horizon: _, ...asked } = situation;
    records.push({
      ...made,
      subject: rights.subject,
      resourceType: question.type,
      action: question.action,
      asked: { question, situation: asked, limits },
      steps: explain(rights, limits, question, { ...situation, horizon: null }),
    });
    yield;
  }
  return records;
}

export const createRecorder = ({ store, perSecond, explain, lost }: RecorderDeps): DecisionRecorder => {
  let room = perSecond * BURST;
  let waiting: Made[] = [];
  let writing: Promise<void> = Promise.resolve();

  const write = async (due: readonly Made[]): Promise<void> => {
    const records = await inSlices(recordsOf(due, explain));
    try {
      await store.append(records);
    } catch (error) {
      const kept = due.slice(0, Math.max(0, perSecond * PATIENCE - waiting.length));
      waiting = [...kept, ...waiting];
      lost(due.length - kept.length);
      throw error;
    }
  };

  return {
    wants: () => room > 0,
    add(made) {
      room -= 1;
      waiting.push(made);
    },
    flush() {
      room = Math.min(room + perSecond, perSecond * BURST);
      const next = writing
        .catch(() => {})
        .then(() => {
          const due = waiting;
          waiting = [];
          return due.length === 0 ? undefined : write(due);
        });
      writing = next;
      return next;
    },
  };
};
