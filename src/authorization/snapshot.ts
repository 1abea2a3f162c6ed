// A tenant's roles and resource types at one moment: immutable, indexed once, shared by everybody's rights.
import type { TenantId } from '../base/caller.ts';
import type { Instant } from '../base/time.ts';
import { typesOf } from './attribute.ts';
import { ADMIN, BUILT_IN_RESOURCE_TYPES, BUILT_IN_ROLES } from './builtin.ts';
import { INTERNAL, levelOf } from './classification.ts';
import { conditionSchema, type Schema } from './condition/condition.ts';
import type { PolicySet } from './policy/policy-set.ts';
import type { ResourceType } from './resource-type.ts';
import type { Role, RoleLookup } from './role.ts';
import { type RoleUnion, uniteRoles } from './union.ts';

export interface Snapshot {
  readonly tenantId: TenantId;
  readonly role: RoleLookup;
  readonly roles: readonly Role[];
  type(name: string): ResourceType | undefined;
  readonly types: readonly ResourceType[];
  /** Unknown names give nothing and are left out. Put together on first use, kept until a role's hours begin or end. */
  union(names: readonly string[], now: Instant): RoleUnion;
  /** Is there a type whose resources are more secret than `internal` by default? */
  readonly classified: boolean;
  /** What conditions about resources of that type can speak of; '*' = of any. */
  schema(type: string): Schema;
  /** null where there is no policy at all, neither of the tenant nor of the installation. */
  readonly policies: PolicySet | null;
}

export interface SnapshotSource {
  readonly tenantId: TenantId;
  readonly roles: readonly Role[];
  readonly types: readonly ResourceType[];
}

/** Of types that declare nothing. */
const BARE = conditionSchema();

/** Distinct sets of roles remembered; beyond it the oldest is worked out again. */
const UNIONS = 2048;

const builtInTypes = new Map(BUILT_IN_RESOURCE_TYPES.map((type) => [type.name, type]));
const builtInRoles = new Map(BUILT_IN_ROLES.map((role) => [role.name, role]));

export const isBuiltInRole = (name: string): boolean => builtInRoles.has(name);
/** Built-in names always mean the built-in thing. */
export const typeLookup = (types: readonly ResourceType[]) => {
  const custom = new Map(types.map((type) => [type.name, type]));
  return (name: string): ResourceType | undefined => builtInTypes.get(name) ?? custom.get(name);
};
export const isBuiltInType = (name: string): boolean => builtInTypes.has(name);

/** Built-in names always mean the built-in thing. `admin` reaches the tenant's own resource types, whatever they are called. */
export const roleLookup = (roles: readonly Role[], types: readonly ResourceType[]): RoleLookup => {
  const custom = new Map(roles.map((role) => [role.name, role]));
  const admin = builtInRoles.get(ADMIN);
  const wideAdmin = admin && { ...admin, permissions: [...admin.permissions, ...types.map((type) => `${type.name}:*`)] };
  return (name) => (name === ADMIN ? wideAdmin : (builtInRoles.get(name) ?? custom.get(name)));
};

/** The same with other policies. */
export const withPolicies = (snapshot: Snapshot, policies: PolicySet | null): Snapshot => ({
  ...snapshot,
  classified: snapshot.classified || policies?.classified === true,
  policies,
});

/** Without policies: they are compiled against it. */
export const buildSnapshot = ({ tenantId, roles, types }: SnapshotSource): Snapshot => {
  const customTypes = types.filter((type) => !builtInTypes.has(type.name));
  const customRoles = roles.filter((role) => !builtInRoles.has(role.name));
  const lookup = roleLookup(customRoles, customTypes);
  const unions = new Map<string, { readonly union: RoleUnion; readonly from: Instant }>();
  const schemas = new Map<string, Schema>();
  const schemasBy = new Map<string, Schema>();
  const type = typeLookup(customTypes);

  return {
    tenantId,
    role: lookup,
    roles: [...builtInRoles.keys(), ...customRoles.map((role) => role.name)].flatMap((name) => lookup(name) ?? []),
    type,
    types: [...BUILT_IN_RESOURCE_TYPES, ...customTypes],
    union(names, now) {
      // No role name holds a comma.
      const known = [...new Set(names)].filter((name) => lookup(name) !== undefined).sort();
      const key = known.join(',');
      const kept = unions.get(key);
      if (kept !== undefined && (kept.union.until === null || (kept.from <= now && now < kept.union.until))) return kept.union;
      const union = uniteRoles(known, lookup, now);
      if (unions.size >= UNIONS) unions.delete(unions.keys().next().value ?? '');
      unions.set(key, { union, from: now });
      return union;
    },
    classified: customTypes.some(({ defaultClassification }) => levelOf(defaultClassification) > INTERNAL),
    schema(name) {
      const known = schemas.get(name);
      if (known !== undefined) return known;
      const declared = type(name)?.attributes ?? {};
      // Types that declare the same have one schema.
      const written = JSON.stringify(declared);
      const schema = written === '{}' ? BARE : (schemasBy.get(written) ?? conditionSchema({ resource: typesOf(declared) }));
      schemasBy.set(written, schema);
      schemas.set(name, schema);
      return schema;
    },
    policies: null,
  };
};
