// CheckPermission behind the access layer: who may ask about whom, what is believed, and what the answer carries.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import type { Caller } from '../../../src/base/caller.ts';
import type { Resource } from '../../../src/gen/securityhub/v1/authorization.ts';
import { callAs } from '../../callers.ts';
import { type FreshDatabase, freshDatabase, type TestClock, testClock } from '../../harness.ts';
import { apiKey, createWorld, entryOf, faultOf, resource, seed, subject, token, user, workload, type World } from './world.ts';

interface Case {
  readonly it: string;
  readonly caller: string;
  readonly subject?: {
    readonly id: string;
    readonly tenantId?: string;
    readonly type?: string;
    readonly scopes?: string[];
    readonly username?: string;
  };
  readonly token?: string;
  readonly action: string;
  readonly type?: string;
  readonly resource?: Partial<Resource>;
  readonly want: string;
}
const cases = parse(readFileSync(new URL('../../cases/authorization/checks.yaml', import.meta.url), 'utf8')) as readonly Case[];

const CALLERS: Readonly<Record<string, Caller>> = {
  owner: user('usr_owner'),
  admin: user('usr_admin'),
  viewer: user('usr_viewer'),
  plain: user('usr_plain'),
  denied: user('usr_checker', ['conversations:*']),
  scoped: user('usr_viewer', ['conversations:*', 'openid']),
  key: apiKey('usr_viewer', ['conversations:read', 'users:read', 'invoices:*']),
  workload: workload(),
  'checking-workload': workload(entryOf({ permissions: ['authz:check'], resourceTypes: [] })),
};

let database: FreshDatabase;
let clock: TestClock;
let world: World;

beforeAll(async () => {
  database = await freshDatabase();
  clock = testClock();
  world = await createWorld(database, { clock });
  await seed(world, 'acme', { usr_owner: ['owner'], usr_admin: ['admin'], usr_viewer: ['viewer'], usr_checker: ['viewer'] });
  await seed(world, 'partner', { usr_partner: ['admin'] });
  const invoices = { name: 'invoices', description: '', actions: [], ownerActions: ['read', 'pay'], defaultClassification: '' };
  for (const tenantId of ['acme', 'partner', 'closed'])
    await world.authorization.putResourceType(tenantId, invoices, callAs(user('usr_owner')));
  await deny('usr_checker', 'config:read');
});
afterAll(async () => {
  await world.platform.stop();
  await database.close();
});

const grant = (id: string, permission: string, over: object) =>
  world.authorization.putGrant(
    'acme',
    { subject: { type: 'user', id }, effect: 'allow', permission, resourceId: '', expiresAt: null, reason: '', ...over },
    callAs(user('usr_owner'), { now: clock.now() }),
  );
const deny = (id: string, permission: string) => grant(id, permission, { effect: 'deny' });

const ask = (caller: Caller, action: string, type: string, over: object = {}) =>
  world.check(caller, { action, resource: resource(type), ...over });

describe('CheckPermission', () => {
  for (const each of cases)
    it(each.it, async () => {
      const principal =
        each.token !== undefined ? token(each.token) : each.subject !== undefined ? subject(each.subject.id, each.subject) : undefined;
      const work = world.check(CALLERS[each.caller] as Caller, {
        principal,
        action: each.action,
        resource: each.type === undefined ? undefined : resource(each.type, each.resource),
      });
      if (each.want.includes('/')) return expect(await faultOf(work)).toBe(each.want);
      const answer = await work;
      expect([answer.reasonCode, answer.allowed, answer.effect]).toEqual([
        each.want,
        each.want === 'ALLOWED',
        each.want === 'ALLOWED' ? 1 : 2,
      ]);
    });

  it('gives one answer for somebody unknown and for somebody of a foreign tenant', async () => {
    const shape = async (principal: ReturnType<typeof subject>) => {
      const { decisionId, staleness, ...rest } = await ask(CALLERS['admin'] as Caller, 'read', 'config', { principal });
      expect([decisionId.length > 0, staleness !== undefined]).toEqual([true, true]);
      return rest;
    };
    const unknown = await shape(subject('usr_ghost'));
    expect(await shape(subject('usr_foreign', { tenantId: 'other' }))).toEqual(unknown);
    expect(await shape(subject('usr_foreign', { tenantId: 'nowhere' }))).toEqual(unknown);
  });
});

describe('an answer', () => {
  it('repeats the question, names the rule and says as of when', async () => {
    const answer = await ask(user('usr_viewer'), 'read', 'conversations');
    expect(answer).toMatchObject({ action: 'read', resourceType: 'conversations', appliedPolicies: ['role:viewer'], trace: undefined });
    expect(answer.asOf?.seconds).toBe(Math.floor(clock.now() / 1000));
    expect(answer.decisionId).toMatch(/^dec_\w{22}-\w{9}$/);
  });

  it('has an id of its own', async () => {
    const ids = await Promise.all([1, 2, 3].map(async () => (await ask(user('usr_viewer'), 'read', 'config')).decisionId));
    expect(new Set(ids).size).toBe(3);
  });

  it('is explained step by step on request', async () => {
    const { trace } = await ask(user('usr_checker'), 'read', 'config', { explain: true });
    expect(trace?.steps.filter((step) => step.matched)).toMatchObject([
      { kind: 'deny', effect: 2 },
      { kind: 'role', rule: 'role:viewer', effect: 1, detail: 'viewer gives config:read' },
    ]);
  });

  it('explains which scopes were missing', async () => {
    const { trace } = await ask(user('usr_viewer', ['users:read']), 'read', 'config', { explain: true });
    expect(trace?.steps.at(-1)).toMatchObject({ kind: 'scope', matched: true, effect: 2, detail: 'scopes users:read' });
  });

  it('may be kept for 30 seconds, and never beyond the caller’s token', async () => {
    const until = async (caller: Caller) => (await ask(caller, 'read', 'config')).validUntil?.seconds;
    expect(await until(user('usr_viewer'))).toBe(Math.floor((clock.now() + 30_000) / 1000));
    const soon = clock.now() + 5000;
    expect(await until({ ...user('usr_viewer'), expiresAt: soon } as Caller)).toBe(Math.floor(soon / 1000));
  });

  it('comes without a promise when everything is in memory', () => {
    const request = { ...emptyRequest, action: 'read', resource: resource('config') };
    expect(Buffer.isBuffer(world.decisions.checkPermission(request, callAs(user('usr_viewer'), { now: clock.now() })))).toBe(true);
  });
});

const emptyRequest = {
  principal: undefined,
  tokenContext: undefined,
  action: '',
  resource: undefined,
  workload: '',
  environment: '',
  context: undefined,
  explain: false,
  minPolicyRevision: 0,
  maxStaleness: undefined,
};

describe('a grant that ends', () => {
  it('is felt at its end, with everything in memory and no change in between', async () => {
    const ends = clock.now() + 10_000;
    await grant('usr_plain', 'audit:read', { expiresAt: ends });
    const code = async () => {
      const answer = await ask(user('usr_plain'), 'read', 'audit');
      return [answer.reasonCode, answer.validUntil?.seconds];
    };
    expect(await code()).toEqual(['ALLOWED', Math.floor(ends / 1000)]);
    clock.advance(9_999);
    expect((await code())[0]).toBe('ALLOWED');
    clock.advance(1);
    expect((await code())[0]).toBe('DENIED_DEFAULT');
  });

  it('on one resource is felt for that resource only', async () => {
    await grant('usr_plain', 'invoices:approve', { resourceId: 'inv-1', expiresAt: clock.now() + 1000 });
    const code = async (id: string) =>
      (await ask(user('usr_plain'), 'approve', 'invoices', { resource: resource('invoices', { id }) })).reasonCode;
    expect([await code('inv-1'), await code('inv-2')]).toEqual(['ALLOWED', 'DENIED_DEFAULT']);
    clock.advance(1000);
    expect(await code('inv-1')).toBe('DENIED_DEFAULT');
  });
});

describe('a deny that ends', () => {
  it('lets the answer of before return, and the answer could not be kept longer', async () => {
    const ends = clock.now() + 5000;
    await grant('usr_viewer', 'analytics:read', { effect: 'deny', expiresAt: ends });
    const denied = await ask(user('usr_viewer'), 'read', 'analytics');
    expect([denied.reasonCode, denied.validUntil?.seconds]).toEqual(['DENIED_EXPLICIT', Math.floor(ends / 1000)]);
    clock.advance(5000);
    expect((await ask(user('usr_viewer'), 'read', 'analytics')).reasonCode).toBe('ALLOWED');
  });
});

describe('a revision', () => {
  it('that is asked for is reached before the answer', async () => {
    const { revision } = await grant('usr_plain', 'workloads:read', {});
    const answer = await ask(user('usr_plain'), 'read', 'workloads', { minPolicyRevision: revision });
    expect(answer.allowed).toBe(true);
    expect(answer.policyRevision).toBeGreaterThanOrEqual(revision);
  });

  it('that no change has yet is refused', async () => {
    const far = world.platform.feed.cursor() + 1_000_000;
    expect(await faultOf(ask(user('usr_plain'), 'read', 'config', { minPolicyRevision: far }))).toBe(
      'FAILED_PRECONDITION/REVISION_UNKNOWN',
    );
  });
});

describe('staleness', () => {
  it('beyond what the caller allows is UNAVAILABLE, not a verdict', async () => {
    await ask(user('usr_viewer'), 'read', 'config');
    clock.advance(3000);
    const limit = { maxStaleness: { seconds: 1, nanos: 0 } };
    const [strict, easy] = [ask(user('usr_viewer'), 'read', 'config', limit), ask(user('usr_viewer'), 'read', 'config')];
    expect(await faultOf(strict)).toBe('UNAVAILABLE/FEED_STALE');
    expect((await easy).staleness).toEqual({ seconds: 3, nanos: 0 });
  });
});
