// Tells a recorded decision again: what was asked, on what it was decided, and what would be decided today.
import type { Instant } from '../../base/time.ts';
import { Fault } from '../../base/fault.ts';
import type { DecisionDeps, Decisions } from './decision.ts';
import type { DecisionRecorder } from './record.ts';

export const createExplainDecision =
  ({ store, rightsOf, decide, recorder, keep }: DecisionDeps & { readonly recorder: DecisionRecorder }): Decisions['explainDecision'] =>
  async (tenantId, id, now: Instant) => {
    // One just made here may still wait to be written.
    await recorder.flush();
    const record = await store.find(tenantId, id);
    if (record === null || record.at < now - keep)
      throw new Fault('NOT_FOUND', 'DECISION_NOT_FOUND', 'no decision of that id was recorded', { meta: { decision: id } });
    const [rights] = await rightsOf([{ tenantId, subject: record.subject }], now);
    const { question, situation, limits } = record.asked;
    const today = rights === undefined ? null : decide(rights, limits, question, { ...situation, now, horizon: null });
    return { record, today };
  };
