// A role as it is asked for → a role in one spelling, or the field that is wrong.
import { newWindows } from '../base/access-window.ts';
import type { Constraints } from '../base/constraints.ts';
import { badField } from '../base/fault.ts';
import { isRange } from './address-ranges.ts';
import { type RoleBounds, UNBOUNDED } from './bounds.ts';
import { CLASSIFICATIONS } from './classification.ts';
import { parsePermission, printPermission } from './permission.ts';
import { NAME } from './resource-type.ts';
import type { Role } from './role.ts';

/** What is left out bounds nothing. */
export type RoleDraft = Pick<Role, 'name' | 'description' | 'permissions' | 'inherits' | 'constraints'> & Partial<RoleBounds>;

/** The name of a workload or an environment, as questions name it. */
const SCOPE = /^[\x21-\x7e]{1,128}$/;

const once = (names: readonly string[]): readonly string[] => [...new Set(names)].sort();

const each = (field: string, texts: readonly string[], fits: (text: string) => boolean, wanted: string): readonly string[] => {
  const wrong = texts.findIndex((text) => !fits(text));
  if (wrong !== -1) throw badField(`role.${field}[${wrong}]`, wanted);
  return once(texts);
};

const readBounds = (name: string, given: RoleBounds): RoleBounds => {
  const scopes = (field: string, texts: readonly string[]) => each(field, texts, (text) => SCOPE.test(text), 'printable ASCII, no blanks');
  if (given.clearance !== '' && !CLASSIFICATIONS.includes(given.clearance))
    throw badField('role.clearance', `one of ${CLASSIFICATIONS.join(', ')}`);
  if (given.exclusiveWith.includes(name)) throw badField('role.exclusive_with', 'a role does not exclude itself');
  return {
    workloads: scopes('workloads', given.workloads),
    environments: scopes('environments', given.environments),
    addressRanges: each('address_ranges', given.addressRanges, isRange, 'an address or a range such as 10.0.0.0/8 or 2001:db8::/32'),
    hours: newWindows('role.hours', given.hours),
    requireMfa: given.requireMfa,
    exclusiveWith: once(given.exclusiveWith),
    maxHolders: given.maxHolders,
    clearance: given.clearance,
  };
};

/** Consent and residency belong to people and tenants; so do claims of one's own. */
const readConstraints = (given: Constraints | null | undefined): Constraints | null => {
  if (given === null || given === undefined) return null;
  const elsewhere = 'is set on tenants and users';
  if (given.consentVersion !== '') throw badField('role.constraints.consent_version', elsewhere);
  if (given.dataResidency !== '') throw badField('role.constraints.data_residency', elsewhere);
  if (Object.keys(given.custom).length > 0) throw badField('role.constraints.custom', elsewhere);
  return given;
};

/** INVALID_ARGUMENT names what is wrong; otherwise lists in one spelling, sorted, each member once. */
export const readRole = (draft: RoleDraft): Role => {
  const { name, description, permissions, inherits } = draft;
  if (!NAME.test(name)) throw badField('role.name', 'a lower-case letter, then letters, digits, ".", "_" or "-"');
  const read = permissions.map((text, at) => {
    const permission = parsePermission(text);
    if (permission === null) throw badField(`role.permissions[${at}]`, '<resource type>:<action>, "*" for either side');
    return printPermission(permission);
  });
  const bounds = readBounds(name, { ...UNBOUNDED, ...draft });
  return {
    name,
    description,
    permissions: once(read),
    inherits: once(inherits),
    builtIn: false,
    constraints: readConstraints(draft.constraints),
    ...bounds,
  };
};
