// What the rules are kept in and what others know of subjects: the ports of the authorization capability.
import type { MaybePromise } from '../base/call.ts';
import type { TenantId } from '../base/caller.ts';
import type { Instant } from '../base/time.ts';
import type { Tx } from '../storage/storage.ts';
import type { Holders } from './exclusive.ts';
import type { Limits } from './limits.ts';
import type { ResourceType } from './resource-type.ts';
import type { Rights } from './rights.ts';
import type { Assignment, Delegation, Grant, StoredClearance, Subject, SubjectRows } from './subject.ts';
import type { Role } from './role.ts';
import type { Ruling } from './ruling.ts';

export interface StoredAssignment extends Assignment {
  readonly subject: Subject;
  readonly createdAt: Instant;
  /** `<type>:<id>`. */
  readonly createdBy: string;
}

export interface StoredGrant extends Grant {
  readonly subject: Subject;
  readonly reason: string;
  readonly createdAt: Instant;
  readonly createdBy: string;
}

/** UTF-16 units of the texts of a page: with three bytes for each it stays below the 4 MiB that a client takes. */
export const PAGE_TEXT = 524_288;

export interface Page<T> {
  readonly items: readonly T[];
  /** '' after the last page. */
  readonly after: string;
}

/** What stands about somebody whom others want to deny something. */
export interface HeldBy {
  readonly roles: readonly string[];
  /** Of grants. */
  readonly permissions: readonly string[];
}

export interface HolderLists extends Holders {
  /** Users who are owners without beginning or end and are not denied to hand out roles. */
  owners(tx: Tx, tenantId: TenantId): Promise<readonly string[]>;
  /** Of the subject and, for a group, of its members: what is held now or from some day on. */
  heldBy(tx: Tx, tenantId: TenantId, subject: Subject): Promise<HeldBy>;
}

export interface Forgotten {
  readonly rows: number;
  /** To whom it lent something. */
  readonly grantees: readonly Subject[];
}

/** The port to the stored rules. What takes a transaction runs in it; `lock` makes the writers of a tenant take turns. */
export interface Rules extends HolderLists {
  lock(tx: Tx, tenantId: TenantId): Promise<void>;
  roles(tx: Tx, tenantId: TenantId): Promise<readonly Role[]>;
  types(tx: Tx, tenantId: TenantId): Promise<readonly ResourceType[]>;
  subject(tx: Tx, tenantId: TenantId, subject: Subject): Promise<SubjectRows>;
  /** In the order of the subjects. */
  subjects(tx: Tx, tenantId: TenantId, subjects: readonly Subject[]): Promise<readonly SubjectRows[]>;
  putRole(tx: Tx, tenantId: TenantId, role: Role, now: Instant): Promise<void>;
  /** With its assignments. */
  deleteRole(tx: Tx, tenantId: TenantId, name: string): Promise<void>;
  putType(tx: Tx, tenantId: TenantId, type: ResourceType, now: Instant): Promise<void>;
  /** One row for subject and role; again: another end. */
  assign(tx: Tx, tenantId: TenantId, assignment: StoredAssignment): Promise<StoredAssignment>;
  /** Was it there? */
  unassign(tx: Tx, tenantId: TenantId, subject: Subject, role: string): Promise<boolean>;
  /** One row for subject, effect, permission and resource; again: another end and reason. */
  putGrant(tx: Tx, tenantId: TenantId, grant: StoredGrant): Promise<StoredGrant>;
  grant(tx: Tx, tenantId: TenantId, id: string): Promise<StoredGrant | null>;
  deleteGrant(tx: Tx, tenantId: TenantId, id: string): Promise<void>;
  /** '' removes it. */
  setClearance(tx: Tx, tenantId: TenantId, subject: Subject, given: StoredClearance, by: string, now: Instant): Promise<void>;
  /** All that a subject was given and lends; its denies stay, and its clearance unless that goes `too`. */
  forget(tx: Tx, tenantId: TenantId, subject: Subject, clearanceToo: boolean): Promise<Forgotten>;
  /** Roles of those users in force at that instant. */
  rolesOf(tenantId: TenantId, userIds: readonly string[], now: Instant): Promise<ReadonlyMap<string, readonly string[]>>;
  allRoles(tenantId: TenantId): Promise<readonly Role[]>;
  allTypes(tenantId: TenantId): Promise<readonly ResourceType[]>;
  listAssignments(tenantId: TenantId, filter: AssignmentFilter, after: string, size: number): Promise<Page<StoredAssignment>>;
  listGrants(tenantId: TenantId, filter: GrantFilter, after: string, size: number): Promise<Page<StoredGrant>>;
  /** Removes what ended before that instant, a bounded number at a go, in all tenants. */
  sweep(before: Instant): Promise<void>;
}

export interface AssignmentFilter {
  readonly subject: Subject | null;
  readonly role: string;
}

export interface GrantFilter {
  readonly subject: Subject | null;
  readonly permission: string;
}

/** What others know about subjects: identity for users and workloads. */
export interface Subjects {
  /** Does this user or service exist in the tenant? */
  known(tenantId: TenantId, subject: Subject): MaybePromise<boolean>;
  /** Those of the users that can act, read from the table: a suspended owner keeps no tenant. Left out, all can. */
  readonly active?: (tenantId: TenantId, userIds: readonly string[]) => Promise<readonly string[]>;
  /** Is this user or service there and not suspended? Answered at once when at hand. */
  acts(tenantId: TenantId, subject: Subject): MaybePromise<boolean>;
  /** What its entry adds; a user has none. */
  limits(tenantId: TenantId, subject: Subject): MaybePromise<Limits>;
  /** What stands before its rights now, whatever they are: the hours of its account. null = nothing. */
  barred(tenantId: TenantId, subject: Subject, rights: Rights, now: Instant): MaybePromise<Ruling | null>;
  /** A user's login name; '' where it has none. */
  nameOf(tenantId: TenantId, subject: Subject): MaybePromise<string>;
  /** All active users, or all services, in the order of their ids. */
  page(tenantId: TenantId, kind: 'user' | 'service', after: string, limit: number): Promise<readonly string[]>;
}

export interface Group {
  readonly name: string;
  readonly description: string;
}

export interface Member {
  readonly group: string;
  readonly member: Subject;
  readonly expiresAt: Instant | null;
  readonly createdAt: Instant;
  /** `<type>:<id>`. */
  readonly createdBy: string;
}

/** The port to the stored groups. */
export interface Groups {
  count(tx: Tx, tenantId: TenantId): Promise<number>;
  find(tx: Tx, tenantId: TenantId, name: string): Promise<Group | null>;
  put(tx: Tx, tenantId: TenantId, group: Group, now: Instant): Promise<void>;
  /** With its members, roles, grants and what was lent to it. */
  delete(tx: Tx, tenantId: TenantId, name: string): Promise<void>;
  /** Again: another end. */
  add(tx: Tx, tenantId: TenantId, member: Member): Promise<void>;
  /** How many of them were there. */
  remove(tx: Tx, tenantId: TenantId, group: string, members: readonly Subject[]): Promise<number>;
  /** Of how many groups is it a member? */
  countOf(tx: Tx, tenantId: TenantId, member: Subject): Promise<number>;
  /** By name. `member`: only those it is a member of. */
  list(tenantId: TenantId, member: Subject | null, after: string, size: number): Promise<Page<Group>>;
  listMembers(tenantId: TenantId, group: string, after: string, size: number): Promise<Page<Member>>;
}

export interface StoredDelegation extends Delegation {
  readonly grantee: Subject;
  readonly reason: string;
  readonly createdAt: Instant;
}

/** The port to the stored delegations. */
export interface Delegations {
  /** One row for grantor, grantee and resource; again: everything else. */
  put(tx: Tx, tenantId: TenantId, delegation: StoredDelegation): Promise<StoredDelegation>;
  find(tx: Tx, tenantId: TenantId, id: string): Promise<StoredDelegation | null>;
  delete(tx: Tx, tenantId: TenantId, id: string): Promise<void>;
  /** Live ones on either side. */
  countOf(tx: Tx, tenantId: TenantId, side: 'grantor' | 'grantee', subject: Subject, now: Instant): Promise<number>;
  list(tenantId: TenantId, filter: DelegationFilter, after: string, size: number): Promise<Page<StoredDelegation>>;
}

export interface DelegationFilter {
  readonly grantor: Subject | null;
  readonly grantee: Subject | null;
}
