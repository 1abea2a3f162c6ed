// Reads the rules for those who administer them: straight from the database, built-in ones included.
import type { TenantId } from '../base/caller.ts';
import { BUILT_IN_RESOURCE_TYPES, BUILT_IN_ROLES } from './builtin.ts';
import type { ChangeDeps } from './change.ts';
import type { ResourceType } from './resource-type.ts';
import type { Subject } from './subject.ts';
import type { Role } from './role.ts';
import type {
  AssignmentFilter,
  DelegationFilter,
  GrantFilter,
  Group,
  Member,
  Page,
  StoredAssignment,
  StoredDelegation,
  StoredGrant,
} from './stores.ts';

export interface Lists {
  listRoles(tenantId: TenantId, after: string, size: number): Promise<Page<Role>>;
  listResourceTypes(tenantId: TenantId, after: string, size: number): Promise<Page<ResourceType>>;
  listAssignments(tenantId: TenantId, filter: AssignmentFilter, after: string, size: number): Promise<Page<StoredAssignment>>;
  listGrants(tenantId: TenantId, filter: GrantFilter, after: string, size: number): Promise<Page<StoredGrant>>;
  /** By name; `member`: only those it is a member of. */
  listGroups(tenantId: TenantId, member: Subject | null, after: string, size: number): Promise<Page<Group>>;
  listGroupMembers(tenantId: TenantId, group: string, after: string, size: number): Promise<Page<Member>>;
  listDelegations(tenantId: TenantId, filter: DelegationFilter, after: string, size: number): Promise<Page<StoredDelegation>>;
}

const page = <T extends { readonly name: string }>(builtIn: readonly T[], own: readonly T[], after: string, size: number): Page<T> => {
  const names = new Set(builtIn.map(({ name }) => name));
  const all = [...builtIn, ...own.filter(({ name }) => !names.has(name))].sort((a, b) => (a.name < b.name ? -1 : 1));
  const rest = all.filter(({ name }) => name > after);
  const items = rest.slice(0, size);
  return { items, after: rest.length > size ? (items.at(-1)?.name ?? '') : '' };
};

export const createLists = ({ rules, groups, delegations }: Pick<ChangeDeps, 'rules' | 'groups' | 'delegations'>): Lists => ({
  listGroups: (tenantId, member, after, size) => groups.list(tenantId, member, after, size),
  listGroupMembers: (tenantId, group, after, size) => groups.listMembers(tenantId, group, after, size),
  listDelegations: (tenantId, filter, after, size) => delegations.list(tenantId, filter, after, size),
  listRoles: async (tenantId, after, size) => page(BUILT_IN_ROLES, await rules.allRoles(tenantId), after, size),
  listResourceTypes: async (tenantId, after, size) => page(BUILT_IN_RESOURCE_TYPES, await rules.allTypes(tenantId), after, size),
  listAssignments: (tenantId, filter, after, size) => rules.listAssignments(tenantId, filter, after, size),
  listGrants: (tenantId, filter, after, size) => rules.listGrants(tenantId, filter, after, size),
});
