// What somebody may do, with where it comes from; and who can do something: complete, page by page, and as checks decide.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type * as proto from '../../../src/gen/securityhub/v1/authorization.ts';
import {
  GetUserPermissionsResponse as PermissionsAnswer,
  ListSubjectsResponse as SubjectsAnswer,
} from '../../../src/gen/securityhub/v1/authorization.ts';
import { CheckPermissionResponse as CheckAnswer } from '../../../src/gen/securityhub/v1/security_hub.ts';
import { type FreshDatabase, freshDatabase } from '../../harness.ts';
import { createWorld, faultOf, resource, seed, subject, USERS, user, type World } from './world.ts';

let database: FreshDatabase;
let world: World;
let ids: { grant: string; delegation: string };

const owner = user('usr_owner');
const person = (id: string) => ({ type: 'user', id });
const later = { seconds: Math.floor(Date.now() / 1000) + 3600, nanos: 0 };

beforeAll(async () => {
  database = await freshDatabase();
  world = await createWorld(database);
  await seed(world, 'acme', { usr_owner: ['owner'], usr_admin: ['admin'], usr_viewer: ['viewer'] });
  await world.call('PutResourceType', { resourceType: { name: 'invoices', ownerActions: ['pay'], parentTypes: ['config'] } }, owner);
  await world.call('PutGroup', { group: { name: 'clerks' } }, owner);
  await world.call('AddGroupMembers', { group: 'clerks', members: [person('usr_plain')], expiresAt: later }, owner);
  await world.call(
    'PutRole',
    { role: { name: 'clerk', permissions: ['invoices:read'], inherits: ['viewer'], environments: ['prod'] } },
    owner,
  );
  await world.call('AssignRole', { subject: { type: 'group', id: 'clerks' }, role: 'clerk' }, owner);
  await world.call('AssignRole', { subject: person('usr_plain'), role: 'custom', notBefore: later }, owner);
  const { grant } = await world.call<proto.PutGrantResponse>(
    'PutGrant',
    { subject: person('usr_plain'), effect: 1, permission: 'invoices:approve', resourceId: 'inv-1', expiresAt: later },
    owner,
  );
  await world.call('PutGrant', { subject: person('usr_plain'), effect: 2, permission: 'invoices:shred' }, owner);
  const { delegation } = await world.call<proto.PutDelegationResponse>(
    'PutDelegation',
    { grantee: person('usr_plain'), permissions: ['audit:*'], expiresAt: later },
    user('usr_admin'),
  );
  ids = { grant: grant?.id ?? '', delegation: delegation?.id ?? '' };
  await world.call('PutRole', { role: { name: 'careful', permissions: ['workloads:write'], requireMfa: true } }, owner);
  await world.call('AssignRole', { subject: person('usr_checker'), role: 'careful' }, owner);
});
afterAll(async () => {
  await world.platform.stop();
  await database.close();
});

const permissionsOf = (request: object, by = owner) => world.call<proto.GetUserPermissionsResponse>('GetUserPermissions', request, by);
const whoCan = (action: string, type: string, over: object = {}, about: object = {}) =>
  world.call<proto.ListSubjectsResponse>('ListSubjects', { action, resource: resource(type, about), ...over }, owner);

const pagesOf = async (load: (pageToken: string) => Promise<{ readonly items: readonly string[]; readonly nextPageToken: string }>) => {
  const seen: string[] = [];
  let pageToken = '';
  for (let count = 0; count < 50; count += 1) {
    const page = await load(pageToken);
    seen.push(...page.items);
    if (page.nextPageToken === '') return seen;
    pageToken = page.nextPageToken;
  }
  throw new Error('no end of pages');
};

describe('GetUserPermissions', () => {
  it('tells of each permission where it comes from, what it asks for and when it ends', async () => {
    const { permissions, roles, groups, clearance } = await permissionsOf({ subject: person('usr_plain') });
    expect([roles, groups, clearance]).toEqual([['clerk'], ['clerks'], 'internal']);
    const of = (permission: string) => permissions.filter((one) => one.permission === permission);
    expect(of('invoices:read')).toMatchObject([
      {
        resourceId: '',
        effect: 1,
        sources: [
          {
            kind: 'role',
            rule: 'role:clerk',
            path: ['clerk'],
            group: 'clerks',
            conditions: ['role:clerk environment in [prod]'],
            active: true,
          },
        ],
      },
    ]);
    expect(of('config:read')[0]?.sources).toMatchObject([{ rule: 'role:clerk', path: ['clerk', 'viewer'], group: 'clerks' }]);
    expect(of('invoices:approve')).toMatchObject([
      { resourceId: 'inv-1', sources: [{ kind: 'grant', rule: `grant:${ids.grant}`, expiresAt: later }] },
    ]);
    expect(of('invoices:shred')).toMatchObject([{ effect: 2, sources: [{ kind: 'deny' }] }]);
    expect(of('audit:*')).toMatchObject([
      { sources: [{ kind: 'delegation', rule: `delegation:${ids.delegation}`, grantor: person('usr_admin'), expiresAt: later }] },
    ]);
    expect(of('invoices:pay')[0]?.sources).toMatchObject([{ kind: 'owner', conditions: ['the subject owns the resource'] }]);
  });

  it('is filtered by resource type, wildcards that cover it included', async () => {
    const { permissions } = await permissionsOf({ subject: person('usr_owner'), resourceType: 'audit' });
    expect(permissions.map((one) => one.permission)).toEqual(['*:*']);
    const plain = await permissionsOf({ subject: person('usr_plain'), resourceType: 'audit' });
    expect(plain.permissions.map((one) => one.permission)).toEqual(['audit:*']);
  });

  it('comes in pages, whole', async () => {
    const whole = (await permissionsOf({ subject: person('usr_plain'), pageSize: 1000 })).permissions.map((one) => one.permission);
    const paged = await pagesOf(async (pageToken) => {
      const page = await permissionsOf({ subject: person('usr_plain'), pageSize: 2, pageToken });
      return { items: page.permissions.map((one) => one.permission), nextPageToken: page.nextPageToken };
    });
    expect(paged).toEqual(whole);
    expect(whole.length).toBeGreaterThan(6);
  });

  it('is told everybody of himself, and of others to whoever may read them', async () => {
    expect((await permissionsOf({}, user('usr_viewer'))).roles).toEqual(['viewer']);
    expect(await faultOf(permissionsOf({ subject: person('usr_admin') }, user('usr_viewer')))).toBe('PERMISSION_DENIED/PERMISSION_MISSING');
    expect(await faultOf(permissionsOf({ subject: person('usr_ghost') }))).toBe('NOT_FOUND/SUBJECT_UNKNOWN');
    expect(await faultOf(permissionsOf({ subject: person('usr_foreign') }))).toBe('NOT_FOUND/SUBJECT_UNKNOWN');
  });

  it('tells of a service what its entry adds', async () => {
    const { permissions } = await permissionsOf({ subject: { type: 'service', id: 'default/billing' }, resourceType: 'encryption_key' });
    expect(permissions).toMatchObject([{ permission: 'encryption_key:encrypt', sources: [{ kind: 'workload' }] }]);
  });
});

describe('a subject that more speaks of than an answer can hold', () => {
  const COUNT = 300;
  const admin = user('usr_admin');
  const long = (at: number): string => `resource.amount > ${at} || subject.id == "${'x'.repeat(4000)}"`;
  const policyOf = (at: number): string =>
    JSON.stringify({
      apiVersion: 'securityhub/v1',
      kind: 'ResourcePolicy',
      metadata: { name: `p${at}` },
      spec: {
        resource: 'parcels',
        rules: [{ name: 'r', effect: 'allow', actions: ['open'], principals: ['user:usr_viewer'], condition: long(at) }],
      },
    });
  /** A set of conditions may be 32 KB long. */
  const SETS = [0, 7, 14, 21];
  const ALL = SETS.flatMap((first) => Array.from({ length: 7 }, (_, at) => first + at));
  const wordy = (first: number): string =>
    JSON.stringify({
      apiVersion: 'securityhub/v1',
      kind: 'ConditionSet',
      metadata: { name: `wordy${first}` },
      spec: {
        resource: 'crates',
        conditions: Object.fromEntries(ALL.filter((at) => at >= first && at < first + 7).map((at) => [`c${at}`, long(-1 - at)])),
      },
    });
  const crates = JSON.stringify({
    apiVersion: 'securityhub/v1',
    kind: 'ResourcePolicy',
    metadata: { name: 'crates' },
    spec: { resource: 'crates', rules: [{ name: 'r', effect: 'allow', actions: ['open'], conditions: ALL.map((at) => `c${at}`) }] },
  });
  const MESSAGE = 4 * 1024 * 1024;

  beforeAll(async () => {
    for (const name of ['parcels', 'crates'])
      await world.call('PutResourceType', { resourceType: { name, attributes: { amount: 'int' } } }, admin);
    const contents = [...Array.from({ length: COUNT }, (_, at) => policyOf(at)), ...SETS.map(wordy), crates];
    const sources = contents.map((content, at) => ({ name: `f${at}`, content }));
    for (let at = 0; at < sources.length; at += 100)
      await world.call('ApplyPolicies', { sources: sources.slice(at, at + 100), acknowledgeRisk: true }, owner);
  }, 60_000);

  it('gets all of it, in pages that a client takes: a permission goes on where there is no room for its sources', async () => {
    const request = { subject: person('usr_viewer'), resourceType: 'parcels', pageSize: 1000 };
    const rules: string[] = [];
    let [pages, pageToken] = [0, ''];
    do {
      const page = await permissionsOf({ ...request, pageToken });
      expect(PermissionsAnswer.encode(page).finish().length).toBeLessThan(MESSAGE / 2);
      expect(page.permissions.every(({ sources }) => sources.length > 0)).toBe(true);
      rules.push(
        ...page.permissions.flatMap(({ permission, sources }) => (permission === 'parcels:open' ? sources.map(({ rule }) => rule) : [])),
      );
      pages += 1;
      pageToken = page.nextPageToken;
    } while (pageToken !== '');
    expect(pages).toBeGreaterThan(2);
    expect(rules.toSorted()).toEqual(
      Array.from({ length: COUNT }, (_, at) => `policy:resource_type/p${at}@${Math.floor(at / 100) + 1}/r`).sort(),
    );
  });

  it('and a decision is explained by the rules that decided, as far as an answer has room', async () => {
    const asked = { principal: subject('usr_viewer'), action: 'open', resource: resource('parcels', { attributes: { amount: 200 } }) };
    const answer = await world.check(owner, { ...asked, explain: true });
    const steps = answer.trace?.steps.filter(({ kind }) => kind === 'policy') ?? [];
    expect(CheckAnswer.encode(answer).finish().length).toBeLessThan(MESSAGE / 2);
    expect(steps[0]).toMatchObject({ rule: answer.appliedPolicies[0], matched: true });
    expect(steps.slice(0, -1).every(({ matched }) => matched)).toBe(true);
    expect(steps.at(-1)?.detail).toBe(`${COUNT + 1 - steps.length} more rules of policies were looked at: none of them decided`);
  });

  it('and those who can are listed, in pages that a client takes', async () => {
    const about = { attributes: { amount: 1 } };
    let pages = 0;
    const listed = await pagesOf(async (pageToken) => {
      const page = await whoCan('open', 'crates', { pageSize: 1000, pageToken }, about);
      pages += 1;
      expect(SubjectsAnswer.encode(page).finish().length).toBeLessThan(MESSAGE / 2);
      return { items: page.subjects.map((one) => one.subject?.id ?? ''), nextPageToken: page.nextPageToken };
    });
    const able = [...USERS].flatMap(([key, status]) => (key.startsWith('acme/') && status === 'active' ? [key.slice(5)] : []));
    expect(listed).toEqual([...able.sort(), 'default/billing']);
    expect(pages).toBe(2);
  });
});

describe('ListSubjects', () => {
  const questions: readonly (readonly [string, string, object, object])[] = [
    ['read', 'config', {}, {}],
    ['read', 'config', { environment: 'prod' }, {}],
    ['read', 'audit', {}, {}],
    ['approve', 'invoices', {}, { id: 'inv-1' }],
    ['approve', 'invoices', {}, { id: 'inv-2' }],
    ['pay', 'invoices', {}, { id: 'inv-3', ownerId: 'usr_viewer' }],
    ['shred', 'invoices', {}, {}],
    ['read', 'invoices', { environment: 'prod' }, { classification: 'confidential' }],
    ['read', 'invoices', {}, { parents: [{ type: 'config', id: 'c1' }] }],
    ['encrypt', 'encryption_key', {}, {}],
  ];
  it.each(questions)('lists whom checks of %s on %s allow, and nobody else (%j %j)', async (action, type, over, about) => {
    const { subjects } = await whoCan(action, type, over, about);
    const listed = subjects.filter(({ effect }) => effect === 1).map((one) => `${one.subject?.type}:${one.subject?.id}`);
    const all = [
      ...[...USERS.keys()].filter((key) => key.startsWith('acme/')).map((key) => person(key.slice(5))),
      { type: 'service', id: 'default/billing' },
    ];
    const allowed: string[] = [];
    for (const { type: kind, id } of all) {
      const answer = await world.check(owner, { principal: subject(id, { type: kind }), action, resource: resource(type, about), ...over });
      if (answer.allowed) allowed.push(`${kind}:${id}`);
    }
    expect(listed.sort()).toEqual(allowed.sort());
  });

  it('comes in pages, whole and in order', async () => {
    const whole = (await whoCan('read', 'config', { environment: 'prod' })).subjects.map((one) => one.subject?.id ?? '');
    const paged = await pagesOf(async (pageToken) => {
      const page = await whoCan('read', 'config', { environment: 'prod', pageSize: 1, pageToken });
      return { items: page.subjects.map((one) => one.subject?.id ?? ''), nextPageToken: page.nextPageToken };
    });
    expect(paged).toEqual(whole);
    expect(whole).toEqual(['usr_admin', 'usr_owner', 'usr_plain', 'usr_viewer']);
  });

  it('names whom a second factor would let through', async () => {
    const { subjects } = await whoCan('write', 'workloads', { subjectType: 'user' });
    expect(subjects.find((one) => one.subject?.id === 'usr_checker')).toMatchObject({ effect: 3, appliedPolicies: ['role:careful'] });
  });

  it('knows nobody for what is not there, and refuses what cannot be asked', async () => {
    expect(await faultOf(whoCan('read', 'ghosts'))).toBe('NOT_FOUND/RESOURCE_TYPE_UNKNOWN');
    expect(await faultOf(whoCan('*', 'config'))).toBe('INVALID_ARGUMENT/REQUEST_INVALID');
    expect((await whoCan('read', 'config', {}, { tenantId: 'other' })).subjects).toEqual([]);
  });
});
