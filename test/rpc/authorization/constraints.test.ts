// Exclusive roles and maximum holders: kept among the roles themselves, at every assignment, and under races by the database.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { RoleBounds } from '../../../src/authorization/bounds.ts';
import { type FreshDatabase, freshDatabase } from '../../harness.ts';
import { createWorld, faultOf, seed, user, type World } from './world.ts';

let database: FreshDatabase;
let world: World;
let replica: World;

beforeAll(async () => {
  database = await freshDatabase();
  [world, replica] = await Promise.all([createWorld(database), createWorld(database)]);
  await seed(world, 'acme', { usr_owner: ['owner'] });
});
afterAll(async () => {
  await Promise.all([world.platform.stop(), replica.platform.stop()]);
  await database.close();
});

const owner = user('usr_owner');
const put = (name: string, over: Partial<RoleBounds> & { readonly inherits?: readonly string[] } = {}) =>
  world.call('PutRole', { role: { name, permissions: ['config:read'], ...over } }, owner);
const give = (id: string, role: string, by: World = world) => by.call('AssignRole', { subject: { type: 'user', id }, role }, owner);
const take = (id: string, role: string) => world.call('UnassignRole', { subject: { type: 'user', id }, role }, owner);

describe('roles that exclude each other', () => {
  it('are not held together, whichever comes first and whichever says so', async () => {
    await put('payer');
    await put('approver', { exclusiveWith: ['payer'] });
    await give('usr_plain', 'payer');
    expect(await faultOf(give('usr_plain', 'approver'))).toBe('FAILED_PRECONDITION/ROLE_EXCLUSIVE');
    await take('usr_plain', 'payer');
    await give('usr_plain', 'approver');
    expect(await faultOf(give('usr_plain', 'payer'))).toBe('FAILED_PRECONDITION/ROLE_EXCLUSIVE');
    await take('usr_plain', 'approver');
  });

  it('are held by different people', async () => {
    await give('usr_plain', 'payer');
    await give('usr_viewer', 'approver');
    await take('usr_plain', 'payer');
    await take('usr_viewer', 'approver');
  });

  it('are not held together through roles that inherit them', async () => {
    await put('head-payer', { inherits: ['payer'] });
    await give('usr_plain', 'head-payer');
    expect(await faultOf(give('usr_plain', 'approver'))).toBe('FAILED_PRECONDITION/ROLE_EXCLUSIVE');
    await take('usr_plain', 'head-payer');
  });

  it('are not inherited by one role', async () => {
    expect(await faultOf(put('both', { inherits: ['payer', 'approver'] }))).toBe('FAILED_PRECONDITION/ROLE_EXCLUSIVE');
  });

  it('do not come to exclude each other while somebody holds both', async () => {
    await put('left');
    await put('right');
    await give('usr_plain', 'left');
    await give('usr_plain', 'right');
    expect(await faultOf(put('right', { exclusiveWith: ['left'] }))).toBe('FAILED_PRECONDITION/ROLE_EXCLUSIVE');
    await take('usr_plain', 'left');
    await put('right', { exclusiveWith: ['left'] });
  });

  it('are known: a name that no role has is refused', async () => {
    expect(await faultOf(put('shy', { exclusiveWith: ['nobody'] }))).toBe('INVALID_ARGUMENT/ROLE_NOT_FOUND');
    expect(await faultOf(put('selfish', { exclusiveWith: ['selfish'] }))).toBe('INVALID_ARGUMENT/REQUEST_INVALID');
  });

  it('are never both given by two who give at once', async () => {
    const both = await Promise.all([faultOf(give('usr_second', 'payer')), faultOf(give('usr_second', 'approver', replica))]);
    expect(both.filter((each) => each === 'FAILED_PRECONDITION/ROLE_EXCLUSIVE')).toHaveLength(1);
  });
});

describe('a role with few seats', () => {
  it('is given to as many as may hold it, and to one more when a seat is free', async () => {
    await put('pair', { maxHolders: 2 });
    await give('usr_plain', 'pair');
    await give('usr_viewer', 'pair');
    await give('usr_viewer', 'pair');
    expect(await faultOf(give('usr_admin', 'pair'))).toBe('FAILED_PRECONDITION/ROLE_FULL');
    await take('usr_viewer', 'pair');
    await give('usr_admin', 'pair');
  });

  it('does not get fewer seats than are taken', async () => {
    expect(await faultOf(put('pair', { maxHolders: 1 }))).toBe('FAILED_PRECONDITION/ROLE_FULL');
  });

  it('has one holder after five gave it at once, through two replicas', async () => {
    await put('single', { maxHolders: 1 });
    const people = ['usr_plain', 'usr_viewer', 'usr_admin', 'usr_second', 'usr_roles'];
    const outcomes = await Promise.all(people.map((id, at) => faultOf(give(id, 'single', at % 2 === 0 ? world : replica))));
    expect(outcomes.filter((each) => each === 'FAILED_PRECONDITION/ROLE_FULL')).toHaveLength(4);
    const rows = await database.sql(`SELECT subject_id FROM role_assignment WHERE role = 'single'`);
    expect(rows).toHaveLength(1);
  });
});

describe('a bound that makes no sense', () => {
  it.each<[string, Partial<RoleBounds>]>([
    ['a range that is none', { addressRanges: ['10.0.0.0/33'] }],
    ['a name for an address', { addressRanges: ['localhost'] }],
    ['an hour that is none', { hours: [{ days: [], start: '25:00', end: '26:00', timeZone: '' }] }],
    ['a place that has no clock', { hours: [{ days: [], start: '09:00', end: '17:00', timeZone: 'Mars/Olympus' }] }],
    ['a clearance of another world', { clearance: 'cosmic' }],
    ['a workload with a blank', { workloads: ['a b'] }],
  ])('is refused: %s', async (_, over) => expect(await faultOf(put('odd', over))).toBe('INVALID_ARGUMENT/REQUEST_INVALID'));

  it.each([
    ['that does not parse', 'resource.'],
    ['about an attribute nobody declared', 'resource.colour == "red"'],
    ['that is no yes or no', '1 + 1'],
    ['that adds words to numbers', '"a" + 1 == 2'],
  ])('is refused: a condition %s', async (_, condition) => {
    const work = world.call(
      'PutGrant',
      { subject: { type: 'user', id: 'usr_plain' }, effect: 1, permission: 'config:read', condition },
      owner,
    );
    expect(await faultOf(work)).toBe('INVALID_ARGUMENT/CONDITION_INVALID');
  });

  it('is refused: an end before the beginning', async () => {
    const at = (seconds: number) => ({ seconds: Math.floor(Date.now() / 1000) + seconds, nanos: 0 });
    const work = world.call(
      'AssignRole',
      { subject: { type: 'user', id: 'usr_plain' }, role: 'viewer', notBefore: at(200), expiresAt: at(100) },
      owner,
    );
    expect(await faultOf(work)).toBe('INVALID_ARGUMENT/EXPIRY_INVALID');
  });
});
