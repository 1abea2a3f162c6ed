// Registered resources: who may register them, what is refused, and which of them somebody may act on: as checks of each one decide.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type * as proto from '../../../src/gen/securityhub/v1/authorization.ts';
import { type FreshDatabase, freshDatabase } from '../../harness.ts';
import { apiKey, createWorld, entryOf, faultOf, resource, seed, subject, token, user, workload, type World } from './world.ts';

let database: FreshDatabase;
let world: World;

const owner = user('usr_owner');

beforeAll(async () => {
  database = await freshDatabase();
  world = await createWorld(database);
  await seed(world, 'acme', { usr_owner: ['owner'], usr_admin: ['admin'], usr_viewer: ['viewer'], usr_checker: ['viewer'] });
  await world.call('PutResourceType', { resourceType: { name: 'shelves', actions: ['read'] } }, owner);
  const books = {
    name: 'invoices',
    actions: ['read', 'pay', 'shred'],
    ownerActions: ['pay'],
    attributes: { amount: 'int', team: 'string' },
    parentTypes: ['shelves'],
  };
  await world.call('PutResourceType', { resourceType: books }, owner);
  await world.call('PutRole', { role: { name: 'clerk', permissions: ['invoices:read'], requireMfa: true } }, owner);
  await world.call('AssignRole', { subject: { type: 'user', id: 'usr_checker' }, role: 'clerk' }, owner);
  const may = (permission: string, over: object = {}) =>
    world.call('PutGrant', { subject: { type: 'user', id: 'usr_plain' }, effect: 1, permission, ...over }, owner);
  await may('invoices:read', { condition: 'resource.amount < 100' });
  await may('invoices:shred', { resourceId: 'inv-07' });
  await may('*:shred', { resourceId: 'shelf-1' });
  await world.call(
    'PutGrant',
    { subject: { type: 'user', id: 'usr_plain' }, effect: 2, permission: 'invoices:read', condition: 'resource.team == "secret"' },
    owner,
  );
});
afterAll(async () => {
  await world.platform.stop();
  await database.close();
});

const put = (resources: readonly object[], by = owner) => world.call<proto.PutResourcesResponse>('PutResources', { resources }, by);
const list = (request: object, by = owner) => world.call<proto.ListResourcesResponse>('ListResources', request, by);
const idsOf = ({ resources }: proto.ListResourcesResponse): readonly string[] => resources.map((one) => one.resource?.id ?? '');

const pages = async (request: object, by = owner): Promise<readonly string[]> => {
  const seen: string[] = [];
  let pageToken = '';
  do {
    const page = await list({ ...request, pageToken }, by);
    seen.push(...idsOf(page));
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  return seen;
};

const PLAIN = { principal: subject('usr_plain'), resourceType: 'invoices' };

describe('ListResources', () => {
  it('lists what checks of each one allow, and nothing else, in pages of any size', async () => {
    const one = fc.record({
      id: fc.integer({ min: 0, max: 30 }).map((n) => `inv-${String(n).padStart(2, '0')}`),
      ownerId: fc.constantFrom('', 'usr_plain', 'usr_viewer'),
      classification: fc.constantFrom('', 'public', 'confidential'),
      attributes: fc.record({ amount: fc.integer({ min: 0, max: 200 }), team: fc.constantFrom('secret', 'open') }, { requiredKeys: [] }),
      parents: fc.constantFrom<{ type: string; id: string }[]>(
        [],
        [{ type: 'shelves', id: 'shelf-1' }],
        [{ type: 'shelves', id: 'shelf-2' }],
      ),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(one, { minLength: 1, maxLength: 12 }), fc.integer({ min: 1, max: 5 }), async (many, pageSize) => {
        const all = await pages({ resourceType: 'invoices' });
        if (all.length > 0) await world.call('DeleteResources', { resourceType: 'invoices', resourceIds: all }, owner);
        const last = new Map(many.map((each) => [each.id, resource('invoices', each)]));
        await put([...last.values()]);
        expect(await pages({ resourceType: 'invoices', pageSize })).toEqual([...last.keys()].sort());
        for (const action of ['read', 'pay', 'shred'])
          for (const id of ['usr_plain', 'usr_viewer', 'usr_checker', 'usr_admin']) {
            const who = { principal: subject(id), action };
            const allowed: string[] = [];
            for (const each of last.values()) {
              const { effect } = await world.check(owner, { ...who, resource: each });
              if (effect !== 2) allowed.push(each.id);
            }
            expect([action, id, await pages({ ...who, resourceType: 'invoices', pageSize })]).toEqual([action, id, allowed.sort()]);
          }
      }),
      { numRuns: 15 },
    );
  }, 60_000);

  it('tells why: the rule, its condition, and whether a second factor is still to be shown', async () => {
    await put([resource('invoices', { id: 'inv-90', attributes: { amount: 5, team: 'open' } })]);
    const [able] = (await list({ ...PLAIN, action: 'read', resourceId: 'inv-90' })).resources;
    expect(able).toMatchObject({ effect: 1, appliedPolicies: [expect.stringMatching(/^grant:/)], conditions: ['resource.amount < 100'] });
    expect(able?.resource?.attributes).toBeUndefined();
    const step = await list({ ...PLAIN, principal: subject('usr_checker'), action: 'read', resourceId: 'inv-90' });
    expect(step.resources).toMatchObject([{ effect: 3, appliedPolicies: ['role:clerk'] }]);
  });

  it('believes what is registered, whoever asks: about himself anybody may', async () => {
    await put([resource('invoices', { id: 'inv-91', ownerId: 'usr_plain' })]);
    const own = { resourceType: 'invoices', action: 'pay', resourceId: 'inv-91' };
    expect(idsOf(await list(own, user('usr_plain')))).toEqual(['inv-91']);
    expect(idsOf(await list(own, user('usr_plain', ['conversations:*'])))).toEqual([]);
    expect(idsOf(await list(own, apiKey('usr_plain', ['invoices:read'])))).toEqual([]);
    expect(await faultOf(list({ ...own, ...PLAIN }, user('usr_viewer')))).toBe('PERMISSION_DENIED/PERMISSION_MISSING');
  });

  it('goes by a token as far as it goes', async () => {
    const asked = { resourceType: 'invoices', action: 'pay', resourceId: 'inv-91' };
    expect(idsOf(await list({ ...asked, principal: token('good:acme:usr_plain:') }))).toEqual(['inv-91']);
    expect(idsOf(await list({ ...asked, principal: token('good:acme:usr_plain:conversations.*') }))).toEqual([]);
    expect(await list({ ...asked, principal: token('bad:TOKEN_EXPIRED') })).toMatchObject({ resources: [], reasonCode: 'TOKEN_EXPIRED' });
  });

  it('knows nothing for whoever is unknown, and nothing of other tenants', async () => {
    const asked = { resourceType: 'invoices', action: 'pay' };
    for (const who of [subject('usr_ghost'), subject('usr_foreign', { tenantId: 'other' })])
      expect(await list({ ...asked, principal: who })).toMatchObject({ resources: [], reasonCode: 'SUBJECT_UNKNOWN' });
    // What partner has registered is none of acme's.
    expect(idsOf(await list({ ...asked, principal: subject('usr_partner', { tenantId: 'partner' }) }))).toEqual([]);
  });

  it('is asked by a workload about others, within the types of its entry', async () => {
    expect(await faultOf(list({ resourceType: 'invoices', action: 'pay' }, workload()))).toBe('INVALID_ARGUMENT/SUBJECT_REQUIRED');
    expect(await faultOf(list({ ...PLAIN, resourceType: 'shelves', action: 'read' }, workload()))).toBe(
      'PERMISSION_DENIED/RESOURCE_TYPE_FORBIDDEN',
    );
    expect(idsOf(await list({ ...PLAIN, action: 'pay', resourceId: 'inv-91' }, workload()))).toEqual(['inv-91']);
  });

  const refused: readonly (readonly [string, object, string])[] = [
    ['a type that nobody declared', { resourceType: 'ghosts', action: 'read' }, 'NOT_FOUND/RESOURCE_TYPE_UNKNOWN'],
    ['an action that is no word', { resourceType: 'invoices', action: '*' }, 'INVALID_ARGUMENT/REQUEST_INVALID'],
    ['a principal without an action', { ...PLAIN }, 'INVALID_ARGUMENT/REQUEST_INVALID'],
    ['a token of another list', { resourceType: 'invoices', action: 'read', pageToken: 'AAAA' }, 'INVALID_ARGUMENT/PAGE_TOKEN_INVALID'],
    [
      'a revision that nothing has yet',
      { resourceType: 'invoices', action: 'read', minPolicyRevision: 1e9 },
      'FAILED_PRECONDITION/REVISION_UNKNOWN',
    ],
  ];
  it.each(refused)('refuses %s', async (_, request, fault) => {
    expect(await faultOf(list(request))).toBe(fault);
  });

  it('gives no page of one subject for the token of another', async () => {
    const first = await list({ ...PLAIN, principal: subject('usr_admin'), action: 'read', pageSize: 1 });
    expect(first.nextPageToken).not.toBe('');
    const other = { ...PLAIN, action: 'read', pageSize: 1, pageToken: first.nextPageToken };
    expect(await faultOf(list(other))).toBe('INVALID_ARGUMENT/PAGE_TOKEN_INVALID');
  });
});

describe('PutResources', () => {
  it('takes all or none', async () => {
    const good = resource('invoices', { id: 'inv-80' });
    expect(await faultOf(put([good, resource('ghosts', { id: 'x' })]))).toBe('NOT_FOUND/RESOURCE_TYPE_UNKNOWN');
    expect(idsOf(await list({ resourceType: 'invoices', resourceId: 'inv-80' }))).toEqual([]);
  });

  it('keeps all that was said, and the newest of it', async () => {
    const said = {
      id: 'inv-81',
      ownerId: 'usr_viewer',
      classification: 'public',
      attributes: { amount: 7 },
      parents: [{ type: 'shelves', id: 's' }],
    };
    await put([resource('invoices', { id: 'inv-81' }), resource('invoices', { ...said, tenantId: 'acme' })]);
    const { resources } = await list({ resourceType: 'invoices', resourceId: 'inv-81' });
    expect(resources).toMatchObject([{ effect: 0, resource: { type: 'invoices', tenantId: 'acme', ...said } }]);
  });

  const bad: readonly (readonly [string, object])[] = [
    ['no id', { id: '' }],
    ['a classification that does not exist', { id: 'x', classification: 'cosmic' }],
    ['a parent of a type that is none', { id: 'x', parents: [{ type: 'invoices', id: 'y' }] }],
    ['a parent without id', { id: 'x', parents: [{ type: 'shelves', id: '' }] }],
    ['too many parents', { id: 'x', parents: Array.from({ length: 9 }, () => ({ type: 'shelves', id: 's' })) }],
    ['attributes beyond measure', { id: 'x', attributes: { team: 'a'.repeat(20_000) } }],
    ['attributes with NUL', { id: 'x', attributes: { team: 'a\0b' } }],
    ['another tenant', { id: 'x', tenantId: 'other' }],
  ];
  it.each(bad)('refuses %s', async (_, over) => {
    expect(await faultOf(put([resource('invoices', over)]))).toBe('INVALID_ARGUMENT/REQUEST_INVALID');
  });

  it('is for whoever writes the configuration, and for services of the type', async () => {
    const [invoice, shelf] = [resource('invoices', { id: 'inv-82' }), resource('shelves', { id: 's-82' })];
    expect(await faultOf(put([invoice], user('usr_viewer')))).toBe('PERMISSION_DENIED/PERMISSION_MISSING');
    expect(await faultOf(put([invoice, shelf], workload()))).toBe('PERMISSION_DENIED/RESOURCE_TYPE_FORBIDDEN');
    expect(await faultOf(put([invoice], workload(entryOf({ resourceTypes: [] }))))).toBe('PERMISSION_DENIED/RESOURCE_TYPE_FORBIDDEN');
    await put([invoice], workload());
    const gone = { resourceType: 'invoices', resourceIds: ['inv-82', 'never'] };
    expect(await faultOf(world.call('DeleteResources', gone, user('usr_viewer')))).toBe('PERMISSION_DENIED/PERMISSION_MISSING');
    expect(await world.call('DeleteResources', gone, workload())).toMatchObject({ deleted: 1 });
    expect(await world.call('DeleteResources', gone, workload())).toMatchObject({ deleted: 0 });
  });
});
