// A registered workload: which certificate it is, and everything that certificate may do with us.
import type { WorkloadEntry } from '../base/caller.ts';
import { badField, Fault } from '../base/fault.ts';
import type { Instant } from '../base/time.ts';
import type { Change } from '../storage/storage.ts';
import { isLabel } from './names.ts';
import { readable } from './user.ts';

export interface Workload extends WorkloadEntry {
  /** Team or person that answers for it. */
  readonly owner: string;
  readonly createdAt: Instant;
  readonly updatedAt: Instant;
}

export type NewWorkload = Omit<Workload, 'createdAt' | 'updatedAt'>;

export const workloadNotFound = (): Fault => new Fault('NOT_FOUND', 'WORKLOAD_NOT_FOUND', 'no such workload');

/** The SPIFFE ID that the certificates of a workload carry (SPIFFE-ID §2). */
export const spiffeIdOf = (trustDomain: string, namespace: string, name: string): string =>
  `spiffe://${trustDomain}/ns/${namespace}/sa/${name}`;

/** In a tenant. */
export const EVERYTHING = '*:*';

/** With these calls a service hands out the identities of others: whoever is such a service can be any of its tenant. */
const OFFICES: readonly string[] = ['IssueServiceCert', 'CreateJoinToken'];

export const issuesForOthers = ({ calls }: Pick<WorkloadEntry, 'calls'>): boolean => calls.some((name) => OFFICES.includes(name));

/** What one must own to become the service, as far as its entry goes. */
export const mightOf = (entry: Pick<WorkloadEntry, 'calls' | 'permissions'>): readonly string[] =>
  issuesForOthers(entry) ? [EVERYTHING] : entry.permissions;

const GIVEN = ['calls', 'keyNames', 'audiences', 'exchangeAudiences', 'resourceTypes', 'asserts'] as const;

/** What the entry gives that neither stood there before nor stands in the entry of the workload that writes it; null = nothing. */
export const beyondOwn = (given: WorkloadEntry, before: WorkloadEntry | null, own: WorkloadEntry | null): string | null => {
  const [was, mine] = [before?.anyAudience === true, own?.anyAudience === true];
  if (given.anyAudience && !was && !mine) return 'any_audience';
  for (const list of GIVEN) {
    if (list === 'audiences' && (was || mine)) continue;
    const known = new Set([...(before?.[list] ?? []), ...(own?.[list] ?? [])]);
    const beyond = given[list]?.find((one) => !known.has(one));
    if (beyond !== undefined) return beyond;
  }
  return null;
};

export const workloadKey = (namespace: string, name: string): string => `${namespace}/${name}`;

/** A change's key is bounded: the longest names make the caches forget all workloads of the tenant instead. */
export const workloadChanges = ({
  tenantId,
  namespace,
  name,
}: Pick<WorkloadEntry, 'tenantId' | 'namespace' | 'name'>): readonly Change[] => {
  const key = workloadKey(namespace, name);
  return [{ kind: 'workload', tenantId, key: key.length <= 256 ? key : '', until: null }];
};

/** Two labels at least: one alone means another service in every namespace. */
const DNS_NAME = /^(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const NAME = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;
const PERMISSION = /^(?:\*|[a-z][a-z0-9_.-]{0,63}):(?:\*|[a-z][a-z0-9_.-]{0,63})$/;
const RESOURCE_TYPE = /^[a-z][a-z0-9_.-]{0,63}$/;

const each = (field: string, texts: readonly string[], good: (text: string) => boolean, wanted: string): readonly string[] => {
  const at = texts.findIndex((text) => !good(text));
  if (at >= 0) throw badField(`workload.${field}[${at}]`, wanted);
  return [...new Set(texts)];
};

const filled = (text: string): boolean => text !== '' && !/\p{Cc}/u.test(text);

/** The entry with every list checked and freed of repetitions. `calls` are the names of the methods there are. */
export const newWorkload = (given: NewWorkload, calls: ReadonlySet<string>): NewWorkload => {
  if (!isLabel(given.namespace)) throw badField('workload.namespace', 'must be 1 to 63 lower-case letters, digits and inner hyphens');
  if (!NAME.test(given.name)) throw badField('workload.name', 'must be 1 to 253 lower-case letters, digits, inner hyphens and dots');
  return {
    ...given,
    audiences: each('audiences', given.audiences, filled, 'must be an audience'),
    tenants: each('tenants', given.tenants, isLabel, 'must be a tenant id'),
    resourceTypes: each('resource_types', given.resourceTypes, (text) => RESOURCE_TYPE.test(text), 'must be a resource type'),
    calls: each('calls', given.calls, (text) => calls.has(text), 'must be the name of a method, such as ValidateToken'),
    permissions: each('permissions', given.permissions, (text) => PERMISSION.test(text), 'must be <resource type>:<action>'),
    keyNames: each('key_names', given.keyNames, filled, 'must be the name of a key'),
    dnsNames: each(
      'dns_names',
      given.dnsNames,
      (text) => text.length <= 253 && DNS_NAME.test(text),
      'must be a lower-case DNS name of two labels or more',
    ),
    exchangeAudiences: each('exchange_audiences', given.exchangeAudiences ?? [], filled, 'must be an audience'),
    asserts: each('asserts', given.asserts, filled, 'must be the name of an attribute'),
    owner: readable('workload.owner', given.owner),
  };
};
