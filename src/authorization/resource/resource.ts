// Door of registered resources: what a tenant says it has, for whoever asks which of it somebody may act on. Checks never read it.
import type { Call } from '../../base/call.ts';
import type { TenantId } from '../../base/caller.ts';
import { eventOf } from '../../base/event.ts';
import { badField, Fault } from '../../base/fault.ts';
import type { Instant } from '../../base/time.ts';
import type { Tx, Write } from '../../storage/storage.ts';
import type { Changed } from '../change.ts';
import { typesOf } from '../attribute.ts';
import { CLASSIFICATIONS } from '../classification.ts';
import { coerceTo } from '../condition/coerce.ts';
import type { Value } from '../condition/value.ts';
import { PARENTS_MAX, type ResourceRef } from '../question.ts';
import { typeNotFound } from '../resource-type.ts';
import type { Attributes } from '../situation.ts';
import type { Snapshot } from '../snapshot.ts';

export interface RegisteredResource extends ResourceRef {
  /** '' = nobody. */
  readonly ownerId: string;
  /** '' = as its type is. */
  readonly classification: string;
  readonly attributes: Attributes;
  /** What it lies in, nearest first. */
  readonly parents: readonly ResourceRef[];
}

/** The port to the stored resources. */
export interface ResourceStore {
  /** How many a tenant has; counted no further than to `most`. */
  count(tx: Tx, tenantId: TenantId, most: number): Promise<number>;
  /** Takes turns with whoever registers in the same tenant. */
  lock(tx: Tx, tenantId: TenantId): Promise<void>;
  put(tx: Tx, tenantId: TenantId, resources: readonly RegisteredResource[], now: Instant): Promise<void>;
  /** How many there were. */
  delete(tx: Tx, tenantId: TenantId, type: string, ids: readonly string[]): Promise<number>;
  /** In the order of their ids. `id`: only that one; '' = all. */
  page(tenantId: TenantId, type: string, id: string, after: string, size: number): Promise<readonly RegisteredResource[]>;
}

export interface Resources {
  /** All or none. NOT_FOUND / RESOURCE_TYPE_UNKNOWN, FAILED_PRECONDITION / LIMIT_REACHED; INVALID_ARGUMENT names the field. */
  putResources(tenantId: TenantId, resources: readonly RegisteredResource[], call: Call): Promise<Changed<null>>;
  deleteResources(tenantId: TenantId, type: string, ids: readonly string[], call: Call): Promise<Changed<number>>;
  /** UNAVAILABLE when they cannot be read. */
  resourcesOf: ResourceStore['page'];
}

export interface ResourceDeps {
  readonly store: ResourceStore;
  readonly write: Write;
  /** With every change committed before the call. */
  readonly snapshot: (tenantId: TenantId) => Promise<Snapshot>;
}

/** Of one tenant. */
const RESOURCES_MAX = 200_000;
/** Of one resource's attributes, as JSON. */
const ATTRIBUTES_MAX = 16_384;
/** Ids that an event names. */
const NAMED = 20;

/** The first attribute whose value is not of the type that is declared for it: conditions could not read it. */
const wrongAttribute = (attributes: Attributes, declared: Readonly<Record<string, string>>) => {
  for (const [name, type] of Object.entries(typesOf(declared))) {
    const value = Object.hasOwn(attributes, name) ? attributes[name] : null;
    if (value !== null && coerceTo(type)(value as Value) === undefined) return { name, type: declared[name] };
  }
  return null;
};

const requireGood = (resource: RegisteredResource, field: string, { type }: Snapshot): void => {
  const { type: name, id, classification, attributes, parents } = resource;
  if (id === '') throw badField(`${field}.id`, 'must not be empty');
  if (type(name) === undefined) throw typeNotFound(name);
  if (classification !== '' && !CLASSIFICATIONS.includes(classification))
    throw badField(`${field}.classification`, `one of ${CLASSIFICATIONS.join(', ')}`);
  const text = JSON.stringify(attributes);
  if (text.includes('\\u0000')) throw badField(`${field}.attributes`, 'must not hold NUL characters');
  if (Buffer.byteLength(text) > ATTRIBUTES_MAX) throw badField(`${field}.attributes`, 'at most 16 KiB of JSON');
  const wrong = wrongAttribute(attributes, type(name)?.attributes ?? {});
  if (wrong !== null) throw badField(`${field}.attributes`, `${wrong.name} is no ${wrong.type}, as ${name} declares it`);
  if (parents.length > PARENTS_MAX) throw badField(`${field}.parents`, `at most ${PARENTS_MAX}`);
  let below = name;
  for (const [at, parent] of parents.entries()) {
    if (parent.id === '') throw badField(`${field}.parents[${at}].id`, 'must not be empty');
    if (type(below)?.parentTypes.includes(parent.type) !== true)
      throw badField(`${field}.parents[${at}].type`, `${below} declares no such parent type`);
    below = parent.type;
  }
};

const eventFor = (call: Call, tenantId: TenantId, type: string, resources: readonly ResourceRef[]) => {
  const names = resources.slice(0, NAMED).map((one) => `${one.type}:${one.id}`);
  return eventOf(call, tenantId, type, names[0] ?? '', { details: { count: resources.length, resources: names } });
};

export const createResources = ({ store, write, snapshot }: ResourceDeps): Resources => ({
  async putResources(tenantId, resources, call) {
    const known = await snapshot(tenantId);
    for (const [at, resource] of resources.entries()) requireGood(resource, `resources[${at}]`, known);
    // The last one of a name wins, as if they had come one by one.
    const distinct = [...new Map(resources.map((one) => [`${one.type}\0${one.id}`, one])).values()];
    return write(tenantId, async (tx) => {
      await store.lock(tx, tenantId);
      await store.put(tx, tenantId, distinct, call.now);
      if ((await store.count(tx, tenantId, RESOURCES_MAX + 1)) > RESOURCES_MAX)
        throw new Fault('FAILED_PRECONDITION', 'LIMIT_REACHED', `a tenant registers at most ${RESOURCES_MAX} resources`);
      return { result: null, events: [eventFor(call, tenantId, 'resource.put', distinct)] };
    });
  },

  deleteResources: (tenantId, type, ids, call) =>
    write(tenantId, async (tx) => {
      const result = await store.delete(tx, tenantId, type, ids);
      const named = ids.map((id) => ({ type, id }));
      return { result, events: result === 0 ? [] : [eventFor(call, tenantId, 'resource.delete', named)] };
    }),

  resourcesOf: (...asked) => store.page(...asked),
});
