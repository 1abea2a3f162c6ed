// Window of the recorded decisions: rows of AuthorizationService.
import type { MaybePromise } from '../../base/call.ts';
import { type Caller, tenantOf } from '../../base/caller.ts';
import { Fault } from '../../base/fault.ts';
import { millisOf, timestampOf } from '../../base/proto-time.ts';
import { type Clock, type Instant, seconds } from '../../base/time.ts';
import type { Timestamp } from '../../gen/google/protobuf/timestamp.ts';
import * as proto from '../../gen/securityhub/v1/authorization.ts';
import type { Access, Rows } from '../../server/rpc/define.ts';
import type { Ruling } from '../ruling.ts';
import type { DecisionRecord, Decisions } from './decision.ts';

export type DecisionRows = Pick<Rows<typeof proto.AuthorizationServiceService>, 'explainDecision' | 'replayPolicies'>;

const instant = (time: Timestamp | undefined, fallback: Instant): Instant => (time === undefined ? fallback : Math.floor(millisOf(time)));

const printOutcome = (ruling: Ruling): proto.DecisionOutcome => ({
  allowed: ruling.allowed,
  reasonCode: ruling.code,
  reason: ruling.reason,
  appliedPolicies: [...ruling.rules],
  conditions: [...(ruling.conditions ?? [])],
  obligations: [...(ruling.obligations ?? [])],
  missingAttributes: [...(ruling.missing ?? [])],
});

const printRecord = ({ id, at, subject, asked, ruling, revision }: DecisionRecord): proto.RecordedDecision => {
  const { question, situation } = asked;
  return {
    decisionId: id,
    asOf: timestampOf(at),
    subject: { type: subject.type, id: subject.id },
    action: question.action,
    resource: {
      type: question.type,
      id: question.resourceId,
      tenantId: question.resourceTenantId,
      ownerId: question.ownerId,
      classification: question.classification,
      attributes: { ...situation.resource },
      parents: question.parents.map((parent) => ({ ...parent })),
    },
    workload: situation.workload,
    environment: situation.environment,
    context: { ...situation.context },
    asserted: { ...situation.asserted },
    mfaVerified: situation.mfaVerified,
    outcome: printOutcome(ruling),
    policyRevision: revision,
  };
};

const reading = (permission: string, deadline: number) =>
  ({ access: { permission, across: true } satisfies Access, audit: 'none', limit: 'manage', deadline, idempotency: 'safe' }) as const;

const MOST = 40_000;
const SAMPLES = 20;
const EXPLAIN = 'authz:read';

export interface DecisionWindow {
  readonly decisions: Decisions;
  readonly clock: Clock;
  readonly holds: (caller: Caller, permission: string) => MaybePromise<boolean>;
}

export const decisionRows = ({ decisions, clock, holds }: DecisionWindow): DecisionRows => ({
  explainDecision: {
    ...reading(EXPLAIN, seconds(5)),
    async handle(request, call) {
      const tenantId = tenantOf(call.caller, request.tenantId, true);
      const { record, today } = await decisions.explainDecision(tenantId, request.decisionId, call.now);
      return {
        decision: printRecord(record),
        steps: record.steps.map((step) => ({
          ...step,
          effect: step.effect === 'allow' ? proto.Effect.EFFECT_ALLOW : proto.Effect.EFFECT_DENY,
        })),
        today: today === null ? undefined : printOutcome(today),
      };
    },
  },
  replayPolicies: {
    ...reading('policies:read', seconds(60)),
    async handle(request, call) {
      const tenantId = tenantOf(call.caller, request.tenantId, true);
      if (!(await holds(call.caller, EXPLAIN)))
        throw new Fault('PERMISSION_DENIED', 'PERMISSION_MISSING', `decisions of others need the permission ${EXPLAIN}`, {
          meta: { permission: EXPLAIN },
        });
      const { sources, deleteNames: deleted, prune, draftVersion, maxDecisions, samples } = request;
      const {
        changes,
        samples: shown,
        ...counts
      } = await decisions.replay(
        tenantId,
        {
          draft: draftVersion > 0 ? draftVersion : { sources, deleted, prune },
          from: instant(request.from, 0),
          until: instant(request.until, clock.now() + 1),
          most: maxDecisions === 0 ? MOST : maxDecisions,
          samples: samples === 0 ? SAMPLES : samples,
        },
        call.now,
      );
      return {
        ...counts,
        changes: changes.map(({ before, after, count }) => ({
          allowedBefore: before.allowed,
          reasonCodeBefore: before.code,
          allowedAfter: after.allowed,
          reasonCodeAfter: after.code,
          count,
        })),
        samples: shown.map(({ record, before, after }) => ({
          decision: printRecord(record),
          before: printOutcome(before),
          after: printOutcome(after),
        })),
      };
    },
  },
});
