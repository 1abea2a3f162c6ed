// The principals of a batch: each distinct one is looked up once, and a bad one spoils its own checks only.
import type { Ruling } from '../../authorization/authorization.ts';
import type { Call, MaybePromise } from '../../base/call.ts';
import { Fault } from '../../base/fault.ts';
import { isPromise } from '../../base/maybe.ts';
import { goOn } from '../../base/turn.ts';
import { Subject as SubjectMessage } from '../../gen/securityhub/v1/authorization.ts';
import type { BatchCheckRequest, PermissionCheck } from '../../gen/securityhub/v1/security_hub.ts';
import { RequestContext } from '../../gen/securityhub/v1/token.ts';
import type { Asker } from '../principal/asker.ts';
import type { Given, Named, Principals } from '../principal/principal.ts';

/** Place of a check's principal among the distinct ones. */
export type Slot = number;

export interface CallPrincipals {
  /** For each check, in order. */
  readonly slots: readonly Slot[];
  /** For each slot; a ruling where the caller's own fault is the answer of its checks. */
  readonly names: readonly MaybePromise<Named | Ruling>[];
}

/** Equal keys mean the same principal, presented in the same way. */
const keyOf = (given: Given, context: RequestContext | undefined): string => {
  const shown = context === undefined ? '' : Buffer.from(RequestContext.encode(context).finish()).toString('latin1');
  return given.$case === 'token'
    ? `t${given.value.length}:${given.value}${shown}`
    : `s${Buffer.from(SubjectMessage.encode(given.value).finish()).toString('latin1')}\0${shown}`;
};

/** Milliseconds, so that nothing holds the event loop for more than two: a token never seen before costs a signature check. */
const SLICE = 1;
/** So many unknown principals are looked up at once: a long batch takes its turns with everybody else who waits for a connection. */
const AT_ONCE = 64;

/** What a fault about one check says in its result. Ours and the stores' faults are not about one check. */
export const refusalOf = (thrown: unknown): Ruling => {
  if (!(thrown instanceof Fault) || thrown.code === 'UNAVAILABLE' || thrown.code === 'INTERNAL' || thrown.code === 'RESOURCE_EXHAUSTED')
    throw thrown;
  return { allowed: false, code: thrown.reason, reason: thrown.message, rules: [] };
};

export const createCallPrincipals = ({ name }: Pick<Principals, 'name'>) => {
  const attempt = (work: () => MaybePromise<Named>, whole: boolean): MaybePromise<Named | Ruling> => {
    try {
      const named = work();
      return isPromise(named) && !whole ? named.catch(refusalOf) : named;
    } catch (thrown) {
      // Thrown later, when all are awaited: the lookups already begun must not be left alone.
      return whole ? Promise.reject(thrown) : refusalOf(thrown);
    }
  };

  /** At once where it takes no longer than a slice. */
  return (request: BatchCheckRequest, asker: Asker, call: Call): MaybePromise<CallPrincipals> => {
    const { checks } = request;
    const slots: Slot[] = [];
    const names: MaybePromise<Named | Ruling>[] = [];
    const byKey = new Map<string, Slot>();
    const pending: Promise<unknown>[] = [];
    let common: Slot | undefined;

    const add = (given: Given | undefined, context: RequestContext | undefined, whole: boolean): Slot => {
      const named = attempt(() => name(given, context, asker, call), whole);
      // Heard when all are awaited; until then nobody else may take it for forgotten.
      if (isPromise(named)) {
        named.catch(() => {});
        pending.push(named);
      }
      return names.push(named) - 1;
    };

    const slotOf = (check: PermissionCheck): Slot => {
      if (check.principal === undefined && check.tokenContext === undefined) {
        common ??= add(request.principal, request.tokenContext, request.principal !== undefined);
        return common;
      }
      const given = check.principal ?? request.principal;
      const context = check.tokenContext ?? request.tokenContext;
      if (given === undefined) return add(given, context, false);
      const key = keyOf(given, context);
      const known = byKey.get(key);
      if (known !== undefined) return known;
      const slot = add(given, context, false);
      byKey.set(key, slot);
      return slot;
    };

    /** Until the end or the end of its slice; true at the end. Known principals cost nothing: only new ones are timed. */
    const slice = (): boolean => {
      const began = performance.now();
      for (let known = names.length; slots.length < checks.length; ) {
        slots.push(slotOf(checks[slots.length] as PermissionCheck));
        if (names.length === known) continue;
        known = names.length;
        if (pending.length >= AT_ONCE || performance.now() - began > SLICE) return slots.length === checks.length;
      }
      return true;
    };

    const named = { slots, names };
    if (slice()) return named;
    return (async () => {
      do {
        // One that fails for all of them ends the batch here, not after the time of every turn.
        if (pending.length >= AT_ONCE) await Promise.all(pending.splice(0));
        await goOn();
      } while (!slice());
      return named;
    })();
  };
};
