// CheckPermission: may this subject do this to that? Answered at once when everything is in memory.
import type { Authorization, Question, Rights, Ruling, Situation, Snapshot, Step } from '../../authorization/authorization.ts';
import type { Call, MaybePromise } from '../../base/call.ts';
import { andThen } from '../../base/maybe.ts';
import { boundOf, durationOf, timestampOf } from '../../base/proto-time.ts';
import type { Instant, Millis } from '../../base/time.ts';
import type { Duration } from '../../gen/google/protobuf/duration.ts';
import { Effect } from '../../gen/securityhub/v1/authorization.ts';
import type { CheckPermissionRequest, CheckPermissionResponse, DecisionStep } from '../../gen/securityhub/v1/security_hub.ts';
import { note } from '../../server/rpc/live-call.ts';
import type { Feed } from '../../storage/storage.ts';
import { effectOf, writeDecision } from './answer.ts';
import type { DecisionIds } from './id.ts';
import { type Gate, gateSteps, isClosed, stepUpAt, through } from '../gate.ts';
import { readQuestion, requireType } from './question.ts';
import type { Asker } from '../principal/asker.ts';
import type { Named, Principal, Principals } from '../principal/principal.ts';
import { situationOf } from '../situation.ts';

export interface DecisionPorts {
  readonly authorization: Pick<Authorization, 'rightsOf' | 'snapshot' | 'decide' | 'explain' | 'recorder'>;
  readonly principals: Principals;
  readonly feed: Pick<Feed, 'catchUp' | 'cursor' | 'assertFresh' | 'age'>;
  readonly decisionIds: DecisionIds;
  /** How long a caller may keep a decision, unless the rights behind it end sooner. */
  readonly decisionTtl: Millis;
  /** Counts decisions. */
  readonly counted: (allowed: boolean, by: number) => void;
}

export const duration = (length: Millis): Duration => {
  return durationOf(Math.min(Math.max(0, Math.round(length)), Number.MAX_SAFE_INTEGER));
};

export const isPrincipal = (named: Named): named is Principal => 'holder' in named;

/** Polls once where this replica is behind; mostly it is not, and no promise is made. */
export const reach = (feed: Pick<Feed, 'catchUp' | 'cursor'>, revision: number): MaybePromise<void> =>
  revision > feed.cursor() ? feed.catchUp(revision) : undefined;

const printStep = (step: Step): DecisionStep => ({
  kind: step.kind,
  rule: step.rule,
  effect: step.effect === 'allow' ? Effect.EFFECT_ALLOW : Effect.EFFECT_DENY,
  matched: step.matched,
  detail: step.detail,
});

const earliest = (...ends: readonly (Instant | null)[]): Instant => Math.min(...ends.map((end) => end ?? Number.POSITIVE_INFINITY));

/** Encoded already, or left to the generated encoder. */
type Answer = CheckPermissionResponse | Buffer;

interface Decided {
  readonly ruling: Ruling;
  readonly until: Instant | null;
  readonly steps: readonly Step[] | null;
  readonly gate: Gate | null;
}

export const createCheckPermission = (ports: DecisionPorts) => {
  const { authorization, principals, feed } = ports;

  /** `situation`: null where no rule looks at it. */
  const decide = (
    rights: Rights,
    principal: Principal,
    question: Question,
    situation: Situation | null,
    explained: boolean,
    now: Instant,
  ): Decided => {
    const gate = principal.gate(rights, now);
    const ruling = authorization.decide(rights, principal.limits, question, situation);
    return {
      ruling: through(gate, ruling, question),
      until: earliest(rights.validUntil, principal.until, gate === null ? null : gate.until, situation?.horizon?.until ?? null),
      steps: explained ? [...gateSteps(gate, question), ...authorization.explain(rights, principal.limits, question, situation)] : null,
      gate,
    };
  };

  const print = (request: CheckPermissionRequest, { ruling, until, steps, gate }: Decided, named: Named, call: Call): Answer => {
    const stepUp = stepUpAt(gate, ruling);
    const { action, resource } = request;
    note(call, {
      resource: resource === undefined ? '' : `${resource.type}:${resource.id}`,
      action,
      result: ruling.allowed ? 'success' : 'failure',
      reason: ruling.code,
    });
    ports.counted(ruling.allowed, 1);
    // The last look, after the last await: what follows is the answer.
    feed.assertFresh(boundOf(request.maxStaleness));
    const validUntil = earliest(call.now + ports.decisionTtl, until);
    const moment = { validUntil, policyRevision: feed.cursor(), asOf: call.now, staleness: feed.age() };
    const said = { action, resourceType: resource?.type ?? '' };
    // What nearly every answer is, written straight; the rest is rare enough for the generated encoder.
    if (steps === null && stepUp === undefined && isPrincipal(named)) return writeDecision(ruling, said, ports.decisionIds, moment);
    return {
      allowed: ruling.allowed,
      effect: effectOf(ruling),
      reason: ruling.reason,
      reasonCode: ruling.code,
      ...said,
      appliedPolicies: ruling.rules as string[],
      conditions: [...(ruling.conditions ?? [])],
      obligations: [...(ruling.obligations ?? [])],
      missingAttributes: [...(ruling.missing ?? [])],
      stepUp,
      trace: steps === null ? undefined : { steps: steps.map(printStep) },
      validUntil: timestampOf(moment.validUntil),
      decisionId: ports.decisionIds.next(),
      policyRevision: moment.policyRevision,
      asOf: timestampOf(moment.asOf),
      staleness: duration(moment.staleness),
    };
  };

  const answer = (request: CheckPermissionRequest, asker: Asker, named: Named, call: Call): MaybePromise<Answer> => {
    const question = readQuestion(request.action, request.resource, asker);
    if (!isPrincipal(named))
      return andThen(authorization.snapshot(named.tenantId), (snapshot: Snapshot) => {
        requireType(snapshot, question, asker);
        return print(request, { ruling: named.ruling, until: null, steps: null, gate: null }, named, call);
      });
    return andThen(authorization.rightsOf([{ tenantId: named.tenantId, subject: named.holder }], call.now), ([rights]) => {
      const { snapshot, plain } = rights as Rights;
      requireType(snapshot, question, asker);
      const { explain } = request;
      const { recorder } = authorization;
      const recorded = recorder.wants();
      const looked = !plain || explain || recorded;
      const situation = looked ? situationOf(request, named, asker, call, { until: Number.POSITIVE_INFINITY }) : null;
      const decided = decide(rights as Rights, named, question, situation, explain, call.now);
      const printed = print(request, decided, named, call);
      if (recorded && situation !== null) {
        const { tenantId, limits } = named;
        const made = { tenantId, limits, at: call.now, rights: rights as Rights, question, situation, revision: feed.cursor() };
        recorder.add({ ...made, id: ports.decisionIds.last(), ruling: decided.ruling, gated: isClosed(decided.gate) });
      }
      return printed;
    });
  };

  /** NOT_FOUND / RESOURCE_TYPE_UNKNOWN, the faults of `Principals.name`, FAILED_PRECONDITION / REVISION_UNKNOWN, UNAVAILABLE. */
  return (request: CheckPermissionRequest, call: Call): MaybePromise<Answer> =>
    andThen(reach(feed, request.minPolicyRevision), () =>
      andThen(principals.asker(call), (asker) =>
        andThen(principals.name(request.principal, request.tokenContext, asker, call), (named) => answer(request, asker, named, call)),
      ),
    );
};
