// Who can do this to that: everybody who may be allowed is found by the database, and each is then decided as in a check.
import type { MaybePromise } from '../base/call.ts';
import type { TenantId } from '../base/caller.ts';
import { nextTurn } from '../base/turn.ts';
import { decide, type Limits } from './limits.ts';
import { covers } from './permission.ts';
import type { Question } from './question.ts';
import { typeNotFound } from './resource-type.ts';
import type { Resolve } from './resolve.ts';
import type { Rights } from './rights.ts';
import type { Subject } from './subject.ts';
import { flatten } from './role.ts';
import type { Ruling } from './ruling.ts';
import type { Situation } from './situation.ts';
import type { Snapshot } from './snapshot.ts';
import { type Page, PAGE_TEXT, type Subjects } from './stores.ts';

export interface CandidateFilter {
  /** Roles that give it. */
  readonly roles: readonly string[];
  /** Permissions as they may be written that cover it, on the resource or on what it lies in. */
  readonly permissions: readonly string[];
  readonly resourceIds: readonly string[];
}

export interface Candidates {
  /** Users with such a role, grant or delegation, directly or through a group, in the order of their ids. */
  users(tenantId: TenantId, filter: CandidateFilter, after: string, limit: number): Promise<readonly string[]>;
  /** Was anything given to a subject whose id begins so: roles, grants, memberships, delegations, a clearance? */
  someoneUnder(tenantId: TenantId, prefix: string): Promise<boolean>;
}

export interface AbleSubject {
  readonly subject: Subject;
  /** Login name of a user. */
  readonly username: string;
  readonly ruling: Ruling;
}

export interface WhoCanDeps {
  readonly candidates: Candidates;
  readonly subjectsKnown: Subjects;
  readonly resolve: Resolve;
  readonly snapshot: (tenantId: TenantId) => MaybePromise<Snapshot>;
}

export interface WhoCan {
  /**
   * Users first, then services, each in the order of their ids; those a second factor would let through are among them. A page looks at a
   * bounded number of candidates and of words: it may hold fewer than `size`, and none, and still not be the last.
   */
  listSubjects(
    tenantId: TenantId,
    question: Question,
    situation: Situation,
    kind: string,
    after: string,
    size: number,
  ): Promise<Page<AbleSubject>>;
}

/** Candidates that one page decides about. */
const LOOKED_AT = 1000;
const SLICE = 100;

const filterOf = (snapshot: Snapshot, { type, action, resourceId, parents }: Question): CandidateFilter => {
  const roles = snapshot.roles
    .filter(({ name }) => flatten(name, snapshot.role).some(({ permission }) => covers(permission, { type, action })))
    .map(({ name }) => name);
  const types = ['*', type, ...parents.map((parent) => parent.type)];
  return {
    roles,
    permissions: [...new Set(types.flatMap((one) => [`${one}:*`, `${one}:${action}`]))],
    resourceIds: ['', resourceId, ...parents.map(({ id }) => id)],
  };
};

interface Place {
  readonly kind: 'user' | 'service';
  readonly id: string;
}

const placeOf = (after: string, kind: string): Place => {
  if (after === '') return { kind: kind === 'service' ? 'service' : 'user', id: '' };
  const [at, id] = JSON.parse(after) as [Place['kind'], string];
  return { kind: at, id };
};

const weightOf = ({ subject, username, ruling: { rules, conditions = [] } }: AbleSubject): number =>
  [subject.id, username, ...rules, ...conditions].reduce((sum, text) => sum + text.length, 64);

/** As many as a page has room for, one at least where it has none yet. */
const fitting = (found: readonly AbleSubject[], most: number, text: number): readonly AbleSubject[] => {
  let count = 0;
  for (let left = text; count < Math.min(most, found.length) && (left > 0 || left === PAGE_TEXT); count += 1)
    left -= weightOf(found[count] as AbleSubject);
  return found.slice(0, count);
};

export const createWhoCan = ({ candidates, subjectsKnown, resolve, snapshot }: WhoCanDeps): WhoCan => {
  /** Policies may allow whom no role knows: then everybody is a candidate. So may entries, and there are few services. */
  const idsFrom = async (
    tenantId: TenantId,
    question: Question,
    known: Snapshot,
    { kind, id }: Place,
    limit: number,
  ): Promise<readonly string[]> => {
    if (kind === 'service' || known.policies !== null) return subjectsKnown.page(tenantId, kind, id, limit);
    const users = await candidates.users(tenantId, filterOf(known, question), id, limit);
    const owner = question.ownerId;
    if (owner === '' || owner.includes('/') || owner <= id || users.includes(owner)) return users;
    const last = users.at(-1);
    if (users.length === limit && last !== undefined && owner > last) return users;
    return [...users, owner].sort().slice(0, limit);
  };

  const judge = async (
    tenantId: TenantId,
    subjects: readonly Subject[],
    question: Question,
    situation: Situation,
  ): Promise<readonly AbleSubject[]> => {
    const able: AbleSubject[] = [];
    for (let from = 0; from < subjects.length; from += SLICE) {
      const some = subjects.slice(from, from + SLICE);
      const active = await Promise.all(some.map(async (subject) => subjectsKnown.acts(tenantId, subject)));
      const limits = await Promise.all(some.map(async (subject) => subjectsKnown.limits(tenantId, subject)));
      const rights = await resolve(
        some.map((subject) => ({ tenantId, subject })),
        situation.now,
      );
      for (const [at, subject] of some.entries()) {
        if (active[at] !== true) continue;
        const ruling = decide(rights[at] as Rights, limits[at] as Limits, question, situation);
        if (!ruling.allowed && ruling.stepUp !== true) continue;
        if ((await subjectsKnown.barred(tenantId, subject, rights[at] as Rights, situation.now)) !== null) continue;
        able.push({ subject, username: await subjectsKnown.nameOf(tenantId, subject), ruling });
      }
      await nextTurn();
    }
    return able;
  };

  return {
    async listSubjects(tenantId, question, situation, kind, after, size) {
      const known = await snapshot(tenantId);
      if (known.type(question.type) === undefined) throw typeNotFound(question.type);
      const items: AbleSubject[] = [];
      let text = PAGE_TEXT;
      let place = placeOf(after, kind);
      for (let left = LOOKED_AT; left > 0; ) {
        const limit = Math.min(left, size);
        const ids = await idsFrom(tenantId, question, known, place, limit);
        left -= Math.max(1, ids.length);
        const found = await judge(
          tenantId,
          ids.map((id) => ({ type: place.kind, id })),
          question,
          situation,
        );
        const shown = fitting(found, size - items.length, text);
        items.push(...shown);
        text -= shown.reduce((sum, one) => sum + weightOf(one), 0);
        const whole = shown.length === found.length;
        const last = whole ? ids.at(-1) : shown.at(-1)?.subject.id;
        if (whole && ids.length < limit) {
          // This kind is through.
          if (place.kind === 'service' || kind === 'user') return { items, after: '' };
          place = { kind: 'service', id: '' };
        } else place = { ...place, id: last ?? place.id };
        if (!whole || items.length >= size) break;
      }
      return { items, after: JSON.stringify([place.kind, place.id]) };
    },
  };
};
