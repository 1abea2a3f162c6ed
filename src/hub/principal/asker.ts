// Whoever asks for a decision, and what of its words counts.
import type { Authorization, Holding, Subject } from '../../authorization/authorization.ts';
import type { Call, MaybePromise } from '../../base/call.ts';
import { type KnownCaller, known, subjectOf, type TenantId } from '../../base/caller.ts';
import { Fault } from '../../base/fault.ts';
import { andThen } from '../../base/maybe.ts';

export interface Asker {
  readonly caller: KnownCaller;
  readonly held: Holding;
  /** May it ask about others, and is it believed about every resource? */
  readonly checks: boolean;
  /** Does its word count on where a subject is, and on what a subject is like? Found out when first asked. */
  readonly assertsContext: () => boolean;
  readonly assertsSubject: () => boolean;
}

const CHECK = 'authz:check';

const once = (find: () => boolean): (() => boolean) => {
  let found: boolean | undefined;
  return () => (found ??= find());
};

const createAsker = (caller: KnownCaller, held: Holding): Asker => ({
  caller,
  held,
  checks: held.holds(CHECK),
  assertsContext: once(() => held.holds('context:assert')),
  assertsSubject: once(() => held.holds('authz:assert')),
});

/** The caller of this call as an asker; the same object as long as caller and holding are. */
export const createAskerOf = ({ holding }: Pick<Authorization, 'holding'>): ((call: Call) => MaybePromise<Asker>) => {
  // As long as the holding is the same object, what was asked of it stands.
  const askers = new WeakMap<Holding, Asker>();
  return (call) => {
    const caller = known(call.caller);
    return andThen(holding(caller), (held) => {
      const there = askers.get(held);
      if (there?.caller === caller) return there;
      const fresh = createAsker(caller, held);
      askers.set(held, fresh);
      return fresh;
    });
  };
};

/** Subjects of its own tenant; a workload also those of the tenants it is registered for. */
export const mayName = ({ caller }: Asker, tenantId: TenantId): boolean =>
  tenantId === caller.tenantId || (caller.kind === 'workload' && caller.entry?.tenants.includes(tenantId) === true);

/** A workload that may make this call at all asks about others; people and their keys need the permission. */
export const requireCheck = ({ caller, checks }: Asker): void => {
  if (caller.kind === 'workload' || checks) return;
  throw new Fault('PERMISSION_DENIED', 'PERMISSION_MISSING', `asking about others needs the permission ${CHECK}`, {
    meta: { permission: CHECK },
  });
};

/** Belief in `resource.owner_id`: a caller could else make itself the owner of anything. */
export const isBelieved = ({ caller, checks }: Asker, resourceType: string): boolean =>
  checks || (caller.kind === 'workload' && caller.entry?.resourceTypes.includes(resourceType) === true);

/** A workload asks about the resource types it is registered for; with authz:check, about all. */
export const mayAskAbout = (asker: Asker, resourceType: string): boolean =>
  asker.caller.kind !== 'workload' || isBelieved(asker, resourceType);

export const isSelf = (caller: KnownCaller, tenantId: TenantId, subject: Subject): boolean => {
  const own = subjectOf(caller);
  return tenantId === caller.tenantId && subject.type === own.type && subject.id === own.id;
};
