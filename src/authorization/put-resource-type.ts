// Declares what can be asked about in a tenant.
import type { Call } from '../base/call.ts';
import type { TenantId } from '../base/caller.ts';
import { eventOf } from '../base/event.ts';
import { badField, Fault } from '../base/fault.ts';
import { type Changed, type ChangeDeps, changeOf } from './change.ts';
import { CLASSIFICATIONS, NAME, type ResourceType } from './resource-type.ts';
import { isBuiltInType } from './snapshot.ts';

export interface TypeChanges {
  /** FAILED_PRECONDITION / RESOURCE_TYPE_BUILT_IN, LIMIT_REACHED; INVALID_ARGUMENT names the field. */
  putResourceType(tenantId: TenantId, draft: Omit<ResourceType, 'builtIn'>, call: Call): Promise<Changed<ResourceType>>;
}

const TYPES_MAX = 1000;

const readActions = (field: string, actions: readonly string[], wildcard: boolean): readonly string[] => {
  const wrong = actions.findIndex((action) => !NAME.test(action) && !(wildcard && action === '*'));
  if (wrong !== -1) throw badField(`resource_type.${field}[${wrong}]`, `an action such as read${wildcard ? ', or "*"' : ''}`);
  return [...new Set(actions)].sort();
};

export const readType = (draft: Omit<ResourceType, 'builtIn'>): ResourceType => {
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
    builtIn: false,
  };
};

export const createTypeChanges = ({ rules, write }: ChangeDeps): TypeChanges => ({
  async putResourceType(tenantId, draft, call) {
    if (isBuiltInType(draft.name))
      throw new Fault('FAILED_PRECONDITION', 'RESOURCE_TYPE_BUILT_IN', 'built-in resource types cannot be changed', {
        meta: { resource_type: draft.name },
      });
    const type = readType(draft);
    return write(tenantId, async (tx) => {
      await rules.lock(tx, tenantId);
      const others = (await rules.types(tx, tenantId)).filter(({ name }) => name !== type.name);
      if (others.length >= TYPES_MAX)
        throw new Fault('FAILED_PRECONDITION', 'LIMIT_REACHED', `a tenant has at most ${TYPES_MAX} resource types of its own`);
      await rules.putType(tx, tenantId, type, call.now);
      const details = { actions: type.actions, owner_actions: type.ownerActions };
      return {
        result: type,
        changes: [changeOf('resource_type', tenantId, type.name)],
        events: [eventOf(call, tenantId, 'resource_type.put', `resource_type:${type.name}`, { details })],
      };
    });
  },
});
