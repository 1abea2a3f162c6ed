// Makes recorded decisions again under other policies: how many would change, in which way, and some of them to look at.
import type { TenantId } from '../../base/caller.ts';
import type { Instant } from '../../base/time.ts';
import type { Draft } from '../policy/policy.ts';
import type { PolicySet } from '../policy/policy-set.ts';
import { inSlices } from '../../base/slices.ts';
import type { Rights } from '../rights.ts';
import type { Subject } from '../subject.ts';
import type { Ruling } from '../ruling.ts';
import { withPolicies } from '../snapshot.ts';
import type { DecisionDeps, DecisionRecord } from './decision.ts';
import type { DecisionRecorder } from './record.ts';

export interface ReplayRequest {
  /** Documents to come and to go, or the version of a draft. */
  readonly draft: Draft | number;
  readonly from: Instant;
  readonly until: Instant;
  /** At most so many decisions, the newest ones. */
  readonly most: number;
  readonly samples: number;
}

export interface ReplaySample {
  readonly record: DecisionRecord;
  readonly before: Ruling;
  readonly after: Ruling;
}

export interface ReplayChange {
  readonly before: Pick<Ruling, 'allowed' | 'code'>;
  readonly after: Pick<Ruling, 'allowed' | 'code'>;
  readonly count: number;
}

export interface Replayed {
  readonly replayed: number;
  readonly changed: number;
  /** Most frequent first. */
  readonly changes: readonly ReplayChange[];
  readonly samples: readonly ReplaySample[];
  /** No decision within the times was left out. */
  readonly complete: boolean;
}

const PAGE = 500;

/** The same rights under other policies; so are those of whoever lends. */
const under = (rights: Rights, policies: PolicySet | null): Rights => ({
  ...rights,
  plain: false,
  rolesAlone: false,
  snapshot: withPolicies(rights.snapshot, policies),
  index: {
    ...rights.index,
    lent: rights.index.lent?.map((lent) => ({ ...lent, grantor: under(lent.grantor, policies) })) ?? null,
  },
});

interface Tally {
  replayed: number;
  changed: number;
  readonly changes: Map<string, { before: Ruling; after: Ruling; count: number }>;
  readonly samples: ReplaySample[];
}

/** Another answer, another reason, or something else to do. */
const differs = (a: Ruling, b: Ruling): boolean =>
  a.allowed !== b.allowed || a.code !== b.code || (a.obligations ?? []).join() !== (b.obligations ?? []).join();

/** The same subject with other roles of its token is another one. */
const keyOf = ({ type, id, roles = [] }: Subject): string => JSON.stringify([type, id, ...roles]);

export const createReplay = (deps: DecisionDeps & { readonly recorder: DecisionRecorder }) => {
  const { store, rightsOf, decide, candidate, recorder, keep } = deps;

  function* again(
    page: readonly DecisionRecord[],
    rights: ReadonlyMap<string, Rights>,
    policies: PolicySet | null,
    tally: Tally,
    samples: number,
  ) {
    const candidates = new Map<string, Rights>();
    for (const record of page) {
      yield;
      const key = keyOf(record.subject);
      const now = rights.get(key);
      if (now === undefined) continue;
      if (record.gated) {
        tally.replayed += 1;
        continue;
      }
      let then = candidates.get(key);
      if (then === undefined) candidates.set(key, (then = under(now, policies)));
      const { question, limits } = record.asked;
      const situation = { ...record.asked.situation, horizon: null };
      const before = decide(now, limits, question, situation);
      const after = decide(then, limits, question, situation);
      tally.replayed += 1;
      if (!differs(before, after)) continue;
      tally.changed += 1;
      const change = `${before.code}>${after.code}`;
      const known = tally.changes.get(change);
      if (known === undefined) tally.changes.set(change, { before, after, count: 1 });
      else known.count += 1;
      if (tally.samples.length < samples) tally.samples.push({ record, before, after });
    }
  }

  /** Both sides are decided on the rights of today, so that what differs comes from the policies alone. */
  return async (tenantId: TenantId, { draft, from, until, most, samples }: ReplayRequest, now: Instant): Promise<Replayed> => {
    await recorder.flush();
    const policies = await candidate(tenantId, draft);
    const tally: Tally = { replayed: 0, changed: 0, changes: new Map(), samples: [] };
    let after: DecisionRecord | null = null;
    let complete = false;
    for (let left = most; left > 0; ) {
      const page: readonly DecisionRecord[] = await store.page(tenantId, Math.max(from, now - keep), until, after, Math.min(PAGE, left));
      const subjects = new Map(page.map((record) => [keyOf(record.subject), record.subject]));
      const found = await rightsOf(
        [...subjects.values()].map((subject) => ({ tenantId, subject })),
        now,
      );
      const rights = new Map([...subjects.keys()].map((key, at) => [key, found[at] as Rights]));
      await inSlices(again(page, rights, policies, tally, samples));
      after = page.at(-1) ?? null;
      complete = page.length < Math.min(PAGE, left);
      left -= page.length;
      if (complete) break;
    }
    const changes = [...tally.changes.values()].toSorted((a, b) => b.count - a.count);
    return { replayed: tally.replayed, changed: tally.changed, changes, samples: tally.samples, complete };
  };
};
