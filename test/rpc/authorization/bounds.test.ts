// What bounds a role or a grant, asked through CheckPermission: one that lets through and one that does not, for each.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import type { Caller } from '../../../src/base/caller.ts';
import type { RoleBounds } from '../../../src/authorization/bounds.ts';
import type { PutGrantResponse, PutRoleResponse, Resource, Subject } from '../../../src/gen/securityhub/v1/authorization.ts';
import { type FreshDatabase, freshDatabase, type TestClock, testClock } from '../../harness.ts';
import { createWorld, faultOf, resource, seed, subject, token, user, workload, entryOf, type World } from './world.ts';

interface Case {
  readonly it: string;
  readonly role?: Partial<RoleBounds>;
  readonly grants?: readonly [effect: number, permission: string, over: object][];
  readonly token?: string;
  readonly subject?: Partial<Subject>;
  readonly address?: string;
  readonly at?: number;
  readonly type?: string;
  readonly ask?: Partial<Resource> & { readonly environment?: string; readonly workload?: string; readonly deep?: number };
  readonly want: string;
  readonly effect?: number;
  readonly reason?: string;
  readonly conditions?: readonly string[];
  readonly missing?: readonly string[];
}
const cases = parse(readFileSync(new URL('../../cases/authorization/bounds.yaml', import.meta.url), 'utf8')) as readonly Case[];

const MONDAY = Date.UTC(2027, 0, 18);
const owner = user('usr_owner');
/** Believed about every resource, addresses and assertions. */
const asker = user('usr_admin');

let database: FreshDatabase;
let clock: TestClock;
let world: World;

const typeOf = (name: string, over: object) => ({ resourceType: { name, ...over } });

beforeAll(async () => {
  database = await freshDatabase();
  clock = testClock(MONDAY + 12 * 3_600_000);
  world = await createWorld(database, { clock });
  await seed(world, 'acme', { usr_owner: ['owner'], usr_admin: ['admin'] });
  await world.call('PutResourceType', typeOf('shelves', {}), owner);
  await world.call('PutResourceType', typeOf('books', { parentTypes: ['shelves', 'books'] }), owner);
  await world.call('PutResourceType', typeOf('ledgers', { parentTypes: ['books'], attributes: { amount: 'int' } }), owner);
  await world.call('PutResourceType', typeOf('vaults', { defaultClassification: 'restricted' }), owner);
});
afterAll(async () => {
  await world.platform.stop();
  await database.close();
});

/** What the case is about, for the time of the work; then everything is as before. */
const given = async <T>({ role, grants = [] }: Case, work: () => Promise<T>): Promise<T> => {
  const who = { type: 'user', id: 'usr_plain' };
  const made: string[] = [];
  if (role !== undefined) {
    await world.call<PutRoleResponse>('PutRole', { role: { name: 'bounded', permissions: ['ledgers:read'], ...role } }, owner);
    await world.call('AssignRole', { subject: who, role: 'bounded' }, owner);
  }
  for (const [effect, permission, over] of grants) {
    const { grant } = await world.call<PutGrantResponse>('PutGrant', { subject: who, effect, permission, ...over }, owner);
    made.push(grant?.id ?? '');
  }
  try {
    return await work();
  } finally {
    if (role !== undefined) await world.call('DeleteRole', { name: 'bounded' }, owner);
    for (const grantId of made) await world.call('DeleteGrant', { grantId }, owner);
  }
};

const parentsOf = (depth: number) => Array.from({ length: depth }, (_, at) => ({ type: 'books', id: `B${at}` }));

describe('a decision on bounded rules', () => {
  for (const each of cases)
    it(each.it, async () => {
      clock.set(MONDAY + (each.at ?? 12) * 3_600_000);
      const { environment = '', workload: name = '', deep, ...about } = each.ask ?? {};
      const asked = resource(each.type ?? 'ledgers', { id: 'L1', ...about, ...(deep === undefined ? {} : { parents: parentsOf(deep) }) });
      await given(each, async () => {
        const work = world.check(asker, {
          principal: each.token === undefined ? subject('usr_plain', each.subject) : token(each.token),
          tokenContext: each.address === undefined ? undefined : ({ ipAddress: each.address } as never),
          action: 'read',
          resource: asked,
          environment,
          workload: name,
        });
        if (each.want.includes('/')) return expect(await faultOf(work)).toBe(each.want);
        const answer = await work;
        expect([answer.reasonCode, answer.effect]).toEqual([each.want, each.effect ?? (each.want === 'ALLOWED' ? 1 : 2)]);
        expect(answer.allowed).toBe(each.want === 'ALLOWED');
        if (each.reason !== undefined) expect(answer.reason).toContain(each.reason);
        if (each.conditions !== undefined) expect(answer.conditions).toEqual(each.conditions);
        if (each.missing !== undefined) expect(answer.missingAttributes).toEqual(each.missing);
        if (each.effect === 3) expect(answer.stepUp).toMatchObject({ acrValues: ['aal2'] });
        const batch = await world.batch(asker, {
          checks: [
            {
              id: 'b',
              principal: each.token === undefined ? subject('usr_plain', each.subject) : token(each.token),
              tokenContext: each.address === undefined ? undefined : ({ ipAddress: each.address } as never),
              action: 'read',
              resource: asked,
              environment,
              workload: name,
            } as never,
          ],
        });
        expect(batch.results[0]).toMatchObject({ reasonCode: each.want, effect: answer.effect, conditions: answer.conditions });
      });
    });
});

describe('what a caller says', () => {
  const bounded: Case = { it: '', role: { environments: ['staging'] }, want: '' };
  const ask = (caller: Parameters<World['check']>[0], over: object = {}) =>
    world.check(caller, {
      principal: undefined,
      action: 'read',
      resource: resource('ledgers', { id: 'L1' }),
      environment: 'staging',
      ...over,
    });

  it('about its own environment makes no role count', async () => {
    await given(bounded, async () => expect((await ask(user('usr_plain'))).reasonCode).toBe('DENIED_CONDITION'));
  });

  it('counts from a workload that is registered for the type, and from no other', async () => {
    await given(bounded, async () => {
      const principal = subject('usr_plain');
      expect((await ask(workload(entryOf({ resourceTypes: ['ledgers'] })), { principal })).reasonCode).toBe('ALLOWED');
    });
  });

  it('is its own workload where it names none', async () => {
    await given({ ...bounded, role: { workloads: ['default/billing'] } }, async () => {
      const principal = subject('usr_plain');
      expect((await ask(workload(entryOf({ resourceTypes: ['ledgers'] })), { principal })).reasonCode).toBe('ALLOWED');
    });
  });

  it('of parents can take away, and gives nothing where nobody vouches for them', async () => {
    const parents = [{ type: 'books', id: 'B1' }];
    const self = (over: object) => world.check(user('usr_plain'), { action: 'read', resource: resource('ledgers', { id: 'L1', ...over }) });
    await given({ it: '', grants: [[1, 'books:read', { resourceId: 'B1' }]], want: '' }, async () =>
      expect((await self({ parents })).reasonCode).toBe('DENIED_DEFAULT'),
    );
    const denied: Case = {
      it: '',
      grants: [
        [1, 'ledgers:read', {}],
        [2, 'books:read', { resourceId: 'B1' }],
      ],
      want: '',
    };
    await given(denied, async () => {
      expect((await self({})).reasonCode).toBe('ALLOWED');
      expect((await self({ parents })).reasonCode).toBe('DENIED_EXPLICIT');
    });
  });

  it('cannot make a resource less secret than its type, unless it is believed', async () => {
    await given({ it: '', grants: [[1, 'vaults:read', {}]], want: '' }, async () => {
      const answer = await world.check(user('usr_plain'), { action: 'read', resource: resource('vaults', { classification: 'public' }) });
      expect(answer.reasonCode).toBe('DENIED_CLASSIFICATION');
    });
  });
});

/** With a credential that outlives everything here. */
const plain = (): Caller => ({ ...user('usr_plain'), expiresAt: clock.now() + 86_400_000 }) as Caller;

describe('a bounded role in force', () => {
  it('is felt at the minute its hours begin and end, with everything in memory, and no answer outlives them', async () => {
    const hours = [{ days: ['mon'], start: '09:00', end: '09:01', timeZone: 'UTC' }];
    clock.set(MONDAY + 9 * 3_600_000 - 1);
    await given({ it: '', role: { hours }, want: '' }, async () => {
      const ask = async () => {
        const { reasonCode, validUntil } = await world.check(plain(), { action: 'read', resource: resource('ledgers') });
        return [reasonCode, (validUntil?.seconds ?? 0) * 1000 + (validUntil?.nanos ?? 0) / 1e6 - clock.now()];
      };
      expect(await ask()).toEqual(['DENIED_TIME_WINDOW', 1]);
      clock.advance(1);
      expect(await ask()).toEqual(['ALLOWED', 30_000]);
      clock.advance(50_000);
      expect(await ask()).toEqual(['ALLOWED', 10_000]);
      clock.advance(10_000);
      expect((await ask())[0]).toBe('DENIED_TIME_WINDOW');
    });
  });

  it('under a condition about the time is felt when the condition turns', async () => {
    clock.set(MONDAY);
    const condition = `now >= timestamp("${new Date(MONDAY + 5000).toISOString()}")`;
    await given({ it: '', grants: [[1, 'ledgers:read', { condition }]], want: '' }, async () => {
      const ask = async () => {
        const { reasonCode, validUntil } = await world.check(plain(), { action: 'read', resource: resource('ledgers') });
        return [reasonCode, (validUntil?.seconds ?? 0) * 1000 - clock.now()];
      };
      expect(await ask()).toEqual(['DENIED_CONDITION', 5000]);
      clock.advance(5000);
      expect((await ask())[0]).toBe('ALLOWED');
    });
  });

  it('that begins later is felt when it begins', async () => {
    clock.set(MONDAY);
    await world.call('PutRole', { role: { name: 'later', permissions: ['ledgers:read'] } }, owner);
    const begins = { seconds: (MONDAY + 3000) / 1000, nanos: 0 };
    await world.call('AssignRole', { subject: { type: 'user', id: 'usr_plain' }, role: 'later', notBefore: begins }, owner);
    const ask = async () => (await world.check(plain(), { action: 'read', resource: resource('ledgers') })).reasonCode;
    expect(await ask()).toBe('DENIED_DEFAULT');
    clock.advance(3000);
    expect(await ask()).toBe('ALLOWED');
    await world.call('DeleteRole', { name: 'later' }, owner);
  });

  it('counts for the hub’s own calls where its caller showed a second factor', async () => {
    await given({ it: '', role: { permissions: ['users:read'], requireMfa: true } as never, want: '' }, async () => {
      expect(await world.authorization.holds(user('usr_plain'), 'users:read')).toBe(false);
      expect(await world.authorization.holds({ ...user('usr_plain'), mfaVerified: true } as never, 'users:read')).toBe(true);
    });
  });
});

describe('an explanation', () => {
  it('tells which bound of which role did not fit, and what was asked with', async () => {
    await given({ it: '', role: { environments: ['staging'] }, want: '' }, async () => {
      const { trace } = await world.check(asker, {
        principal: subject('usr_plain'),
        action: 'read',
        resource: resource('ledgers'),
        environment: 'production',
        explain: true,
      });
      const step = trace?.steps.find(({ kind }) => kind === 'role');
      expect(step).toMatchObject({ rule: 'role:bounded', matched: false });
      expect(step?.detail).toContain('bounded gives ledgers:read, but role:bounded counts only in the environments staging');
      expect(step?.detail).toContain('asked for environment "production"');
    });
  });

  it('tells both sides of a classification', async () => {
    await given({ it: '', grants: [[1, 'ledgers:read', {}]], want: '' }, async () => {
      const { trace } = await world.check(asker, {
        principal: subject('usr_plain'),
        action: 'read',
        resource: resource('ledgers', { classification: 'top_secret' }),
        explain: true,
      });
      const step = trace?.steps.find(({ kind }) => kind === 'classification');
      expect(step).toMatchObject({ matched: true, effect: 2 });
      expect(step?.detail).toBe(
        'the resource is top_secret, the subject is cleared for internal (from its roles): it needs a clearance of top_secret',
      );
    });
  });
});
