// Resource types: what can be asked about in a tenant, and what the owner of such a resource may do with it.
import { Fault } from '../base/fault.ts';

export interface ResourceType {
  readonly name: string;
  readonly description: string;
  /** Actions it knows: policies name no others. Empty = any. */
  readonly actions: readonly string[];
  /** Actions that the owner of a resource may do without any role; `*` for all. */
  readonly ownerActions: readonly string[];
  /** Of a resource that names none. */
  readonly defaultClassification: string;
  /** What conditions may read of such a resource: name → type, as in `attribute.ts`. */
  readonly attributes: Readonly<Record<string, string>>;
  /** Types whose resources such a resource may lie in: what is granted or denied on one of those counts for it too. */
  readonly parentTypes: readonly string[];
  readonly builtIn: boolean;
}

/** A tenant's type that says nothing but its name. */
export const UNDECLARED: Omit<ResourceType, 'name'> = {
  description: '',
  actions: [],
  ownerActions: [],
  defaultClassification: 'internal',
  attributes: {},
  parentTypes: [],
  builtIn: false,
};

/** What can be done to resources of those types; an owner's action counts as named. null = one of them leaves it open. */
export const actionsOf = (types: readonly ResourceType[]): ReadonlySet<string> | null =>
  types.some(({ actions }) => actions.length === 0)
    ? null
    : new Set(types.flatMap(({ actions, ownerActions }) => [...actions, ...ownerActions]));

/** The name of a resource type, of an action and of a role: no wildcard. */
export const NAME = /^[a-z][a-z0-9_.-]{0,127}$/;

export const typeNotFound = (name: string): Fault =>
  new Fault('NOT_FOUND', 'RESOURCE_TYPE_UNKNOWN', `no such resource type: ${name}; declare it with PutResourceType, or correct the name`, {
    meta: { resource_type: name },
  });
