// What a policy says of a resource type against what the type declares: an action that it has not would rule over nothing. Pure.
import { nearest } from '../../base/distance.ts';
import { parsePermission } from '../permission.ts';
import { actionsOf, type ResourceType, UNDECLARED } from '../resource-type.ts';
import { type PolicyDocument, UNSPEAKABLE } from './document.ts';

/** Types as they are declared. One that lists no actions leaves them open. */
export interface Declarations {
  type(name: string): ResourceType | undefined;
  /** All that a wildcard covers. */
  readonly types: readonly ResourceType[];
}

/** Where nobody knows them: any name will do, and all is open. */
export const ANY_TYPE: Declarations = { type: (name) => ({ ...UNDECLARED, name }), types: [{ ...UNDECLARED, name: '*' }] };

export interface StrangeName {
  /** Path of the place that is shown. */
  readonly at: string;
  readonly field: string;
  readonly message: string;
  readonly next: string;
}

type Written = Pick<ReadonlySet<string>, 'has'>;

const DECLARE = 'declare it with PutResourceType, or correct the name';
const meant = (name: string, known: Iterable<string>): string => {
  const near = nearest(name, known);
  return near === null ? '' : `; did you mean ${near}?`;
};

const known = new WeakMap<object, ReadonlySet<string> | null>();
/** Of `of`, put together when it is first asked about. */
const knownOf = (of: object, types: () => readonly ResourceType[]): ReadonlySet<string> | null => {
  let found = known.get(of);
  if (found === undefined) known.set(of, (found = actionsOf(types())));
  return found;
};

/** null = any, or nobody knows the type. */
const actionsFor = (name: string, { type, types }: Declarations): ReadonlySet<string> | null => {
  if (name === '*') return knownOf(types, () => types.filter((one) => !UNSPEAKABLE.includes(one.name)));
  const declared = type(name);
  return declared === undefined ? null : knownOf(declared, () => [declared]);
};

interface Naming {
  readonly path: string;
  readonly resource: string;
  readonly actions: readonly string[];
  /** Shown where the text leaves the actions out. */
  readonly beside: string;
}

const namings = ({ requirements, rules, masks }: PolicyDocument): readonly Naming[] => [
  ...(requirements === null ? [] : [{ ...requirements, path: 'spec.actions', beside: 'spec.resource' }]),
  ...rules.map((rule, index) => ({ ...rule, path: `spec.rules[${index}].actions`, beside: `spec.rules[${index}].name` })),
  ...masks.map((mask, index) => ({ ...mask, path: `spec.masks[${index}].actions`, beside: `spec.masks[${index}].field` })),
];

/** What is wrong with that action of that type; null = nothing. */
const strangeAction = (resource: string, action: string, declared: Declarations): Pick<StrangeName, 'message' | 'next'> | null => {
  const having = actionsFor(resource, declared);
  if (having === null || action === '*' || having.has(action)) return null;
  const none = resource === '*' ? 'no resource type has an' : `${resource} has no`;
  return {
    message: `${none} action ${action}${meant(action, having)}`,
    next: declared.type(resource)?.builtIn === true ? `name one of ${[...having].join(', ')}` : DECLARE,
  };
};

/** Actions that the type has not; of '*', that no type has. One by one: a tenant may declare a hundred thousand to look through. */
export function* unknownActions(document: PolicyDocument, declared: Declarations, written: Written): Generator<StrangeName> {
  for (const { path, resource, actions, beside } of namings(document))
    for (const action of actions) {
      const strange = strangeAction(resource, action, declared);
      if (strange !== null) yield { at: written.has(`${path}=${action}`) ? `${path}=${action}` : beside, field: path, ...strange };
    }
}

const REQUIRED = 'spec.requiredPermissions';

/** Required permissions to do what their type does not know: only a wildcard would meet them. A type that nobody declared may be declared later. */
export function* unknownPermissions({ requirements }: PolicyDocument, declared: Declarations): Generator<StrangeName> {
  for (const permission of requirements?.permissions ?? []) {
    const { type = '', action = '' } = parsePermission(permission) ?? {};
    const strange = strangeAction(type, action, declared);
    if (strange !== null) yield { at: `${REQUIRED}=${permission}`, field: REQUIRED, ...strange };
  }
}
