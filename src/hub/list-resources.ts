// ListResources: which registered resources somebody may act on, each decided as CheckPermission decides it with all that is registered of it.
import type { Authorization, RegisteredResource, Rights, Ruling } from '../authorization/authorization.ts';
import { type Caller, lacks, tenantOf } from '../base/caller.ts';
import type { Call } from '../base/call.ts';
import { Fault } from '../base/fault.ts';
import { type Pager, pageSize } from '../base/page.ts';
import { nextTurn } from '../base/turn.ts';
import type { ListedResource, ListResourcesRequest, ListResourcesResponse } from '../gen/securityhub/v1/authorization.ts';
import { Effect } from '../gen/securityhub/v1/authorization.ts';
import { effectOf } from './check-permission/answer.ts';
import { readWords, requireType, typeUnknown } from './check-permission/question.ts';
import { type DecisionPorts, isPrincipal, reach } from './check-permission/check-permission.ts';
import { through } from './gate.ts';
import type { Asker } from './principal/asker.ts';
import type { Principal } from './principal/principal.ts';
import { situationOf } from './situation.ts';

export interface ListResourcesPorts extends Pick<DecisionPorts, 'principals' | 'feed'> {
  readonly authorization: Pick<Authorization, 'rightsOf' | 'snapshot' | 'decide' | 'resourcesOf' | 'holds'>;
  readonly pager: Pager;
}

/** Resources that one page decides about, and how many of them between two turns. */
const LOOKED_AT = 1000;
const SLICE = 100;

const READ = 'authz:read';
const FIELDS = { type: 'resource_type', classification: 'resource_type' };

const NOTHING_MORE = { ownerId: '', classification: '', attributes: undefined, parents: [] };

const named = ({ type, id }: RegisteredResource, tenantId: string): NonNullable<ListedResource['resource']> => ({
  ...NOTHING_MORE,
  type,
  id,
  tenantId,
});

const allowedTo = (tenantId: string, resource: RegisteredResource, ruling: Ruling): ListedResource => ({
  resource: named(resource, tenantId),
  effect: effectOf(ruling),
  appliedPolicies: [...ruling.rules],
  conditions: [...(ruling.conditions ?? [])],
  obligations: [...(ruling.obligations ?? [])],
});

const registered = (tenantId: string, resource: RegisteredResource): ListedResource => {
  const { ownerId, classification, attributes, parents } = resource;
  return {
    resource: { ...named(resource, tenantId), ownerId, classification, attributes, parents: [...parents] },
    effect: Effect.EFFECT_UNSPECIFIED,
    appliedPolicies: [],
    conditions: [],
    obligations: [],
  };
};

/** A token says whom it is about: a page of one list is no page of another's. */
const queryOf = (request: ListResourcesRequest, tenantId: string, principal: unknown): readonly unknown[] => {
  const { resourceType, resourceId, action, workload, environment, context } = request;
  return ['resources', tenantId, principal, resourceType, resourceId, action, workload, environment, context ?? {}];
};

export const createListResources = ({ authorization, principals, feed, pager }: ListResourcesPorts) => {
  const answer = (resources: ListedResource[], nextPageToken = '', reasonCode = ''): ListResourcesResponse => {
    feed.assertFresh();
    return { resources, reasonCode, nextPageToken, policyRevision: feed.cursor() };
  };

  const requireReader = async (caller: Caller): Promise<void> => {
    if (!(await authorization.holds(caller, READ))) throw lacks(caller, READ);
  };

  const listAll = async (request: ListResourcesRequest, tenantId: string, call: Call): Promise<ListResourcesResponse> => {
    await requireReader(call.caller);
    const { resourceType, resourceId } = request;
    if ((await authorization.snapshot(tenantId)).type(resourceType) === undefined) throw typeUnknown(resourceType);
    const query = queryOf(request, tenantId, null);
    const size = pageSize(request.pageSize);
    const found = await authorization.resourcesOf(tenantId, resourceType, resourceId, pager.open(query, request.pageToken), size + 1);
    const shown = found.slice(0, size);
    const last = found.length > size ? shown.at(-1) : undefined;
    return answer(
      shown.map((one) => registered(tenantId, one)),
      last === undefined ? '' : pager.seal(query, last.id),
    );
  };

  /** What is registered is believed, whoever asks. */
  const judge = (
    request: ListResourcesRequest,
    tenantId: string,
    rights: Rights,
    principal: Principal,
    asker: Asker,
    call: Call,
  ): ((one: RegisteredResource) => Ruling) => {
    const gate = principal.gate(rights, call.now);
    const { action } = request;
    const asked = { ...request, resource: { type: request.resourceType, attributes: undefined } };
    const bare = situationOf(asked, principal, asker, call, null);
    return ({ type, id, ownerId, classification, attributes, parents }) => {
      const question = { type, action, resourceId: id, resourceTenantId: tenantId, ownerId, classification, parents, believed: true };
      return through(gate, authorization.decide(rights, principal.limits, question, { ...bare, resource: attributes }), question);
    };
  };

  const listAble = async (
    request: ListResourcesRequest,
    tenantId: string,
    principal: Principal,
    asker: Asker,
    call: Call,
  ): Promise<ListResourcesResponse> => {
    const query = queryOf(request, tenantId, [principal.tenantId, principal.holder.type, principal.holder.id, principal.limits]);
    const size = pageSize(request.pageSize);
    const items: ListedResource[] = [];
    let after = pager.open(query, request.pageToken);
    for (let left = LOOKED_AT; left > 0; left -= SLICE) {
      const some = await authorization.resourcesOf(tenantId, request.resourceType, request.resourceId, after, SLICE);
      const [rights] = await authorization.rightsOf([{ tenantId: principal.tenantId, subject: principal.holder }], call.now);
      const decide = judge(request, tenantId, rights as Rights, principal, asker, call);
      for (const one of some) {
        after = one.id;
        const ruling = decide(one);
        if (!ruling.allowed && ruling.stepUp !== true) continue;
        items.push(allowedTo(tenantId, one, ruling));
        if (items.length === size) return answer(items, pager.seal(query, after));
      }
      if (some.length < SLICE) return answer(items);
      await nextTurn();
    }
    return answer(items, pager.seal(query, after));
  };

  /** The faults of `Principals.name`, NOT_FOUND / RESOURCE_TYPE_UNKNOWN, PERMISSION_DENIED / RESOURCE_TYPE_FORBIDDEN, UNAVAILABLE. */
  return async (request: ListResourcesRequest, call: Call): Promise<ListResourcesResponse> => {
    await reach(feed, request.minPolicyRevision);
    const tenantId = tenantOf(call.caller, request.tenantId, true);
    if (request.action === '') {
      if (request.principal !== undefined)
        throw new Fault('INVALID_ARGUMENT', 'REQUEST_INVALID', 'a principal without an action: name one');
      return listAll(request, tenantId, call);
    }
    readWords(request.action, request.resourceType, '', FIELDS);
    const asker = await principals.asker(call);
    const who = await principals.name(request.principal, request.tokenContext, asker, call);
    const question = { type: request.resourceType, parents: [] };
    requireType(await authorization.snapshot(isPrincipal(who) ? who.tenantId : asker.caller.tenantId), question, asker);
    return isPrincipal(who) ? listAble(request, tenantId, who, asker, call) : answer([], '', who.ruling.code);
  };
};
