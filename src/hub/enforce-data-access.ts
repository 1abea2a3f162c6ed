// EnforceDataAccess: which rows, and which of their fields. The same principals, the same beliefs and the same rules as CheckPermission.
import type { Authorization, Filter, KeyedMask, Rights, RowQuestion, Ruling, Situation, Snapshot } from '../authorization/authorization.ts';
import type { Call, MaybePromise } from '../base/call.ts';
import { badField } from '../base/fault.ts';
import { andThen } from '../base/maybe.ts';
import { boundOf, timestampOf } from '../base/proto-time.ts';
import type { Instant } from '../base/time.ts';
import type { EnforceDataAccessRequest, EnforceDataAccessResponse } from '../gen/securityhub/v1/authorization.ts';
import { type FieldMask, MaskType, type RowFilter } from '../gen/securityhub/v1/data_access.ts';
import { note } from '../server/rpc/live-call.ts';
import { type DecisionPorts, duration, isPrincipal, reach } from './check-permission/check-permission.ts';
import { effectOf } from './check-permission/answer.ts';
import { readWords, requireParents, requireType } from './check-permission/question.ts';
import { stepUpAt, through } from './gate.ts';
import { type Asker, isBelieved } from './principal/asker.ts';
import type { Named, Principal } from './principal/principal.ts';
import { situationOf } from './situation.ts';

export interface AccessPorts extends Omit<DecisionPorts, 'authorization' | 'counted' | 'decisionTtl'> {
  readonly authorization: Pick<Authorization, 'rightsOf' | 'snapshot' | 'access'>;
  readonly decisionTtl: number;
}

const NO_ROWS: Filter = { kind: 'constant', type: 'bool', list: false, value: false };

const readParent = ({ type, where }: EnforceDataAccessRequest['parents'][number], at: number): RowQuestion['parents'][number] => {
  const field = `parents[${at}]`;
  if (type === '' || where === undefined || where.value === '') throw badField(field, 'names a type, and an id or an attribute');
  return where.$case === 'id' ? { type, id: where.value, attribute: '' } : { type, id: '', attribute: where.value };
};

/** Columns that are named are all that rows have: what the filter would read beyond them has no value, as in a check that leaves it out. */
const readColumns = ({ columns, tenantId, parents }: EnforceDataAccessRequest): ReadonlySet<string> | null => {
  const names = Object.keys(columns);
  if (names.length === 0) return null;
  if (tenantId === '' && !names.includes('tenant_id'))
    throw badField('columns', 'names the column of tenant_id; or tenant_id says whose all the rows are');
  for (const [at, { where }] of parents.entries())
    if (where?.$case === 'attribute' && !names.includes(where.value))
      throw badField(`parents[${at}].attribute`, 'must be one of the columns');
  return new Set(names);
};

const readQuestion = (request: EnforceDataAccessRequest, asker: Asker): RowQuestion => {
  const { action, resourceType: type, classification } = request;
  readWords(action, type, classification, { type: 'resource_type', classification: 'classification' });
  requireParents(request.parents, 'parents');
  return {
    type,
    action,
    classification,
    tenantId: request.tenantId,
    parents: request.parents.map(readParent),
    believed: isBelieved(asker, type),
    attributes: readColumns(request),
  };
};

/** A parent's attribute that the type declares must be a text. */
const requireTexts = ({ type }: Pick<Snapshot, 'type'>, { type: name, parents }: RowQuestion): void => {
  const attributes = type(name)?.attributes ?? {};
  for (const [at, { attribute }] of parents.entries())
    if (Object.hasOwn(attributes, attribute) && attributes[attribute] !== 'string')
      throw badField(`parents[${at}].attribute`, `is declared as ${attributes[attribute]}, and an id is a string`);
};

const printFilter = (filter: Filter): RowFilter => {
  switch (filter.kind) {
    case 'constant':
      return { node: { $case: 'constant', value: { type: filter.type, list: filter.list, value: filter.value } } };
    case 'unknown':
      return { node: { $case: 'unknown', value: { type: filter.type } } };
    case 'attribute': {
      const { name, type, list, values = [] } = filter;
      return { node: { $case: 'attribute', value: { name, type, list, values: [...values] } } };
    }
    case 'element':
      return { node: { $case: 'element', value: { type: filter.type, depth: filter.depth } } };
    case 'call': {
      const { operator, type, operands } = filter;
      return { node: { $case: 'call', value: { operator, type, operands: operands.map(printFilter) } } };
    }
  }
};

const MASKS = {
  full: MaskType.MASK_TYPE_FULL,
  partial: MaskType.MASK_TYPE_PARTIAL,
  hash: MaskType.MASK_TYPE_HASH,
  null: MaskType.MASK_TYPE_NULL,
} as const;

const printMask = ({ field, mask, rule, rows, hashKey }: KeyedMask): FieldMask => ({
  field,
  type: MASKS[mask],
  rule,
  rows: rows.kind === 'constant' ? undefined : printFilter(rows),
  hashKey: Buffer.from(hashKey ?? []),
});

const printParameter = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(printParameter);
  return Buffer.isBuffer(value) ? `\\x${value.toString('hex')}` : value;
};

type Found = ReturnType<Authorization['access']>;

const nothing = (ruling: Ruling, sql: boolean): Found => ({
  ruling,
  filter: NO_ROWS,
  leftOut: [],
  masks: [],
  sql: sql ? { sql: 'FALSE', parameters: [] } : null,
});

/** NOT_FOUND / RESOURCE_TYPE_UNKNOWN, PERMISSION_DENIED / RESOURCE_TYPE_FORBIDDEN, the faults of `Principals.name`, UNAVAILABLE. */
export const createEnforceDataAccess = (ports: AccessPorts) => {
  const { authorization, principals, feed, decisionIds } = ports;

  const find = (request: EnforceDataAccessRequest, question: RowQuestion, rights: Rights, principal: Principal, situation: Situation) => {
    const columns = question.attributes === null ? null : request.columns;
    const gate = principal.gate(rights, situation.now);
    const found = authorization.access(rights, principal.limits, question, situation, { fields: request.fields, columns });
    const ruling = through(gate, found.ruling, question);
    const until = [rights.validUntil, principal.until, gate?.until, situation.horizon?.until].filter((end) => typeof end === 'number');
    return { found: ruling === found.ruling ? found : nothing(ruling, columns !== null), until, stepUp: stepUpAt(gate, ruling) };
  };

  const print = (
    request: EnforceDataAccessRequest,
    named: Named,
    { found, until, stepUp }: { found: Found; until: readonly Instant[]; stepUp: EnforceDataAccessResponse['stepUp'] },
    call: Call,
  ): EnforceDataAccessResponse => {
    const { ruling, filter, sql, masks, leftOut } = found;
    const decisionId = decisionIds.next();
    const subject = isPrincipal(named) ? `${named.holder.type}:${named.holder.id}` : '';
    note(call, {
      resource: request.resourceType,
      action: request.action,
      result: ruling.allowed ? 'success' : 'failure',
      reason: ruling.code,
      details: { decision_id: decisionId, subject, rules: ruling.rules.slice(0, 20), masked: masks.map(({ field }) => field).slice(0, 50) },
    });
    // The last look, after the last await: what follows is the answer.
    feed.assertFresh(boundOf(request.maxStaleness));
    return {
      allowed: ruling.allowed,
      effect: effectOf(ruling),
      reason: ruling.reason,
      reasonCode: ruling.code,
      rowFilter: printFilter(filter),
      sql: sql === null ? undefined : { text: sql.sql, parameters: sql.parameters.map(printParameter) },
      masks: masks.map(printMask),
      conditions: [...(ruling.conditions ?? [])],
      obligations: [...(ruling.obligations ?? [])],
      appliedPolicies: [...ruling.rules],
      leftOut: leftOut.map(({ rule, effect, message }) => ({ rule, denies: effect === 'deny', message })),
      stepUp,
      validUntil: timestampOf(Math.min(call.now + ports.decisionTtl, ...until)),
      decisionId,
      policyRevision: feed.cursor(),
      asOf: timestampOf(call.now),
      staleness: duration(feed.age()),
    };
  };

  const answer = (request: EnforceDataAccessRequest, asker: Asker, named: Named, call: Call): MaybePromise<EnforceDataAccessResponse> => {
    const question = readQuestion(request, asker);
    const look = (snapshot: Snapshot): void => {
      requireType(snapshot, question, asker, 'parents');
      requireTexts(snapshot, question);
    };
    if (!isPrincipal(named))
      return andThen(authorization.snapshot(named.tenantId), (snapshot: Snapshot) => {
        look(snapshot);
        const found = nothing(named.ruling, question.attributes !== null);
        return print(request, named, { found, until: [], stepUp: undefined }, call);
      });
    return andThen(authorization.rightsOf([{ tenantId: named.tenantId, subject: named.holder }], call.now), ([rights]) => {
      look((rights as Rights).snapshot);
      const resource = { type: question.type, attributes: undefined };
      const situation = situationOf({ ...request, resource }, named, asker, call, { until: Number.POSITIVE_INFINITY });
      return print(request, named, find(request, question, rights as Rights, named, situation), call);
    });
  };

  return (request: EnforceDataAccessRequest, call: Call): MaybePromise<EnforceDataAccessResponse> =>
    andThen(reach(feed, request.minPolicyRevision), () =>
      andThen(principals.asker(call), (asker) =>
        andThen(principals.name(request.principal, request.tokenContext, asker, call), (named) => answer(request, asker, named, call)),
      ),
    );
};
