// Window of registered resources: rows of AuthorizationService. Which of them somebody may act on is answered by the hub, which knows principals.
import { type Caller, lacks, type TenantId, tenantOf } from '../../base/caller.ts';
import { badField, Fault } from '../../base/fault.ts';
import type * as proto from '../../gen/securityhub/v1/authorization.ts';
import type { Rows } from '../../server/rpc/define.ts';
import type { Authorization } from '../authorization.ts';
import { changing, reading } from '../rows.rpc.ts';
import type { RegisteredResource } from './resource.ts';

type Named = 'putResources' | 'deleteResources' | 'listResources';
export type ResourceRows = Pick<Rows<typeof proto.AuthorizationServiceService>, Named>;
export type ListResources = ResourceRows['listResources']['handle'];

const read = ({ type, id, ownerId, classification, attributes, parents }: proto.Resource): RegisteredResource => ({
  type,
  id,
  ownerId,
  classification,
  attributes: attributes ?? {},
  parents: parents.map((parent) => ({ type: parent.type, id: parent.id })),
});

const WRITE = 'config:write';

/** A service registers what it serves. */
const requireWriter = async (door: Pick<Authorization, 'holds'>, caller: Caller, types: readonly string[]): Promise<void> => {
  if (await door.holds(caller, WRITE)) return;
  if (caller.kind !== 'workload') throw lacks(caller, WRITE);
  const foreign = types.find((type) => caller.entry?.resourceTypes.includes(type) !== true);
  if (foreign === undefined) return;
  throw new Fault('PERMISSION_DENIED', 'RESOURCE_TYPE_FORBIDDEN', "this workload's entry does not list the resource type", {
    meta: { resource_type: foreign },
  });
};

/** A resource may say its tenant, as it is listed; it is registered in no other. */
const requireOwn = (tenantId: TenantId, resources: readonly proto.Resource[]): void => {
  const foreign = resources.findIndex((one) => one.tenantId !== '' && one.tenantId !== tenantId);
  if (foreign !== -1) throw badField(`resources[${foreign}].tenant_id`, "must be the request's tenant, or empty");
};

const writing = { ...changing(''), access: { across: true } } as const;

export const resourceRows = (
  door: Pick<Authorization, 'holds' | 'putResources' | 'deleteResources'>,
  listResources: ListResources,
): ResourceRows => ({
  putResources: {
    ...writing,
    async handle(request, call) {
      const tenantId = tenantOf(call.caller, request.tenantId, true);
      requireOwn(tenantId, request.resources);
      const resources = request.resources.map(read);
      await requireWriter(
        door,
        call.caller,
        resources.map(({ type }) => type),
      );
      const { revision } = await door.putResources(tenantId, resources, call);
      return { revision };
    },
  },
  deleteResources: {
    ...writing,
    async handle(request, call) {
      const tenantId = tenantOf(call.caller, request.tenantId, true);
      await requireWriter(door, call.caller, [request.resourceType]);
      const { result, revision } = await door.deleteResources(tenantId, request.resourceType, request.resourceIds, call);
      return { deleted: result, revision };
    },
  },
  listResources: { ...reading(''), handle: listResources },
});
