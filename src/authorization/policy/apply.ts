// Applies policies: read and checked outside the transaction, weighed and written inside it under the set's lock. All or nothing.
import type { Call } from '../../base/call.ts';
import type { TenantId } from '../../base/caller.ts';
import { eventOf } from '../../base/event.ts';
import { badField, Fault, type FieldViolation } from '../../base/fault.ts';
import type { Tx } from '../../storage/storage.ts';
import { conditionSchema } from '../condition/condition.ts';
import { changeOf, makerOf } from '../change.ts';
import { requireHeld } from '../escalation.ts';
import { INSTALLATION } from './document.ts';
import type { Applied, Draft, NewPolicy, Policies, PolicyDeps, SetVersion } from './policy.ts';
import { type Coming, concerns, lacking, leaningOn, type Plan, planOf, POLICIES_MAX, repeated } from './plan.ts';
import { type PolicyProblem, PROBLEMS_SHOWN, readPolicies, type ReadPolicy } from './read-policies.ts';
import type { Vocabulary } from './vocabulary.ts';
import { inSlices } from '../../base/slices.ts';

export interface ApplyRequest extends Draft {
  /** null = any. */
  readonly expectedVersion: number | null;
  readonly dryRun: boolean;
  readonly draft: boolean;
  readonly acknowledged: boolean;
  readonly comment: string;
}

/** Of a version's changes, so many are kept for people. */
const CHANGES_KEPT = 1000;
const VIOLATIONS = 100;
const ATTEMPTS = 5;

const invalid = (problems: readonly PolicyProblem[]): Fault => {
  const shown = problems.slice(0, VIOLATIONS).map((problem): FieldViolation => {
    const place = problem.document === 0 ? 'set' : `${problem.source}:${problem.line}:${problem.column}`;
    return { field: `${place} ${problem.field}`.trim(), description: `${problem.message}: ${problem.next}` };
  });
  const first = shown[0];
  const count = problems.length === 1 ? 'a problem' : `${problems.length} problems`;
  return new Fault('INVALID_ARGUMENT', 'POLICY_INVALID', `${count}, nothing was applied; ${first?.field}: ${first?.description}`, {
    violations: shown,
  });
};

const tooMany = (count: number): Fault =>
  new Fault('RESOURCE_EXHAUSTED', 'POLICY_LIMIT', `a set has at most ${POLICIES_MAX} policies, this would make ${count}`, {
    meta: { limit: String(POLICIES_MAX) },
  });

const conflict = (active: number): Fault =>
  new Fault('ABORTED', 'POLICY_VERSION_CONFLICT', 'somebody else has changed the policies meanwhile', {
    meta: { active_version: String(active) },
  });

const notFound = (name: string): Fault => new Fault('NOT_FOUND', 'POLICY_NOT_FOUND', 'no such policy', { meta: { policy: name } });

const versionNotFound = (version: number): Fault =>
  new Fault('NOT_FOUND', 'POLICY_VERSION_NOT_FOUND', 'no such version', { meta: { version: String(version) } });

const toNew = ({ policy, layer }: Coming): NewPolicy => {
  const { document, trees, content, standing } = policy;
  const { name, kind, category, description } = document;
  return { ...standing, name, kind, layer, category, description, content, body: { document, trees } };
};

/** One by one, as they are stored. */
function* newOnes({ coming }: Plan): Generator<NewPolicy> {
  for (const one of coming) yield toNew(one);
}

const requireAcknowledged = (plan: Plan, acknowledged: boolean): void => {
  const worstOne = plan.changes.find(({ level }) => level === 'critical');
  if (worstOne === undefined || acknowledged) return;
  throw new Fault(
    'FAILED_PRECONDITION',
    'RISK_NOT_ACKNOWLEDGED',
    `a critical change, to be acknowledged: ${worstOne.name}: ${worstOne.reasons[0]}`,
    {
      meta: { policy: worstOne.name, level: 'critical' },
    },
  );
};

/** The installation knows no tenant's types. */
const ABOVE: Vocabulary = { installation: true, types: [], type: () => undefined, role: () => undefined, schema: () => ANY };
const ANY = conditionSchema();

type Kind = 'policies.applied' | 'policies.activated' | 'policies.rolled_back';

export const createApply = ({ store, write, writeInstallation, snapshot, latest, holding }: PolicyDeps) => {
  const vocabularyOf = async (tenantId: TenantId): Promise<Vocabulary> => {
    return tenantId === INSTALLATION ? ABOVE : { installation: false, ...(await snapshot(tenantId)) };
  };

  const read = async (tenantId: TenantId, draft: Draft) => {
    const { policies, problems } = await inSlices(readPolicies(draft.sources, await vocabularyOf(tenantId)));
    return { policies, problems: [...problems, ...repeated(policies)].slice(0, PROBLEMS_SHOWN) };
  };

  /** Against the set as this transaction sees it. */
  const weigh = async (tx: Tx, tenantId: TenantId, draft: Draft, policies: readonly ReadPolicy[]) => {
    const standing = await store.count(tx, tenantId);
    const given = new Set(policies.map(({ document }) => document.name));
    const both = draft.deleted.find((name) => given.has(name));
    if (both !== undefined) throw badField('delete_names', `${both} is also among the policies to apply`);
    const pruned = draft.prune ? (await store.names(tx, tenantId)).filter((name) => !given.has(name)) : [];
    const deleted = [...new Set([...draft.deleted, ...pruned])];
    const stored = await store.documents(tx, tenantId, [...given, ...deleted]);
    const before = new Map(stored.map(({ name, ...rest }) => [name, rest]));
    const unknown = draft.deleted.find((name) => !before.has(name));
    if (unknown !== undefined) throw notFound(unknown);
    const count = standing - before.size + given.size;
    if (count > POLICIES_MAX) throw tooMany(count);
    const concerned = await inSlices(
      concerns(
        policies,
        [...before.values()].map(({ document }) => document),
      ),
    );
    const rest = concerned.size === 0 ? [] : (await store.concerned(tx, tenantId, [...concerned])).filter(({ name }) => !before.has(name));
    const problems = await inSlices(lacking(policies, rest, concerned));
    const { names } = await inSlices(leaningOn({ policies, before }, rest));
    const leaning = names.length === 0 ? [] : (await store.documents(tx, tenantId, names)).map(({ document }) => document);
    const installation = tenantId === INSTALLATION;
    return { problems, plan: await inSlices(planOf({ policies, deleted, standing, before, leaning, installation })) };
  };

  const change = <T>(tenantId: TenantId, work: Parameters<typeof write<T>>[1]) =>
    tenantId === INSTALLATION ? writeInstallation(work) : write(tenantId, work);

  interface Step {
    readonly request: ApplyRequest;
    readonly event: Kind;
    /** What this version is made from; it is the draft's own where one is activated. */
    readonly from: SetVersion | null;
  }

  const written = async (tx: Tx, tenantId: TenantId, policies: readonly ReadPolicy[], { request, event, from }: Step, call: Call) => {
    const { active, last } = await store.versions(tx, tenantId);
    if (request.expectedVersion !== null && request.expectedVersion !== active) throw conflict(active);
    const { problems, plan } = await weigh(tx, tenantId, request, policies);
    if (problems.length > 0) throw invalid(problems);
    const planned: SetVersion = {
      version: from?.version ?? last + 1,
      baseVersion: active,
      state: request.draft ? 'draft' : 'active',
      policies: plan.count,
      changed: plan.changes.length,
      level: plan.level,
      changes: plan.changes.slice(0, CHANGES_KEPT),
      comment: from?.comment ?? request.comment,
      createdAt: from?.createdAt ?? call.now,
      createdBy: from?.createdBy ?? makerOf(call),
      activatedAt: request.draft ? null : call.now,
    };
    if (request.dryRun) return { result: { ...planned, version: 0, state: 'draft' as const } };
    if (plan.changes.length === 0 && from === null) {
      const current = active === 0 ? null : await store.set(tx, tenantId, active);
      return { result: { ...(current?.set ?? { ...planned, version: 0 }), unchanged: true } };
    }
    const { version, level } = planned;
    const details = {
      version,
      base_version: active,
      level,
      changed: planned.changed,
      policies: plan.changes.slice(0, 20).map(({ name, change: what }) => `${what} ${name}`),
    };
    const resource = `policies:${tenantId}`;
    if (request.draft) {
      const { sources, deleted, prune } = request;
      await store.putSet(tx, tenantId, { ...planned, policies: 0 }, { sources, deleted, prune });
      return { result: { ...planned, policies: 0 }, events: [eventOf(call, tenantId, 'policies.drafted', resource, { details })] };
    }
    requireAcknowledged(plan, request.acknowledged);
    if (plan.allowed.length > 0) requireHeld(await holding(call.caller), plan.allowed);
    await store.supersede(tx, tenantId);
    await store.putSet(tx, tenantId, planned, null);
    const by = makerOf(call);
    await store.replace(tx, tenantId, version, { going: plan.going, coming: newOnes(plan), at: call.now, by });
    const alert = level === 'critical' ? { level: 'alert' as const } : {};
    return {
      result: planned,
      changes: [changeOf('policy', tenantId, '')],
      events: [eventOf(call, tenantId, event, resource, { details, ...alert })],
    };
  };

  const run = async (tenantId: TenantId, step: Step, call: Call): Promise<Applied> => {
    const { policies, problems } = await read(tenantId, step.request);
    if (problems.length > 0) throw invalid(problems);
    const { result, revision } = await change<SetVersion & { readonly unchanged?: boolean }>(tenantId, async (tx) => {
      await store.lock(tx, tenantId);
      return written(tx, tenantId, policies, step, call);
    });
    const { unchanged = false, ...version } = result;
    // Whoever applied them finds them in force here when told so. They are stored, whatever becomes of this.
    if (tenantId !== INSTALLATION && !unchanged) await Promise.resolve(latest(tenantId)).catch(() => {});
    return { version, revision, unchanged };
  };

  const draftOf = async (tenantId: TenantId, version: number) => {
    const found = await store.read(tenantId, (tx) => store.set(tx, tenantId, version));
    if (found === null || found.set.state === 'discarded') throw versionNotFound(version);
    return found;
  };

  const rolledBack: Policies['rollback'] = async (tenantId, version, options, call) => {
    const { difference, active } = await store.read(tenantId, async (tx) => {
      const found = version === 0 ? null : await store.set(tx, tenantId, version);
      if (version !== 0 && (found === null || found.set.activatedAt === null)) throw versionNotFound(version);
      return { difference: await store.difference(tx, tenantId, version), active: (await store.versions(tx, tenantId)).active };
    });
    const back = new Set(difference.gone.map(({ name }) => name));
    const request: ApplyRequest = {
      ...options,
      // What the difference was taken from must still stand when it is applied.
      expectedVersion: options.expectedVersion ?? active,
      sources: difference.gone,
      deleted: difference.come.filter((name) => !back.has(name)),
      prune: false,
      draft: false,
      comment: options.comment === '' ? `back to version ${version}` : options.comment,
    };
    return run(tenantId, { request, event: 'policies.rolled_back', from: null }, call);
  };

  return {
    async preview(tenantId, wanted) {
      const draft = typeof wanted === 'number' ? (await draftOf(tenantId, wanted)).draft : wanted;
      if (draft === null) throw versionNotFound(wanted as number);
      const { policies, problems } = await read(tenantId, draft);
      if (problems.length > 0) throw invalid(problems);
      const weighed = await store.read(tenantId, (tx) => weigh(tx, tenantId, draft, policies));
      if (weighed.problems.length > 0) throw invalid(weighed.problems);
      return { coming: weighed.plan.coming.map(toNew), going: weighed.plan.going };
    },

    async validate(tenantId, draft) {
      const { policies, problems } = await read(tenantId, draft);
      return store.read(tenantId, async (tx) => {
        const { active } = await store.versions(tx, tenantId);
        const answer = { problems, changes: [], level: '' as const, policies: policies.length, version: active };
        if (problems.length > 0) return answer;
        const weighed = await weigh(tx, tenantId, draft, policies);
        const { changes, level } = weighed.plan;
        if (weighed.problems.length > 0) return { ...answer, problems: weighed.problems };
        return { ...answer, changes: changes.slice(0, CHANGES_KEPT), level: changes.length === 0 ? '' : level };
      });
    },

    apply: (tenantId, request, call) => run(tenantId, { request, event: 'policies.applied', from: null }, call),

    async activate(tenantId, version, acknowledged, call) {
      const { set, draft } = await draftOf(tenantId, version);
      if (set.state !== 'draft' || draft === null) {
        if (set.state !== 'active') throw conflict((await store.read(tenantId, (tx) => store.versions(tx, tenantId))).active);
        return change(tenantId, async () => ({ result: set })).then(({ result, revision }) => ({
          version: result,
          revision,
          unchanged: true,
        }));
      }
      const options = { expectedVersion: set.baseVersion, dryRun: false, draft: false, acknowledged, comment: set.comment };
      return run(tenantId, { request: { ...draft, ...options }, event: 'policies.activated', from: set }, call);
    },

    async discard(tenantId, version, call) {
      const { result, revision } = await change<SetVersion>(tenantId, async (tx) => {
        await store.lock(tx, tenantId);
        const found = await store.set(tx, tenantId, version);
        if (found === null) throw versionNotFound(version);
        if (found.set.state === 'discarded') return { result: found.set };
        if (found.set.state !== 'draft') throw versionNotFound(version);
        const discarded: SetVersion = { ...found.set, state: 'discarded' };
        await store.putSet(tx, tenantId, discarded, null);
        return {
          result: discarded,
          events: [eventOf(call, tenantId, 'policies.discarded', `policies:${tenantId}`, { details: { version } })],
        };
      });
      return { version: result, revision, unchanged: false };
    },

    async rollback(tenantId, version, options, call) {
      for (let attempt = 1; ; attempt += 1)
        try {
          return await rolledBack(tenantId, version, options, call);
        } catch (thrown) {
          // Whoever named no version does not care who was faster.
          const again = options.expectedVersion === null && attempt < ATTEMPTS;
          if (!again || (thrown as { readonly reason?: string }).reason !== 'POLICY_VERSION_CONFLICT') throw thrown;
        }
    },
  } satisfies Partial<Policies>;
};
