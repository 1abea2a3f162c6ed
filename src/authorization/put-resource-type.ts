// Declares what can be asked about in a tenant.
import type { Call } from '../base/call.ts';
import type { TenantId } from '../base/caller.ts';
import { eventOf } from '../base/event.ts';
import { badField, Fault } from '../base/fault.ts';
import { type Changed, type ChangeDeps, changeOf } from './change.ts';
import { ATTRIBUTE_NAME, parseType, TYPE_WORDS } from './attribute.ts';
import { CLASSIFICATIONS, clearanceOf } from './classification.ts';
import { RESOURCE_FIELDS } from './condition/schema.ts';
import { requireHeld } from './escalation.ts';
import { NAME, type ResourceType } from './resource-type.ts';
import { isBuiltInType } from './snapshot.ts';

export interface TypeChanges {
  /**
   * FAILED_PRECONDITION / RESOURCE_TYPE_BUILT_IN, LIMIT_REACHED; INVALID_ARGUMENT names the field; PERMISSION_DENIED / ESCALATION where a
   * type that was there opens further than before, and the caller does not hold all of it.
   */
  putResourceType(tenantId: TenantId, draft: TypeDraft, call: Call): Promise<Changed<ResourceType>>;
}

/** What is left out is empty. */
export type TypeDraft = Omit<ResourceType, 'builtIn' | 'attributes' | 'parentTypes'> &
  Partial<Pick<ResourceType, 'attributes' | 'parentTypes'>>;

const TYPES_MAX = 1000;
const ATTRIBUTES_MAX = 64;
const PARENT_TYPES_MAX = 16;

const readAttributes = (attributes: ResourceType['attributes']): ResourceType['attributes'] => {
  const entries = Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1));
  if (entries.length > ATTRIBUTES_MAX) throw badField('resource_type.attributes', `at most ${ATTRIBUTES_MAX}`);
  for (const [name, type] of entries) {
    if (!ATTRIBUTE_NAME.test(name)) throw badField('resource_type.attributes', 'a name is a letter, then letters, digits or "_"');
    if (Object.hasOwn(RESOURCE_FIELDS, name))
      throw badField(`resource_type.attributes.${name}`, 'every resource has that field of its own: give it another name');
    if (parseType(type) === null) throw badField(`resource_type.attributes.${name}`, `one of ${TYPE_WORDS}`);
  }
  return Object.fromEntries(entries);
};

/** A type may lie in itself: a folder in a folder. */
const readParents = (parents: readonly string[]): readonly string[] => {
  if (parents.length > PARENT_TYPES_MAX) throw badField('resource_type.parent_types', `at most ${PARENT_TYPES_MAX}`);
  const wrong = parents.findIndex((name) => !NAME.test(name));
  if (wrong !== -1) throw badField(`resource_type.parent_types[${wrong}]`, 'the name of a resource type');
  return [...new Set(parents)].sort();
};

const readActions = (field: string, actions: readonly string[], wildcard: boolean): readonly string[] => {
  const wrong = actions.findIndex((action) => !NAME.test(action) && !(wildcard && action === '*'));
  if (wrong !== -1) throw badField(`resource_type.${field}[${wrong}]`, `an action such as read${wildcard ? ', or "*"' : ''}`);
  return [...new Set(actions)].sort();
};

export const readType = (draft: TypeDraft): ResourceType => {
  if (!NAME.test(draft.name)) throw badField('resource_type.name', 'a lower-case letter, then letters, digits, ".", "_" or "-"');
  const defaultClassification = draft.defaultClassification || 'internal';
  if (!CLASSIFICATIONS.includes(defaultClassification))
    throw badField('resource_type.default_classification', `one of ${CLASSIFICATIONS.join(', ')}`);
  return {
    name: draft.name,
    description: draft.description,
    actions: readActions('actions', draft.actions, false),
    ownerActions: readActions('owner_actions', draft.ownerActions, true),
    defaultClassification,
    attributes: readAttributes(draft.attributes ?? {}),
    parentTypes: readParents(draft.parentTypes ?? []),
    builtIn: false,
  };
};

/** Does anybody get at resources of the type who did not before: their owners, those of what they lie in, the less cleared? */
const opensFurther = (before: ResourceType, after: ResourceType): boolean =>
  after.ownerActions.some((action) => !before.ownerActions.includes(action) && !before.ownerActions.includes('*')) ||
  after.parentTypes.some((name) => !before.parentTypes.includes(name)) ||
  (clearanceOf(after.defaultClassification) ?? 0) < (clearanceOf(before.defaultClassification) ?? 0);

export const createTypeChanges = ({ rules, write, holding }: ChangeDeps): TypeChanges => ({
  async putResourceType(tenantId, draft, call) {
    if (isBuiltInType(draft.name))
      throw new Fault('FAILED_PRECONDITION', 'RESOURCE_TYPE_BUILT_IN', 'built-in resource types cannot be changed', {
        meta: { resource_type: draft.name },
      });
    const type = readType(draft);
    const held = await holding(call.caller);
    return write(tenantId, async (tx) => {
      const stored = await rules.types(tx, tenantId);
      const before = stored.find(({ name }) => name === type.name);
      if (before !== undefined && opensFurther(before, type)) requireHeld(held, [`${type.name}:*`]);
      const others = stored.filter(({ name }) => name !== type.name);
      if (others.length >= TYPES_MAX)
        throw new Fault('FAILED_PRECONDITION', 'LIMIT_REACHED', `a tenant has at most ${TYPES_MAX} resource types of its own`);
      const names = new Set([type.name, ...others.map(({ name }) => name)]);
      const stranger = type.parentTypes.find((name) => !names.has(name) && !isBuiltInType(name));
      if (stranger !== undefined) throw badField('resource_type.parent_types', 'names a type that does not exist', 'RESOURCE_TYPE_UNKNOWN');
      await rules.putType(tx, tenantId, type, call.now);
      const details = {
        actions: type.actions,
        owner_actions: type.ownerActions,
        default_classification: type.defaultClassification,
        attributes: type.attributes,
        parent_types: type.parentTypes,
      };
      return {
        result: type,
        changes: [changeOf('resource_type', tenantId, type.name)],
        events: [eventOf(call, tenantId, 'resource_type.put', `resource_type:${type.name}`, { details })],
      };
    });
  },
});
