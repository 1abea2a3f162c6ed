// What is asked, read from a request: bounds that the proto cannot state, and how much of the resource is believed.
import type { Question } from '../../authorization/authorization.ts';
import type { TenantId } from '../../base/caller.ts';
import { badField, Fault } from '../../base/fault.ts';
import type { Resource } from '../../gen/securityhub/v1/authorization.ts';
import { type Asker, isBelieved, mayAskAbout } from '../principal/asker.ts';

const ACTION = /^[a-z][a-z0-9_.-]{0,127}$/;
const CLASSIFICATIONS: readonly string[] = ['', 'public', 'internal', 'confidential', 'restricted', 'top_secret'];

const PARENTS_MAX = 8;
const NO_PARENTS: Question['parents'] = [];

export const requireParents = (parents: readonly unknown[], field: string): void => {
  if (parents.length > PARENTS_MAX) throw badField(field, `at most ${PARENTS_MAX}`);
};

const readParents = ({ parents }: Resource): Question['parents'] => {
  requireParents(parents, 'resource.parents');
  const bad = parents.findIndex(({ type, id }) => type === '' || id === '');
  if (bad !== -1) throw badField(`resource.parents[${bad}]`, 'names a type and an id');
  return parents;
};

/** INVALID_ARGUMENT that names the field. A wildcard can be held, never asked for. */
export const readWords = (
  action: string,
  type: string,
  classification: string,
  fields: { readonly type: string; readonly classification: string },
): void => {
  if (!ACTION.test(action)) throw badField('action', 'a lower-case word such as read');
  if (type === '') throw badField(fields.type, 'must name a resource type');
  if (!CLASSIFICATIONS.includes(classification))
    throw badField(fields.classification, 'public, internal, confidential, restricted or top_secret');
};

const FIELDS = { type: 'resource.type', classification: 'resource.classification' };

export const readQuestion = (action: string, resource: Resource | undefined, asker: Asker): Question => {
  readWords(action, resource?.type ?? '', resource?.classification ?? '', FIELDS);
  if (resource === undefined) throw badField('resource.type', 'must name a resource type');
  const believed = isBelieved(asker, resource.type);
  return {
    type: resource.type,
    action,
    resourceId: resource.id,
    resourceTenantId: resource.tenantId === '' ? asker.caller.tenantId : resource.tenantId,
    ownerId: believed ? resource.ownerId : '',
    classification: resource.classification,
    parents: resource.parents.length === 0 ? NO_PARENTS : readParents(resource),
    believed,
  };
};

export const typeUnknown = (type: string): Fault =>
  new Fault('NOT_FOUND', 'RESOURCE_TYPE_UNKNOWN', `no such resource type: ${type}; declare it with PutResourceType, or correct the name`, {
    meta: { resource_type: type },
  });

/** NOT_FOUND / RESOURCE_TYPE_UNKNOWN, then PERMISSION_DENIED / RESOURCE_TYPE_FORBIDDEN for a workload not registered for the type. */
export const requireType = (
  types: { type(name: string): { readonly parentTypes: readonly string[] } | undefined; readonly tenantId: TenantId },
  question: Pick<Question, 'type' | 'parents'>,
  asker: Asker,
  field = 'resource.parents',
): void => {
  if (types.type(question.type) === undefined) throw typeUnknown(question.type);
  if (!mayAskAbout(asker, question.type))
    throw new Fault('PERMISSION_DENIED', 'RESOURCE_TYPE_FORBIDDEN', "this workload's entry does not list the resource type", {
      meta: { resource_type: question.type },
    });
  if (question.parents.length === 0) return;
  let type = question.type;
  for (const [at, parent] of question.parents.entries()) {
    if (types.type(type)?.parentTypes.includes(parent.type) !== true)
      throw badField(`${field}[${at}].type`, `${type} declares no such parent type`);
    type = parent.type;
  }
};
