// EnforceDataAccess on a real Postgres: filters that find what checks allow, masks, and who is told what.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { UNDECLARED } from '../../../src/authorization/resource-type.ts';
import type { Caller } from '../../../src/base/caller.ts';
import { rowFilterSql } from '../../../src/client/row-filter.ts';
import { Effect, type EnforceDataAccessRequest, EnforceDataAccessResponse } from '../../../src/gen/securityhub/v1/authorization.ts';
import { ApplyPoliciesRequest } from '../../../src/gen/securityhub/v1/policy.ts';
import { MaskType } from '../../../src/gen/securityhub/v1/data_access.ts';
import { callAs } from '../../callers.ts';
import { type FreshDatabase, freshDatabase } from '../../harness.ts';
import { createWorld, entryOf, faultOf, resource, seed, subject, token, user, workload, type World } from './world.ts';

const POLICIES = `
apiVersion: securityhub/v1
kind: ResourcePolicy
metadata: { name: invoices }
spec:
  resource: invoices
  rules:
    - { name: small, effect: allow, actions: [read], condition: resource.amount < 1000, obligations: [log] }
    - { name: frozen, effect: deny, actions: [read], condition: resource.frozen, reason: It is frozen. }
    - { name: odd, effect: allow, actions: [audit], condition: 'resource.region.matches("^e")' }
    - { name: odd-deny, effect: deny, actions: [export], condition: 'resource.region.matches("^e")' }
  masks:
    - { field: iban, mask: partial, exceptRoles: [manager] }
    - { field: iban, mask: full, condition: resource.amount > 500 }
    - { field: email, mask: hash, actions: [read, view] }
    - { field: note, mask: full }
    - { field: salary, mask: 'null' }
`;

const ROWS = [
  { id: 'i1', tenant_id: 'acme', owner_id: 'usr_viewer', classification: null, amount: 10, frozen: false, region: 'eu', folder: null },
  {
    id: 'i2',
    tenant_id: 'acme',
    owner_id: 'usr_plain',
    classification: 'internal',
    amount: 5000,
    frozen: false,
    region: 'eu',
    folder: 'f1',
  },
  { id: 'i3', tenant_id: 'acme', owner_id: null, classification: 'restricted', amount: 20, frozen: false, region: 'us', folder: 'f2' },
  { id: 'i4', tenant_id: 'acme', owner_id: null, classification: 'public', amount: 20, frozen: true, region: 'us', folder: null },
  { id: 'i5', tenant_id: 'other', owner_id: 'usr_plain', classification: null, amount: 1, frozen: false, region: 'eu', folder: 'f1' },
  { id: 'i6', tenant_id: 'acme', owner_id: 'usr_plain', classification: null, amount: null, frozen: false, region: null, folder: 'f1' },
  { id: 'i7', tenant_id: 'acme', owner_id: null, classification: null, amount: 7, frozen: null, region: 'eu', folder: null },
] as const;
const COLUMNS = { id: 'i.id', tenant_id: 'i.tenant_id', owner_id: 'i.owner_id', classification: 'i.classification', amount: 'amount' };
const ALL = { ...COLUMNS, frozen: 'frozen', region: 'region', folder: 'folder' };
const PARENTS = [{ type: 'folders', where: { $case: 'attribute', value: 'folder' } }] as const;

let database: FreshDatabase;
let world: World;

beforeAll(async () => {
  database = await freshDatabase();
  world = await createWorld(database);
  await seed(world, 'acme', { usr_owner: ['owner'], usr_checker: ['owner'] });
  const root = callAs(user('usr_owner'));
  await world.authorization.putResourceType('acme', { ...UNDECLARED, name: 'folders' }, root);
  const attributes = { amount: 'int', frozen: 'bool', region: 'string', email: 'string' };
  await world.authorization.putResourceType(
    'acme',
    { ...UNDECLARED, name: 'invoices', ownerActions: ['write'], attributes, parentTypes: ['folders'] },
    root,
  );
  await world.authorization.putResourceType('acme', { ...UNDECLARED, name: 'invoices.secret', parentTypes: ['invoices'] }, root);
  const given = { effect: 'allow', condition: '', notBefore: null, expiresAt: null, reason: '' } as const;
  const to = (id: string) => ({ type: 'user', id });
  for (const grant of [
    { ...given, subject: to('usr_plain'), permission: 'invoices:write', resourceId: 'f1' },
    { ...given, subject: to('usr_plain'), permission: 'folders:write', resourceId: 'f1' },
    { ...given, subject: to('usr_plain'), permission: 'invoices:write', resourceId: 'i3' },
    { ...given, subject: to('usr_plain'), permission: 'invoices:write', resourceId: 'i6', effect: 'deny' as const },
    { ...given, subject: to('usr_second'), permission: 'invoices.secret:read', resourceId: '' },
    { ...given, subject: to('usr_second'), permission: 'invoices:view', resourceId: '' },
  ])
    await world.authorization.putGrant('acme', grant, root);
  const sources = [{ name: 'p.yaml', content: POLICIES }];
  await world.call('ApplyPolicies', ApplyPoliciesRequest.fromPartial({ sources, acknowledgeRisk: true }), user('usr_owner'));
  await database.sql(
    'CREATE TABLE invoice (id text, tenant_id text, owner_id text, classification text, amount bigint, frozen bool, region text, folder text)',
  );
  for (const row of ROWS) await database.sql('INSERT INTO invoice VALUES ($1, $2, $3, $4, $5, $6, $7, $8)', Object.values(row));
});
afterAll(async () => {
  await world.platform.stop();
  await database.close();
});

const checker = user('usr_checker');
const enforce = (request: Partial<EnforceDataAccessRequest>, caller: Caller = checker): Promise<EnforceDataAccessResponse> =>
  world.call('EnforceDataAccess', { resourceType: 'invoices', action: 'read', columns: ALL, ...request }, caller);

const idsOf = async ({ sql }: EnforceDataAccessResponse): Promise<readonly string[]> =>
  (await database.sql<{ id: string }>(`SELECT i.id FROM invoice AS i WHERE ${sql?.text} ORDER BY 1`, sql?.parameters as unknown[])).map(
    ({ id }) => id,
  );

/** What a check of each row says. */
const checked = async (userId: string, action: string): Promise<readonly string[]> => {
  const answers = await Promise.all(
    ROWS.map(({ id, tenant_id, owner_id, classification, amount, frozen, region, folder }) =>
      world.check(checker, {
        principal: subject(userId),
        action,
        resource: resource('invoices', {
          id,
          tenantId: tenant_id,
          ownerId: owner_id ?? '',
          classification: classification ?? '',
          attributes: { amount, frozen, region },
          parents: folder === null ? [] : [{ type: 'folders', id: folder }],
        }),
      }),
    ),
  );
  return ROWS.flatMap(({ id }, at) => (answers[at]?.allowed === true ? [id] : []));
};

describe('the rows', () => {
  it.each([
    ['usr_viewer', 'read', ['i1']],
    ['usr_plain', 'read', ['i1']],
    ['usr_plain', 'write', ['i2']],
    ['usr_viewer', 'write', ['i1']],
    ['usr_owner', 'read', ['i1', 'i2', 'i3', 'i6']],
  ])('of %s for %s are those that CheckPermission allows: %j', async (userId, action, ids) => {
    const answer = await enforce({ principal: subject(userId), action, parents: [...PARENTS] });
    expect(await idsOf(answer)).toEqual(ids);
    expect(await checked(userId, action)).toEqual(ids);
    expect(answer).toMatchObject({ allowed: true, effect: Effect.EFFECT_ALLOW, reasonCode: 'ALLOWED' });
  });

  it('come with the rules, conditions and obligations that they are made of', async () => {
    expect(await enforce({ principal: subject('usr_viewer') })).toMatchObject({
      appliedPolicies: ['policy:resource_type/invoices@1/small', 'policy:resource_type/invoices@1/frozen'],
      conditions: ['resource.amount < 1000', 'resource.frozen'],
      obligations: ['log'],
      policyRevision: expect.any(Number),
      decisionId: expect.stringMatching(/^dec_/),
    });
  });

  it('come as a tree, too', async () => {
    const { rowFilter, sql } = await enforce({ principal: subject('usr_plain'), action: 'write', columns: {}, classification: 'public' });
    expect(sql).toBeUndefined();
    expect(rowFilter?.node).toMatchObject({ $case: 'call', value: { operator: 'and', type: 'bool' } });
    expect(JSON.stringify(rowFilter)).toContain('"name":"tenant_id"');
  });

  it('come as a tree that a client renders to the same SQL', async () => {
    const answer = await enforce({ principal: subject('usr_plain'), action: 'write', parents: [...PARENTS] });
    const wired = EnforceDataAccessResponse.decode(EnforceDataAccessResponse.encode(answer).finish());
    expect(rowFilterSql(wired, ALL)).toEqual({ text: answer.sql?.text, parameters: answer.sql?.parameters });
  });

  it('are none for somebody whom nothing allows anything, and the answer says so', async () => {
    const answer = await enforce({ principal: subject('usr_viewer'), action: 'delete' });
    expect(answer).toMatchObject({ allowed: false, effect: Effect.EFFECT_DENY, reasonCode: 'DENIED_DEFAULT', sql: { text: 'FALSE' } });
    expect(answer.rowFilter?.node).toMatchObject({ $case: 'constant', value: { value: false } });
    expect(await idsOf(answer)).toEqual([]);
  });

  it.each([
    ['too secret, when all are', { classification: 'restricted' }, 'DENIED_CLASSIFICATION'],
    ['of another tenant, when all are', { tenantId: 'other' }, 'DENIED_TENANT'],
    ['of a stranger', { principal: subject('usr_nobody') }, 'SUBJECT_UNKNOWN'],
    ['of somebody suspended', { principal: subject('usr_suspended') }, 'SUBJECT_SUSPENDED'],
    ['beyond the scopes', { principal: subject('usr_viewer', { scopes: ['conversations:read'] }) }, 'SCOPE_MISSING'],
    ['of a token that is not good', { principal: token('bad:TOKEN_REVOKED') }, 'TOKEN_REVOKED'],
  ] as const)('are none where they are %s', async (_, request, reasonCode) => {
    expect(await enforce({ principal: subject('usr_viewer'), ...request })).toMatchObject({
      allowed: false,
      reasonCode,
      sql: { text: 'FALSE' },
    });
  });

  it('that only a rule beyond filters allows are left out, and the rule is named', async () => {
    const answer = await enforce({ principal: subject('usr_viewer'), action: 'audit' });
    expect(answer).toMatchObject({
      allowed: false,
      reasonCode: 'DENIED_CONDITION',
      leftOut: [{ rule: 'policy:resource_type/invoices@1/odd', denies: false, message: expect.stringContaining('matches') }],
    });
  });

  it('that a rule beyond filters might deny are all denied', async () => {
    const answer = await enforce({ principal: subject('usr_owner'), action: 'export' });
    expect(answer).toMatchObject({
      allowed: false,
      reasonCode: 'DENIED_CONDITION_ERROR',
      leftOut: [{ rule: 'policy:resource_type/invoices@1/odd-deny', denies: true }],
    });
  });

  it('without a column for an attribute are those of a check that says nothing of it', async () => {
    const { frozen, ...columns } = ALL;
    expect(await enforce({ principal: subject('usr_owner'), columns })).toMatchObject({ reasonCode: 'DENIED_CONDITION_ERROR' });
    expect(frozen).toBe('frozen');
  });

  it('are asked for by workloads registered for the type, about others', async () => {
    const caller = workload(entryOf({ calls: ['EnforceDataAccess'] }));
    expect(await idsOf(await enforce({ principal: subject('usr_viewer') }, caller))).toEqual(['i1']);
  });

  it('have no owner for a caller who is not believed about them', async () => {
    const answer = await enforce({ action: 'write' }, user('usr_viewer'));
    expect(answer).toMatchObject({ allowed: false, reasonCode: 'DENIED_DEFAULT' });
  });

  it('hold texts of callers as parameters only', async () => {
    const answer = await enforce({ principal: subject('usr_plain'), action: 'write', parents: [...PARENTS] });
    expect(answer.sql?.text).not.toMatch(/acme|f1|i6|usr_/);
  });
});

describe('bad requests', () => {
  it.each([
    ['an unknown type', { resourceType: 'unicorns' }, 'NOT_FOUND/RESOURCE_TYPE_UNKNOWN'],
    ['no type', { resourceType: '' }, 'INVALID_ARGUMENT/REQUEST_INVALID'],
    ['a wildcard action', { action: '*' }, 'INVALID_ARGUMENT/REQUEST_INVALID'],
    ['a class that is none', { classification: 'cosmic' }, 'INVALID_ARGUMENT/REQUEST_INVALID'],
    ['columns without a tenant', { columns: { id: 'id' } }, 'INVALID_ARGUMENT/REQUEST_INVALID'],
    ['a parent without a place', { parents: [{ type: 'folders' }] }, 'INVALID_ARGUMENT/REQUEST_INVALID'],
    ['a parent of no declared type', { parents: [{ type: 'users', where: PARENTS[0].where }] }, 'INVALID_ARGUMENT/REQUEST_INVALID'],
    [
      'a parent in a number',
      { parents: [{ type: 'folders', where: { $case: 'attribute', value: 'amount' } }] },
      'INVALID_ARGUMENT/REQUEST_INVALID',
    ],
    ['a revision that nobody wrote', { minPolicyRevision: 1_000_000 }, 'FAILED_PRECONDITION/REVISION_UNKNOWN'],
  ] as const)('%s', async (_, request, fault) => {
    expect(await faultOf(enforce({ principal: subject('usr_viewer'), ...request } as Partial<EnforceDataAccessRequest>))).toBe(fault);
  });

  it('about others need authz:check', async () => {
    expect(await faultOf(enforce({ principal: subject('usr_viewer') }, user('usr_plain')))).toBe('PERMISSION_DENIED/PERMISSION_MISSING');
  });

  it('of a workload that is not registered for the type', async () => {
    const caller = workload(entryOf({ resourceTypes: [] }));
    expect(await faultOf(enforce({ principal: subject('usr_viewer') }, caller))).toBe('PERMISSION_DENIED/RESOURCE_TYPE_FORBIDDEN');
  });

  it('of a workload that names nobody', async () => {
    expect(await faultOf(enforce({}, workload()))).toBe('INVALID_ARGUMENT/SUBJECT_REQUIRED');
  });
});

describe('the masks', () => {
  const masksOf = async (userId: string, fields: readonly string[] = [], caller: Caller = checker) =>
    (await enforce({ principal: subject(userId), fields: [...fields] }, caller)).masks;

  it('name every field that is not shown as it is, the strictest of each first', async () => {
    const masks = await masksOf('usr_viewer');
    expect(masks.map(({ field, type, rows }) => [field, type, rows === undefined ? 'all' : 'some'])).toEqual([
      ['email', MaskType.MASK_TYPE_HASH, 'all'],
      ['iban', MaskType.MASK_TYPE_FULL, 'some'],
      ['iban', MaskType.MASK_TYPE_PARTIAL, 'all'],
      ['note', MaskType.MASK_TYPE_FULL, 'all'],
      ['salary', MaskType.MASK_TYPE_NULL, 'all'],
      ['secret', MaskType.MASK_TYPE_NULL, 'all'],
    ]);
    expect(masks[1]?.rule).toBe('policy:resource_type/invoices@1/mask:iban');
  });

  it('are told of the fields that are asked for only', async () => {
    expect((await masksOf('usr_viewer', ['note', 'amount'])).map(({ field }) => field)).toEqual(['note']);
  });

  it('spare whoever holds the permission on a field that is a type of its own', async () => {
    expect(await masksOf('usr_second', ['secret'])).toEqual([]);
  });

  it('that hash have a key, the same every time and another for each field', async () => {
    const [one] = await masksOf('usr_viewer', ['email']);
    const [again] = await masksOf('usr_plain', ['email']);
    expect(one?.hashKey).toHaveLength(32);
    expect(one?.hashKey.equals(again?.hashKey ?? Buffer.alloc(0))).toBe(true);
  });

  it('keep that key from those who could try values with it', async () => {
    const { masks } = await enforce({ action: 'view', fields: ['email'] }, user('usr_second'));
    expect(masks.map(({ type, hashKey }) => [type, hashKey.length])).toEqual([[MaskType.MASK_TYPE_HASH, 0]]);
  });
});
