// The decision as the rules are told, without indices, caches or flags: slow, and easy to believe.
import { windowState } from '../../src/base/access-window.ts';
import { covers, parsePermission } from '../../src/authorization/permission.ts';
import type { Question } from '../../src/authorization/question.ts';
import type { ResourceType } from '../../src/authorization/resource-type.ts';
import type { SubjectRows } from '../../src/authorization/subject.ts';
import type { Role } from '../../src/authorization/role.ts';
import type { Situation } from '../../src/authorization/situation.ts';

export interface Model {
  readonly tenantId: string;
  /** Built-in ones included. */
  readonly roles: readonly Role[];
  readonly types: readonly ResourceType[];
  /** By `<type>:<id>`, groups too. */
  readonly subjects: ReadonlyMap<string, SubjectRows>;
  /** Those who cannot act. */
  readonly suspended: ReadonlySet<string>;
  /** What a condition comes to, undefined = an error. */
  readonly conditions: Readonly<Record<string, (question: Question, situation: Situation) => boolean | undefined>>;
  /** Does the address lie in the range? */
  readonly contains: (range: string, address: string) => boolean;
}

export type Answer = 'TENANT' | 'DENY' | 'CLASSIFICATION' | 'ALLOW' | 'STEP_UP' | 'NO';

const LEVELS = ['public', 'internal', 'confidential', 'restricted', 'top_secret'];
const level = (name: string): number => LEVELS.indexOf(name || 'internal');

const gives = (text: string, type: string, action: string): boolean => {
  const held = parsePermission(text);
  return held !== null && covers(held, { type, action });
};

type Passing = 'yes' | 'mfa' | 'no';
const worse = (a: Passing, b: Passing): Passing => (a === 'no' || b === 'no' ? 'no' : a === 'mfa' || b === 'mfa' ? 'mfa' : 'yes');

export const naive = (model: Model, key: string, asked: Question, situation: Situation, hand = 0): Answer => {
  const { now } = situation;
  const inForce = (one: { readonly notBefore: number | null; readonly expiresAt: number | null }): boolean =>
    (one.notBefore === null || one.notBefore <= now) && (one.expiresAt === null || now < one.expiresAt);
  const about = (resourceId: string, permission: string, parents: boolean): boolean =>
    ((resourceId === '' || resourceId === asked.resourceId) && gives(permission, asked.type, asked.action)) ||
    (parents && resourceId !== '' && asked.parents.some(({ type, id }) => id === resourceId && gives(permission, type, asked.action)));
  const passes = (role: Role): Passing => {
    const scoped = (names: readonly string[], name: string) => names.length === 0 || names.includes(name);
    const fits =
      scoped(role.workloads, situation.workload) &&
      scoped(role.environments, situation.environment) &&
      (role.addressRanges.length === 0 || role.addressRanges.some((range) => model.contains(range, situation.address))) &&
      windowState(role.hours, now).open;
    return !fits ? 'no' : role.requireMfa && !situation.mfaVerified ? 'mfa' : 'yes';
  };
  const below = (name: string, soFar: Passing, seen: readonly string[]): { readonly role: Role; readonly passing: Passing }[] => {
    const role = model.roles.find((each) => each.name === name);
    if (role === undefined || seen.includes(name)) return [];
    const passing = worse(soFar, passes(role));
    return [{ role, passing }, ...role.inherits.flatMap((parent) => below(parent, passing, [...seen, name]))];
  };

  const own = model.subjects.get(key) as SubjectRows;
  const groups = own.memberships.filter(({ expiresAt }) => expiresAt === null || now < expiresAt);
  const all = [own, ...groups.map(({ group }) => model.subjects.get(`group:${group}`) as SubjectRows)];
  const grants = all.flatMap((rows) => rows.grants).filter(inForce);
  const met = ({ condition }: { readonly condition: string }) =>
    condition === '' ? true : model.conditions[condition]?.(asked, situation);
  const roles = all
    .flatMap((rows) => rows.assignments)
    .filter(inForce)
    .flatMap(({ role }) => below(role, 'yes', []));

  if (asked.resourceTenantId !== '' && asked.resourceTenantId !== model.tenantId) return 'TENANT';
  if (grants.some((one) => one.effect === 'deny' && about(one.resourceId, one.permission, true) && met(one) !== false)) return 'DENY';

  const usual = level(model.types.find(({ name }) => name === asked.type)?.defaultClassification ?? '');
  const said = asked.classification === '' ? usual : level(asked.classification);
  const secrecy = asked.believed ? said : Math.max(said, usual);
  const set = own.clearance !== null && (own.clearance.expiresAt === null || now < own.clearance.expiresAt) ? own.clearance.clearance : '';
  const cleared = roles.filter(({ passing }) => passing === 'yes').map(({ role }) => level(role.clearance));
  if (secrecy > (set === '' ? Math.max(level(''), ...cleared) : level(set))) return 'CLASSIFICATION';

  const { believed } = asked;
  if (grants.some((one) => one.effect === 'allow' && about(one.resourceId, one.permission, believed) && met(one) === true)) return 'ALLOW';
  const giving = roles.filter(({ role }) => role.permissions.some((text) => gives(text, asked.type, asked.action)));
  if (giving.some(({ passing }) => passing === 'yes')) return 'ALLOW';
  const lent = all
    .flatMap((rows) => rows.delegations)
    .filter((one) => inForce(one) && one.depth >= hand && one.permissions.some((text) => about(one.resourceId, text, believed)))
    .map(({ grantor }) => `${grantor.type}:${grantor.id}`)
    .filter((grantor) => hand < 3 && !model.suspended.has(grantor))
    .map((grantor) => naive(model, grantor, asked, situation, hand + 1));
  if (lent.includes('ALLOW')) return 'ALLOW';
  const ownerActions = model.types.find(({ name }) => name === asked.type)?.ownerActions ?? [];
  if (asked.ownerId === own.subject.id && ownerActions.includes(asked.action)) return 'ALLOW';
  return lent.includes('STEP_UP') || giving.some(({ passing }) => passing === 'mfa') ? 'STEP_UP' : 'NO';
};
