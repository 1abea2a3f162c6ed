// BatchCheck: many decisions on one moment of rights and one instant, answered in order as encoded bytes.
import type { Question, Rights, Ruling, Situation, Snapshot, Wanted } from '../../authorization/authorization.ts';
import type { Call, MaybePromise } from '../../base/call.ts';
import { andThen, isPromise } from '../../base/maybe.ts';
import { boundOf } from '../../base/proto-time.ts';
import { goOn } from '../../base/turn.ts';
import type { BatchCheckRequest, PermissionCheck } from '../../gen/securityhub/v1/security_hub.ts';
import { note } from '../../server/rpc/live-call.ts';
import { createResultWriter, type ResultWriter } from './answer.ts';
import { createCallPrincipals, refusalOf, type Slot } from './principals.ts';
import { type Gate, isClosed, through } from '../gate.ts';
import { readQuestion, requireType } from '../check-permission/question.ts';
import { type DecisionPorts, isPrincipal, reach } from '../check-permission/check-permission.ts';
import type { Asker } from '../principal/asker.ts';
import type { Named, Principal } from '../principal/principal.ts';
import { type Surroundings, situationOf } from '../situation.ts';

/** Nothing holds the event loop longer than 2 ms: a slice (milliseconds), with what follows the last look at the clock and the answer. */
const SLICE = 0.75;
/** Checks between two looks at the clock; where rules weigh conditions, of up to a millisecond each, a check counts for so many. */
const STRIDE = 64;
const WEIGHED = 16;
/** Reading more checks than these has used up enough of a turn. */
const FIRST_TURN = 256;

/** Who a slot's checks are about, with everything the decision needs. */
type Ready =
  | { readonly kind: 'fault'; readonly ruling: Ruling }
  | { readonly kind: 'refused'; readonly ruling: Ruling; readonly snapshot: Snapshot }
  | {
      readonly kind: 'principal';
      readonly rights: Rights;
      readonly principal: Principal;
      readonly gate: Gate | null;
    };

/** What a check was decided on. */
interface Made {
  asked: { readonly question: Question; readonly situation: Situation } | null;
}

type SituationAt = (check: PermissionCheck, principal: Principal) => Situation;

const saysTheSame = (a: PermissionCheck, b: PermissionCheck): boolean =>
  a.resource === b.resource &&
  a.environment === b.environment &&
  a.workload === b.workload &&
  a.context === b.context &&
  a.tokenContext === b.tokenContext;

const newest = (request: BatchCheckRequest): number =>
  request.checks.reduce((most, check) => Math.max(most, check.minPolicyRevision), request.minPolicyRevision);

export const createBatchCheck = (ports: DecisionPorts) => {
  const { authorization, principals, feed } = ports;
  const callPrincipals = createCallPrincipals(principals);

  /** Rights of all principals at one moment; snapshots for those who have none. */
  const prepare = (named: readonly (Named | Ruling)[], call: Call): MaybePromise<readonly Ready[]> => {
    const wanted: Wanted[] = [];
    for (const one of named) if ('holder' in one) wanted.push({ tenantId: one.tenantId, subject: one.holder });
    const tenants = [...new Set(named.flatMap((one) => ('ruling' in one ? [one.tenantId] : [])))];
    return andThen(all(tenants.map((tenantId) => authorization.snapshot(tenantId))), (snapshots) =>
      andThen(authorization.rightsOf(wanted, call.now), (rights) => {
        let next = 0;
        return named.map((one): Ready => {
          if ('code' in one) return { kind: 'fault', ruling: one };
          if (isPrincipal(one)) {
            const own = rights[next++] as Rights;
            return { kind: 'principal', rights: own, principal: one, gate: one.gate(own, call.now) };
          }
          return { kind: 'refused', ruling: one.ruling, snapshot: snapshots[tenants.indexOf(one.tenantId)] as Snapshot };
        });
      }),
    );
  };

  /** What a check does not say comes from the request. */
  const surroundings = (request: BatchCheckRequest, check: PermissionCheck): Surroundings => ({
    resource: check.resource,
    tokenContext: check.tokenContext ?? request.tokenContext,
    context: check.context ?? request.context,
    workload: check.workload === '' ? request.workload : check.workload,
    environment: check.environment === '' ? request.environment : check.environment,
  });

  /** One object for all checks in a row that say the same about it: several actions on one resource. */
  const situations = (request: BatchCheckRequest, asker: Asker, call: Call): SituationAt => {
    let last: PermissionCheck | null = null;
    let of: Principal | null = null;
    let situation: Situation | null = null;
    return (check, principal) => {
      if (situation !== null && last !== null && of === principal && saysTheSame(last, check)) return situation;
      situation = situationOf(surroundings(request, check), principal, asker, call, null);
      last = check;
      of = principal;
      return situation;
    };
  };

  /** `made` is told what was decided on; null where nobody records it. */
  const ruleOn = (situationAt: SituationAt, check: PermissionCheck, ready: Ready, asker: Asker, made: Made | null): Ruling => {
    try {
      if (ready.kind === 'fault') return ready.ruling;
      const question = readQuestion(check.action, check.resource, asker);
      requireType(ready.kind === 'principal' ? ready.rights.snapshot : ready.snapshot, question, asker);
      if (ready.kind === 'refused') return ready.ruling;
      const { rights, principal } = ready;
      const looked = !rights.plain || made !== null;
      const situation = looked ? situationAt(check, principal) : null;
      if (made !== null && situation !== null) made.asked = { question, situation };
      return through(ready.gate, authorization.decide(rights, principal.limits, question, situation), question);
    } catch (thrown) {
      return refusalOf(thrown);
    }
  };

  const { recorder } = authorization;

  /** After its id was given. */
  const record = ({ asked }: Made, ready: Ready, ruling: Ruling, call: Call): void => {
    if (asked === null || ready.kind !== 'principal') return;
    const { rights, principal, gate } = ready;
    const { tenantId, limits } = principal;
    const made = { ...asked, tenantId, limits, at: call.now, rights, ruling, revision: feed.cursor() };
    recorder.add({ ...made, id: ports.decisionIds.last(), gated: isClosed(gate) });
  };

  const finish = (request: BatchCheckRequest, writer: ResultWriter, allowed: number, call: Call): Buffer => {
    const denied = request.checks.length - allowed;
    ports.counted(true, allowed);
    ports.counted(false, denied);
    note(call, {
      result: denied === 0 ? 'success' : 'failure',
      reason: denied === 0 ? 'ALLOWED' : '',
      details: { allowed, denied },
    });
    feed.assertFresh(boundOf(request.maxStaleness));
    return writer.finish({ policyRevision: feed.cursor(), asOf: call.now, staleness: Math.round(feed.age()) });
  };

  const decideAll = (
    request: BatchCheckRequest,
    slots: readonly Slot[],
    ready: readonly Ready[],
    asker: Asker,
    call: Call,
  ): MaybePromise<Buffer> => {
    const { checks } = request;
    const writer = createResultWriter(checks.length, ports.decisionIds);
    const situationAt = situations(request, asker, call);
    let at = 0;
    let allowed = 0;

    /** Until the end or the end of its slice. */
    const slice = (): void => {
      const began = performance.now();
      let since = 0;
      while (at < checks.length) {
        const check = checks[at] as PermissionCheck;
        const one = ready[slots[at] as Slot] as Ready;
        const made: Made | null = recorder.wants() ? { asked: null } : null;
        const ruling = ruleOn(situationAt, check, one, asker, made);
        if (ruling.allowed) allowed += 1;
        writer.add(check.id, ruling);
        if (made !== null) record(made, one, ruling, call);
        at += 1;
        since += one.kind === 'principal' && !one.rights.plain ? WEIGHED : 1;
        if (since < STRIDE) continue;
        since = 0;
        if (performance.now() - began > SLICE) return;
      }
    };

    if (checks.length <= FIRST_TURN) slice();
    if (at === checks.length) return finish(request, writer, allowed, call);
    return (async () => {
      while (at < checks.length) {
        await goOn();
        slice();
      }
      return finish(request, writer, allowed, call);
    })();
  };

  /** A request-wide principal that the caller may not name fails the whole; so does a store that is away. A check's own faults are its result. */
  return (request: BatchCheckRequest, call: Call): MaybePromise<Buffer> =>
    andThen(reach(feed, newest(request)), () =>
      andThen(principals.asker(call), (asker) =>
        andThen(callPrincipals(request, asker, call), ({ slots, names }) =>
          andThen(all(names), (named) => andThen(prepare(named, call), (ready) => decideAll(request, slots, ready, asker, call))),
        ),
      ),
    );
};

/** Those at hand as they are; a promise only where one of them is one. */
const all = <T>(values: readonly MaybePromise<T>[]): MaybePromise<readonly T[]> =>
  values.some((value) => isPromise(value)) ? Promise.all(values) : (values as readonly T[]);
