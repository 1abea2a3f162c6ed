// What narrows rules and requirements of policies, each with a question inside and one outside: times, workloads, named conditions.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { callAs } from '../../callers.ts';
import { type FreshDatabase, freshDatabase, type TestClock, testClock, waitFor } from '../../harness.ts';
import { createWorld, resource, seed, subject, user, type World } from './world.ts';

const root = user('usr_root');
const POLICIES = `
apiVersion: securityhub/v1
kind: ResourcePolicy
metadata: { name: shifts }
spec:
  resource: shifts
  rules:
    - { name: by-day, effect: allow, actions: [swap], roles: [nurse], timeWindows: [{ days: [mon], start: "08:00", end: "16:00" }] }
    - { name: for-a-while, effect: allow, actions: [trial], roles: [nurse], timeWindows: [{ notBefore: "2026-03-02T00:00:00Z", notAfter: "2026-03-09T00:00:00Z" }] }
    - { name: closed-once, effect: deny, actions: [read], timeWindows: [{ notBefore: "2026-03-04T00:00:00Z", notAfter: "2026-03-05T00:00:00Z" }] }
    - { name: planner, effect: allow, actions: [plan], roles: [nurse], workloads: [default/planner] }
    - { name: no-robots, effect: deny, actions: [read], workloads: [default/robot] }
    - { name: both, effect: allow, actions: [sign], roles: [nurse], conditions: [on-ward], condition: 'resource.hours < 12' }
    - { name: seen, effect: allow, actions: [note], roles: [nurse], obligations: [log, "notify:ward"] }
---
apiVersion: securityhub/v1
kind: ConditionSet
metadata: { name: wards }
spec: { resource: shifts, conditions: { on-ward: context.ward == "3" } }
---
apiVersion: securityhub/v1
kind: SecurityPolicy
metadata: { name: office-hours }
spec: { resource: shifts, actions: [print], timeWindows: [{ days: [mon, tue], start: "09:00", end: "17:00", timeZone: Europe/Berlin }] }
`;

interface Case {
  readonly it: string;
  readonly action: string;
  readonly at?: string;
  readonly workload?: string;
  readonly ward?: string;
  readonly hours?: number | string;
  readonly want: string;
  readonly rule: string;
  readonly obligations?: readonly string[];
}

// 2 March 2026 is a Monday.
const CASES: readonly Case[] = [
  { it: 'an allow within its hours', action: 'swap', at: '2026-03-02T08:00:00Z', want: 'ALLOWED', rule: 'resource_type/shifts/by-day' },
  { it: 'not after them', action: 'swap', at: '2026-03-02T16:00:00Z', want: 'DENIED_TIME_WINDOW', rule: 'resource_type/shifts/by-day' },
  { it: 'not on another day', action: 'swap', at: '2026-03-03T09:00:00Z', want: 'DENIED_TIME_WINDOW', rule: 'resource_type/shifts/by-day' },
  {
    it: 'an allow from its first day on',
    action: 'trial',
    at: '2026-03-02T00:00:00Z',
    want: 'ALLOWED',
    rule: 'resource_type/shifts/for-a-while',
  },
  { it: 'not before', action: 'trial', at: '2026-03-01T23:59:59Z', want: 'DENIED_TIME_WINDOW', rule: 'resource_type/shifts/for-a-while' },
  {
    it: 'not after its last',
    action: 'trial',
    at: '2026-03-09T00:00:00Z',
    want: 'DENIED_TIME_WINDOW',
    rule: 'resource_type/shifts/for-a-while',
  },
  {
    it: 'a deny between its days',
    action: 'read',
    at: '2026-03-04T12:00:00Z',
    want: 'DENIED_EXPLICIT',
    rule: 'resource_type/shifts/closed-once',
  },
  { it: 'not outside of them', action: 'read', at: '2026-03-05T00:00:00Z', want: 'ALLOWED', rule: 'role:nurse' },
  { it: 'an allow for its workload', action: 'plan', workload: 'default/planner', want: 'ALLOWED', rule: 'resource_type/shifts/planner' },
  { it: 'not for another', action: 'plan', workload: 'default/other', want: 'DENIED_DEFAULT', rule: '' },
  { it: 'nor for none', action: 'plan', want: 'DENIED_DEFAULT', rule: '' },
  {
    it: 'a deny for its workload',
    action: 'read',
    workload: 'default/robot',
    want: 'DENIED_EXPLICIT',
    rule: 'resource_type/shifts/no-robots',
  },
  { it: 'an allow under two conditions', action: 'sign', ward: '3', hours: 8, want: 'ALLOWED', rule: 'resource_type/shifts/both' },
  { it: 'not when its own is not met', action: 'sign', ward: '3', hours: 13, want: 'DENIED_CONDITION', rule: 'resource_type/shifts/both' },
  {
    it: 'not when the named one is not met',
    action: 'sign',
    ward: '4',
    hours: 8,
    want: 'DENIED_CONDITION',
    rule: 'resource_type/shifts/both',
  },
  {
    it: 'not when one cannot be evaluated',
    action: 'sign',
    ward: '3',
    hours: 'many',
    want: 'DENIED_CONDITION_ERROR',
    rule: 'resource_type/shifts/both',
  },
  {
    it: 'an allow with what it obliges to',
    action: 'note',
    want: 'ALLOWED',
    rule: 'resource_type/shifts/seen',
    obligations: ['log', 'notify:ward'],
  },
  { it: 'a requirement within its hours', action: 'print', at: '2026-03-03T08:00:00Z', want: 'ALLOWED', rule: 'role:nurse' },
  {
    it: 'one outside of them',
    action: 'print',
    at: '2026-03-03T16:00:00Z',
    want: 'DENIED_TIME_WINDOW',
    rule: 'resource_type/office-hours/requirements',
  },
];

let database: FreshDatabase;
let clock: TestClock;
let world: World;

beforeAll(async () => {
  database = await freshDatabase();
  clock = testClock();
  world = await createWorld(database, {
    clock,
    users: new Map([
      ['acme/usr_root', 'active'],
      ['acme/usr_nora', 'active'],
    ]),
  });
  await seed(world, 'acme', { usr_root: ['owner'] });
  const actions = ['read', 'print', 'swap', 'trial', 'plan', 'sign', 'note'];
  const type = { name: 'shifts', description: '', actions, ownerActions: [], defaultClassification: '', attributes: { hours: 'int' } };
  await world.authorization.putResourceType('acme', type, callAs(root));
  await world.call('PutRole', { role: { name: 'nurse', permissions: ['shifts:read', 'shifts:print'] } }, root);
  await seed(world, 'acme', { usr_nora: ['nurse'] });
  await world.call('ApplyPolicies', { sources: [{ name: 'shifts.yaml', content: POLICIES }], acknowledgeRisk: true }, root);
});
afterAll(async () => {
  await world.platform.stop();
  await database.close();
});

describe('a policy', () => {
  it.each(CASES)('decides $it: $action is $want', async ({ action, at, workload = '', ward, hours, want, rule, obligations = [] }) => {
    clock.set(Date.parse(at ?? '2026-03-02T12:00:00Z'));
    await waitFor(() => world.platform.feed.state().kind === 'fresh', 5000, 'news is fresh');
    const answer = await world.check(root, {
      principal: subject('usr_nora'),
      action,
      resource: resource('shifts', { id: 's1', attributes: hours === undefined ? undefined : { hours } }),
      workload,
      context: ward === undefined ? undefined : { ward },
    });
    expect([answer.allowed, answer.reasonCode]).toEqual([want === 'ALLOWED', want]);
    expect(answer.appliedPolicies.map((name) => name.replace(/@\d+\//, '/').replace('policy:', ''))).toEqual(rule === '' ? [] : [rule]);
    expect(answer.obligations).toEqual(obligations);
  });
});
