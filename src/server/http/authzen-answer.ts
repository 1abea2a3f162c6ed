// What CheckPermission and BatchCheck answered, in the words of AuthZEN (OpenID Authorization API 1.0). Pure.
import type { Fault } from '../../base/fault.ts';
import { Effect } from '../../gen/securityhub/v1/authorization.ts';
import type { CheckPermissionResponse, PermissionCheckResult } from '../../gen/securityhub/v1/security_hub.ts';
import type { Semantic } from './authzen-request.ts';

export interface Decision {
  readonly decision: boolean;
  readonly context: Readonly<Record<string, unknown>>;
}

type Answered = Pick<
  CheckPermissionResponse & PermissionCheckResult,
  'allowed' | 'effect' | 'reason' | 'reasonCode' | 'obligations' | 'decisionId'
>;

/** The context says why, under stable codes, and what the caller must do when it goes on. */
export const decisionOf = (answered: Answered): Decision => ({
  decision: answered.allowed,
  context: {
    reason_code: answered.reasonCode,
    reason: answered.reason,
    decision_id: answered.decisionId,
    ...(answered.obligations.length === 0 ? {} : { obligations: answered.obligations }),
    ...(answered.effect === Effect.EFFECT_STEP_UP ? { step_up: true } : {}),
  },
});

/** One evaluation that failed is a no that says so; the others stand. */
export const failed = (status: number, { reason, message }: Pick<Fault, 'reason' | 'message'>): Decision => ({
  decision: false,
  context: { reason_code: reason, reason: message, error: { status, message } },
});

/** As far as the semantic goes: up to and with the first no, or the first yes. */
export const upTo = (semantic: Semantic, decisions: readonly Decision[]): readonly Decision[] => {
  if (semantic === 'execute_all') return decisions;
  const last = decisions.findIndex(({ decision }) => decision === (semantic === 'permit_on_first_permit'));
  return last === -1 ? decisions : decisions.slice(0, last + 1);
};
