// Door of the recorded decisions: kept with what they were made on, explained later, and made again under other policies.
import type { MaybePromise } from '../../base/call.ts';
import type { TenantId } from '../../base/caller.ts';
import type { Instant, Millis } from '../../base/time.ts';
import type { Step } from '../explain.ts';
import type { Limits } from '../limits.ts';
import type { PolicySet } from '../policy/policy-set.ts';
import type { Draft } from '../policy/policy.ts';
import type { Question } from '../question.ts';
import type { Wanted } from '../resolve.ts';
import type { Rights } from '../rights.ts';
import type { Subject } from '../subject.ts';
import type { Ruling } from '../ruling.ts';
import type { Situation } from '../situation.ts';
import { createExplainDecision } from './explain-decision.ts';
import { createRecorder, type DecisionRecorder, type RecorderDeps } from './record.ts';
import { createReplay, type Replayed, type ReplayRequest } from './replay.ts';

export type { DecisionRecorder } from './record.ts';
export type { Replayed, ReplayRequest, ReplaySample } from './replay.ts';

/** What a decision was made on, besides the rights that the subject has anyway. */
export interface Asked {
  readonly question: Question;
  readonly situation: Omit<Situation, 'horizon'>;
  readonly limits: Limits;
}

export interface DecisionRecord {
  readonly tenantId: TenantId;
  readonly id: string;
  readonly at: Instant;
  readonly subject: Subject;
  readonly resourceType: string;
  readonly action: string;
  readonly ruling: Ruling;
  readonly gated: boolean;
  /** Every change up to this number was contained. */
  readonly revision: number;
  readonly asked: Asked;
  readonly steps: readonly Step[];
}

export interface DecisionStore {
  /** Of any tenants. An id that is there already stays as it is. */
  append(records: readonly DecisionRecord[]): Promise<void>;
  find(tenantId: TenantId, id: string): Promise<DecisionRecord | null>;
  /** Newest first, from `until` (exclusive) back to `from`; at most `size`, those after the given one. */
  page(tenantId: TenantId, from: Instant, until: Instant, after: DecisionRecord | null, size: number): Promise<readonly DecisionRecord[]>;
  /** Removes what is older than that, and of each tenant all but the newest so many. */
  sweep(before: Instant, most: number): Promise<void>;
}

export interface Explained {
  readonly record: DecisionRecord;
  /** What would be decided today on the same question; null where the subject cannot be asked about any more. */
  readonly today: Ruling | null;
}

export interface DecisionDeps extends RecorderDeps {
  /** How long a decision can be told; what is older may still wait to be swept. */
  readonly keep: Millis;
  readonly rightsOf: (wanted: readonly Wanted[], now: Instant) => MaybePromise<readonly Rights[]>;
  readonly decide: (rights: Rights, limits: Limits, question: Question, situation: Situation) => Ruling;
  /** The tenant's policies as they would be. Faults as `Policies.apply`. */
  readonly candidate: (tenantId: TenantId, draft: Draft | number) => Promise<PolicySet | null>;
}

export interface Decisions {
  readonly recorder: DecisionRecorder;
  /** NOT_FOUND / DECISION_NOT_FOUND. */
  explainDecision(tenantId: TenantId, id: string, now: Instant): Promise<Explained>;
  replay(tenantId: TenantId, request: ReplayRequest, now: Instant): Promise<Replayed>;
}

export const createDecisions = (deps: DecisionDeps): Decisions => {
  const recorder = createRecorder(deps);
  return {
    recorder,
    explainDecision: createExplainDecision({ ...deps, recorder }),
    replay: createReplay({ ...deps, recorder }),
  };
};
