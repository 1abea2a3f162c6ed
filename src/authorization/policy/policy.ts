// Door of the policies: documents validated, applied as a whole, drafted, rolled back, and told again as they were.
import type { Call, MaybePromise } from '../../base/call.ts';
import type { Caller, TenantId } from '../../base/caller.ts';
import type { Instant } from '../../base/time.ts';
import type { Tx, Write, WriteInstallation } from '../../storage/storage.ts';
import type { Holding } from '../holding.ts';
import type { Snapshot } from '../snapshot.ts';
import { type ApplyRequest, createApply } from './apply.ts';
import type { PolicyDocument } from './document.ts';
import type { Body } from './plan.ts';
import type { PolicyProblem, PolicySource } from './read-policies.ts';
import type { Level, PolicyChange } from './risk.ts';
import { createHistory } from './history.ts';
import type { Standing } from './standing.ts';
import type { Page } from '../stores.ts';

export type { ApplyRequest } from './apply.ts';
export type { PolicyProblem, PolicySource } from './read-policies.ts';
export type { Level, PolicyChange } from './risk.ts';

export interface StoredPolicy {
  readonly name: string;
  readonly kind: string;
  readonly layer: string;
  readonly category: string;
  readonly description: string;
  /** Version of the set that it came with. */
  readonly version: number;
  readonly content: string;
  readonly createdAt: Instant;
  readonly createdBy: string;
}

export type SetState = 'draft' | 'active' | 'superseded' | 'discarded';

export interface SetVersion {
  readonly version: number;
  readonly baseVersion: number;
  readonly state: SetState;
  readonly policies: number;
  readonly changed: number;
  readonly level: Level;
  readonly changes: readonly PolicyChange[];
  readonly comment: string;
  readonly createdAt: Instant;
  readonly createdBy: string;
  readonly activatedAt: Instant | null;
}

/** What a draft would apply. */
export interface Draft {
  readonly sources: readonly PolicySource[];
  readonly deleted: readonly string[];
  readonly prune: boolean;
}

export interface NewPolicy extends Omit<StoredPolicy, 'version' | 'createdAt' | 'createdBy'>, Standing {
  readonly body: Body;
}

export interface PolicyFilter {
  readonly kind: string;
  readonly category: string;
}

/** The port to the stored policies. What takes a transaction runs in it; `lock` makes the writers of a set take turns. */
export interface PolicyStore {
  lock(tx: Tx, tenantId: TenantId): Promise<void>;
  /** The active version (0 = none yet) and the last number given to any. */
  versions(tx: Tx, tenantId: TenantId): Promise<{ readonly active: number; readonly last: number }>;
  /** Of the active set. */
  count(tx: Tx, tenantId: TenantId): Promise<number>;
  names(tx: Tx, tenantId: TenantId): Promise<readonly string[]>;
  /** Active ones that offer or need a condition of one of those names. */
  concerned(tx: Tx, tenantId: TenantId, conditions: readonly string[]): Promise<readonly Standing[]>;
  /** Active ones of those names. */
  documents(
    tx: Tx,
    tenantId: TenantId,
    names: readonly string[],
  ): Promise<readonly { readonly name: string; readonly content: string; readonly document: PolicyDocument }[]>;
  /** Contents of the policies that stood at that version and do not stand as they were, and names of those that have come since. */
  difference(
    tx: Tx,
    tenantId: TenantId,
    version: number,
  ): Promise<{ readonly gone: readonly { readonly name: string; readonly content: string }[]; readonly come: readonly string[] }>;
  replace(
    tx: Tx,
    tenantId: TenantId,
    version: number,
    change: { readonly going: readonly string[]; readonly coming: Iterable<NewPolicy>; readonly at: Instant; readonly by: string },
  ): Promise<void>;
  putSet(tx: Tx, tenantId: TenantId, set: SetVersion, draft: Draft | null): Promise<void>;
  /** The active one becomes superseded. */
  supersede(tx: Tx, tenantId: TenantId): Promise<void>;
  set(tx: Tx, tenantId: TenantId, version: number): Promise<{ readonly set: SetVersion; readonly draft: Draft | null } | null>;
  /** In a transaction of its own. */
  read<T>(tenantId: TenantId, work: (tx: Tx) => Promise<T>): Promise<T>;
  list(tx: Tx, tenantId: TenantId, version: number, filter: PolicyFilter, after: string, size: number): Promise<Page<StoredPolicy>>;
  policy(tx: Tx, tenantId: TenantId, name: string, version: number): Promise<StoredPolicy | null>;
  listSets(tx: Tx, tenantId: TenantId, after: string, size: number): Promise<Page<SetVersion>>;
}

export interface PolicyDeps {
  readonly store: PolicyStore;
  readonly write: Write;
  readonly writeInstallation: WriteInstallation;
  /** With every change committed before the call, by whatever replica. */
  readonly snapshot: (tenantId: TenantId) => MaybePromise<Snapshot>;
  /** With every policy applied here so far: others may go on with the one before for a moment. */
  readonly latest: (tenantId: TenantId) => MaybePromise<Snapshot>;
  readonly holding: (caller: Caller) => MaybePromise<Holding>;
}

export interface Applied {
  readonly version: SetVersion;
  /** All of it was there already: the version is the active one. */
  readonly unchanged: boolean;
  readonly revision: number;
}

export interface Validated {
  readonly problems: readonly PolicyProblem[];
  readonly changes: readonly PolicyChange[];
  /** '' = nothing would change. */
  readonly level: Level | '';
  readonly policies: number;
  readonly version: number;
}

export interface Policies {
  /** Never a fault about the documents: what is wrong with them is the answer. */
  validate(tenantId: TenantId, draft: Draft, call: Call): Promise<Validated>;
  /**
   * INVALID_ARGUMENT / POLICY_INVALID; RESOURCE_EXHAUSTED / POLICY_LIMIT; NOT_FOUND / POLICY_NOT_FOUND; ABORTED / POLICY_VERSION_CONFLICT;
   * FAILED_PRECONDITION / RISK_NOT_ACKNOWLEDGED; PERMISSION_DENIED / ESCALATION.
   */
  apply(tenantId: TenantId, request: ApplyRequest, call: Call): Promise<Applied>;
  /** As `apply`, and NOT_FOUND / POLICY_VERSION_NOT_FOUND. */
  activate(tenantId: TenantId, version: number, acknowledged: boolean, call: Call): Promise<Applied>;
  discard(tenantId: TenantId, version: number, call: Call): Promise<Applied>;
  rollback(tenantId: TenantId, version: number, options: Omit<ApplyRequest, keyof Draft | 'draft'>, call: Call): Promise<Applied>;
  /** What would come and go; faults as `apply`, but for risk and rights. A number is the version of a draft. */
  preview(
    tenantId: TenantId,
    wanted: Draft | number,
  ): Promise<{ readonly coming: readonly NewPolicy[]; readonly going: readonly string[] }>;
  list(
    tenantId: TenantId,
    version: number,
    filter: PolicyFilter,
    after: string,
    size: number,
  ): Promise<Page<StoredPolicy> & { readonly version: number }>;
  /** NOT_FOUND / POLICY_NOT_FOUND. */
  policy(tenantId: TenantId, name: string, version: number): Promise<StoredPolicy>;
  versions(tenantId: TenantId, version: number, after: string, size: number): Promise<Page<SetVersion> & { readonly active: number }>;
}

export const createPolicies = (deps: PolicyDeps): Policies => ({ ...createApply(deps), ...createHistory(deps.store) });
