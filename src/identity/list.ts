// Lists, page by page. A token holds the last row's place and belongs to one query.
import type { TenantId } from '../base/caller.ts';
import { badField } from '../base/fault.ts';
import { type Pager, pageSize } from '../base/page.ts';
import type { Database } from '../storage/storage.ts';
import type { TenantLists, UserStore, WorkloadStore } from './stores.ts';
import type { Tenant } from './tenant.ts';
import { type User, USER_STATUSES } from './user.ts';
import { type Workload, workloadKey } from './workload.ts';

export interface Page<T> {
  readonly items: readonly T[];
  /** '' after the last page. */
  readonly next: string;
}

export interface PageOf {
  readonly pageSize: number;
  readonly pageToken: string;
}

/** One row more than asked for says whether there is another page. */
const page = async <T>(
  pager: Pager,
  query: readonly unknown[],
  { pageSize: asked, pageToken }: PageOf,
  placeOf: (item: T) => string,
  load: (after: string, limit: number) => Promise<readonly T[]>,
): Promise<Page<T>> => {
  const size = pageSize(asked);
  const rows = await load(pager.open(query, pageToken), size + 1);
  const items = rows.slice(0, size);
  const last = items.at(-1);
  return { items, next: rows.length > size && last !== undefined ? pager.seal(query, placeOf(last)) : '' };
};

const oneOf = (options: readonly string[], status: string): string => {
  if (status === '' || options.includes(status)) return status;
  throw badField('status', `must be one of ${options.join(', ')}`);
};

export const listTenants =
  ({ pager, tenantLists }: { readonly pager: Pager; readonly tenantLists: Pick<TenantLists, 'page'> }) =>
  (asked: PageOf & { readonly status: string }): Promise<Page<Tenant>> => {
    const status = oneOf(['active', 'suspended'], asked.status);
    return page(
      pager,
      ['tenants', status],
      asked,
      (tenant) => tenant.tenantId,
      (after, limit) => tenantLists.page(status, after, limit),
    );
  };

export const listUsers =
  ({ pager, db, users }: { readonly pager: Pager; readonly db: Database; readonly users: Pick<UserStore, 'page'> }) =>
  (asked: PageOf & { readonly tenantId: TenantId; readonly status: string }): Promise<Page<User>> => {
    const { tenantId } = asked;
    const status = oneOf(USER_STATUSES, asked.status);
    return page(
      pager,
      ['users', tenantId, status],
      asked,
      (user) => user.userId,
      (after, limit) => db.tenant(tenantId, (tx) => users.page(tx, tenantId, status, after, limit)),
    );
  };

export const listWorkloads =
  ({ pager, db, workloads }: { readonly pager: Pager; readonly db: Database; readonly workloads: Pick<WorkloadStore, 'page'> }) =>
  (asked: PageOf & { readonly tenantId: TenantId; readonly namespace: string }): Promise<Page<Workload>> => {
    const { tenantId, namespace } = asked;
    const placeOf = (workload: Workload): string => workloadKey(workload.namespace, workload.name);
    return page(pager, ['workloads', tenantId, namespace], asked, placeOf, (place, limit) => {
      const at = place.indexOf('/');
      const after = at < 0 ? null : { namespace: place.slice(0, at), name: place.slice(at + 1) };
      return db.tenant(tenantId, (tx) => workloads.page(tx, tenantId, namespace, after, limit));
    });
  };

/** Ids of active users, or of services (`<namespace>/<name>`), in their order: for whoever goes through all of them. */
export const subjectIds =
  ({
    db,
    users,
    workloads,
  }: {
    readonly db: Database;
    readonly users: Pick<UserStore, 'page'>;
    readonly workloads: Pick<WorkloadStore, 'page'>;
  }) =>
  (tenantId: TenantId, kind: 'user' | 'service', after: string, limit: number): Promise<readonly string[]> =>
    db.tenant(tenantId, async (tx) => {
      if (kind === 'user') return (await users.page(tx, tenantId, 'active', after, limit)).map(({ userId }) => userId);
      const at = after.indexOf('/');
      const place = at < 0 ? null : { namespace: after.slice(0, at), name: after.slice(at + 1) };
      return (await workloads.page(tx, tenantId, '', place, limit)).map((workload) => workloadKey(workload.namespace, workload.name));
    });
