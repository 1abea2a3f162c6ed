// BatchCheck: one moment for all, answers in order, and a bad check that spoils nothing but itself.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Ruling } from '../../../src/authorization/authorization.ts';
import { systemRandom } from '../../../src/base/random.ts';
import { BatchCheckRequest, BatchCheckResponse, PermissionCheck } from '../../../src/gen/securityhub/v1/security_hub.ts';
import { createResultWriter } from '../../../src/hub/batch-check/answer.ts';
import { createDecisionIds } from '../../../src/hub/check-permission/id.ts';
import { callAs } from '../../callers.ts';
import { type FreshDatabase, freshDatabase } from '../../harness.ts';
import { createWorld, faultOf, resource, seed, subject, token, user, workload, type World } from './world.ts';

let database: FreshDatabase;
let world: World;

beforeAll(async () => {
  database = await freshDatabase();
  world = await createWorld(database);
  await seed(world, 'acme', { usr_owner: ['owner'], usr_admin: ['admin'], usr_viewer: ['viewer'] });
  const invoices = { name: 'invoices', description: '', actions: [], ownerActions: ['pay'], defaultClassification: '' };
  await world.authorization.putResourceType('acme', invoices, callAs(user('usr_owner')));
});
afterAll(async () => {
  await world.platform.stop();
  await database.close();
});

const check = (id: string, action: string, type: string, over: object = {}): PermissionCheck =>
  PermissionCheck.fromPartial({ id, action, resource: resource(type), ...over });

const codes = async (caller: Parameters<World['batch']>[0], checks: PermissionCheck[], over: object = {}) =>
  (await world.batch(caller, { checks, ...over })).results.map((result) => `${result.id} ${result.reasonCode}`);

describe('BatchCheck', () => {
  it('answers in the order of the checks, each under its id', async () => {
    const answer = await world.batch(user('usr_viewer'), {
      checks: [check('b', 'read', 'config'), check('a', 'write', 'config'), check('', 'read', 'analytics'), check('b', 'read', 'users')],
    });
    expect(answer.results).toMatchObject([
      { id: 'b', allowed: true, effect: 1, reasonCode: 'ALLOWED', appliedPolicies: ['role:viewer'], reason: 'allowed by role:viewer' },
      { id: 'a', allowed: false, effect: 2, reasonCode: 'DENIED_DEFAULT', appliedPolicies: [] },
      { id: '', allowed: true },
      { id: 'b', allowed: false },
    ]);
    expect(new Set(answer.results.map((result) => result.decisionId)).size).toBe(4);
    expect(answer).toMatchObject({ policyRevision: world.platform.feed.cursor(), asOf: {}, staleness: {} });
  });

  it('says of each check what CheckPermission says', async () => {
    const principals = [
      undefined,
      subject('usr_viewer'),
      subject('usr_ghost'),
      subject('usr_suspended'),
      token('good:acme:usr_viewer:config.*'),
      token('bad:TOKEN_EXPIRED'),
    ];
    const questions = [
      ['read', 'config'],
      ['write', 'users'],
      ['read', 'conversations'],
    ] as const;
    const checks = principals.flatMap((principal, i) =>
      questions.map(([action, type], j) => check(`${i}.${j}`, action, type, { principal })),
    );
    const together = (await world.batch(user('usr_admin'), { checks })).results;
    const alone = await Promise.all(
      checks.map(({ principal, action, resource: asked }) => world.check(user('usr_admin'), { principal, action, resource: asked })),
    );
    expect(
      together.map(({ allowed, effect, reason, reasonCode, appliedPolicies }) => ({
        allowed,
        effect,
        reason,
        reasonCode,
        appliedPolicies,
      })),
    ).toEqual(
      alone.map(({ allowed, effect, reason, reasonCode, appliedPolicies }) => ({ allowed, effect, reason, reasonCode, appliedPolicies })),
    );
  });

  it('lets bad checks fail alone', async () => {
    const checks = [
      check('good', 'read', 'config'),
      check('type', 'read', 'ghosts'),
      check('action', '*', 'config'),
      PermissionCheck.fromPartial({ id: 'nothing', action: 'read' }),
      check('empty subject', 'read', 'config', { principal: subject('') }),
      check('foreign', 'read', 'config', { principal: subject('usr_foreign', { tenantId: 'other' }) }),
      check('tenant', 'read', 'config', { resource: resource('config', { tenantId: 'other' }) }),
      check('token', 'read', 'config', { principal: token('bad:SIGNATURE_INVALID') }),
      check('class', 'read', 'config', { resource: resource('config', { classification: 'cosmic' }) }),
      check('good again', 'read', 'config'),
    ];
    expect(await codes(user('usr_admin'), checks)).toEqual([
      'good ALLOWED',
      'type RESOURCE_TYPE_UNKNOWN',
      'action REQUEST_INVALID',
      'nothing REQUEST_INVALID',
      'empty subject REQUEST_INVALID',
      'foreign SUBJECT_UNKNOWN',
      'tenant DENIED_TENANT',
      'token SIGNATURE_INVALID',
      'class REQUEST_INVALID',
      'good again ALLOWED',
    ]);
  });

  it('lets a check about others fail alone for whoever may not ask about them', async () => {
    const checks = [check('self', 'read', 'config'), check('other', 'read', 'config', { principal: subject('usr_admin') })];
    expect(await codes(user('usr_viewer'), checks)).toEqual(['self ALLOWED', 'other PERMISSION_MISSING']);
  });

  it('fails whole where the principal of all may not be named', async () => {
    const work = world.batch(user('usr_viewer'), { principal: subject('usr_admin'), checks: [check('1', 'read', 'config')] });
    expect(await faultOf(work)).toBe('PERMISSION_DENIED/PERMISSION_MISSING');
  });

  it('asks a workload for the subject check by check', async () => {
    const checks = [
      check('none', 'read', 'invoices'),
      check('one', 'read', 'invoices', { principal: subject('usr_admin') }),
      check('type', 'read', 'config', { principal: subject('usr_admin') }),
    ];
    expect(await codes(workload(), checks)).toEqual(['none SUBJECT_REQUIRED', 'one ALLOWED', 'type RESOURCE_TYPE_FORBIDDEN']);
  });

  it('takes the principal of all where a check names none', async () => {
    const checks = [check('his', 'read', 'config'), check('hers', 'delete', 'users', { principal: subject('usr_admin') })];
    expect(await codes(user('usr_admin'), checks, { principal: subject('usr_viewer') })).toEqual(['his ALLOWED', 'hers ALLOWED']);
    const swapped = [check('his', 'delete', 'users')];
    expect(await codes(user('usr_admin'), swapped, { principal: subject('usr_viewer') })).toEqual(['his DENIED_DEFAULT']);
  });

  it('believes the owner item by item', async () => {
    const owned = (id: string, ownerId: string) =>
      check(id, 'pay', 'invoices', { principal: subject('usr_plain'), resource: resource('invoices', { ownerId }) });
    expect(await codes(workload(), [owned('mine', 'usr_plain'), owned('not', 'usr_viewer')])).toEqual([
      'mine ALLOWED',
      'not DENIED_DEFAULT',
    ]);
  });

  it('is decided on the newest revision that any check asks for', async () => {
    const far = world.platform.feed.cursor() + 1_000_000;
    const work = world.batch(user('usr_viewer'), {
      checks: [check('1', 'read', 'config'), check('2', 'read', 'config', { minPolicyRevision: far })],
    });
    expect(await faultOf(work)).toBe('FAILED_PRECONDITION/REVISION_UNKNOWN');
  });

  it('answers 1,000 checks with other principals each, and looks up each principal once', async () => {
    const before = world.platform.feed.cursor();
    const checks = Array.from({ length: 1000 }, (_, i) =>
      check(`${i}`, 'read', 'config', { principal: subject(i % 2 === 0 ? 'usr_viewer' : `usr_none_${i}`) }),
    );
    const { results, policyRevision } = await world.batch(user('usr_admin'), { checks });
    expect(results.filter((result) => result.reasonCode === 'ALLOWED')).toHaveLength(500);
    expect(results.filter((result) => result.reasonCode === 'SUBJECT_UNKNOWN')).toHaveLength(500);
    expect(policyRevision).toBe(before);
  });

  it('reads the rights of all that are not in memory in a few transactions, even where memory has no room for them', async () => {
    const ids = Array.from({ length: 1000 }, (_, at) => `usr_cold_${at}`);
    let transactions = 0;
    const cold = await createWorld(database, {
      users: new Map(ids.map((id) => [`acme/${id}`, 'active'])),
      settings: { rightsCacheEntries: 100 },
      opened: () => {
        transactions += 1;
      },
    });
    try {
      await seed(cold, 'acme', { usr_cold_0: ['viewer'], usr_cold_999: ['viewer'] });
      await cold.check(user('usr_admin'), { action: 'read', resource: resource('config') });
      const asked = () =>
        cold.batch(user('usr_admin'), { checks: ids.map((id) => check(id, 'read', 'config', { principal: subject(id) })) });
      transactions = 0;
      const { results } = await asked();
      expect(results.filter(({ allowed }) => allowed).map(({ id }) => id)).toEqual(['usr_cold_0', 'usr_cold_999']);
      expect(transactions).toBeLessThanOrEqual(10);
      const many = await Promise.all(Array.from({ length: 8 }, asked));
      expect(many.map((one) => one.results.filter(({ allowed }) => allowed).length)).toEqual(many.map(() => 2));
    } finally {
      await cold.platform.stop();
    }
  });

  it('comes without a promise when everything is in memory', async () => {
    const request = BatchCheckRequest.fromPartial({ checks: [check('1', 'read', 'config')] });
    await world.decisions.batchCheck(request, callAs(user('usr_viewer')));
    expect(world.decisions.batchCheck(request, callAs(user('usr_viewer')))).toBeInstanceOf(Uint8Array);
  });

  it('does not hold the event loop: other work runs before a large slow batch is done', async () => {
    // Bad checks are the slowest kind: each makes a fault.
    const request = BatchCheckRequest.fromPartial({ checks: Array.from({ length: 1000 }, (_, i) => check(`${i}`, '*', 'x'.repeat(100))) });
    const answer = world.decisions.batchCheck(request, callAs(user('usr_viewer')));
    expect((await answer).length).toBeGreaterThan(1000);
  });
});

describe('the bytes of a batch', () => {
  const text = fc.string({ unit: 'binary', maxLength: 130 }).map((value) => value.toWellFormed());
  const ruling: fc.Arbitrary<Ruling> = fc.record({
    allowed: fc.boolean(),
    code: fc.constantFrom('ALLOWED', 'DENIED_DEFAULT', 'SCOPE_MISSING', ''),
    reason: fc.oneof(text, fc.string({ minLength: 300, maxLength: 20_000 })),
    rules: fc.array(
      text.filter((value) => value !== ''),
      { maxLength: 3 },
    ),
  });

  it('read back as what was written, whatever the ids and rulings', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(text, ruling), { maxLength: 12 }), (items) => {
        const writer = createResultWriter(items.length, createDecisionIds(systemRandom));
        for (const [id, each] of items) writer.add(id, each);
        const read = BatchCheckResponse.decode(writer.finish({ policyRevision: 2 ** 40 + 7, asOf: 1_700_000_000_123, staleness: 1250 }));
        expect(read).toMatchObject({
          policyRevision: 2 ** 40 + 7,
          asOf: { seconds: 1_700_000_000, nanos: 123_000_000 },
          staleness: { seconds: 1, nanos: 250_000_000 },
        });
        expect(read.results.map((result) => ({ ...result, decisionId: '' }))).toEqual(
          items.map(([id, { allowed, code, reason, rules }]) => ({
            id,
            allowed,
            effect: allowed ? 1 : 2,
            reason,
            reasonCode: code,
            appliedPolicies: rules,
            conditions: [],
            obligations: [],
            decisionId: '',
          })),
        );
      }),
    );
  });

  it('carry ids that count up and never repeat', () => {
    const ids = createDecisionIds(systemRandom);
    const bytes = Buffer.alloc(ids.length);
    const seen = Array.from({ length: 3000 }, (_, i) => {
      if (i % 2 === 0) return ids.next();
      ids.write(bytes, 0);
      return bytes.toString('latin1');
    });
    expect(seen).toEqual([...new Set(seen)].sort());
  });
});

describe('a batch of a thousand', () => {
  /** Milliseconds that anything may hold the event loop. */
  const BUDGET = 2;
  const ROUNDS = 40;
  const tags = Array.from({ length: 60 }, (_, at) => `tag-${at}`);
  const attributes = (at: number) => ({ region: at % 2 === 0 ? 'eu' : 'us', amount: at, tags });

  beforeAll(async () => {
    const resourceType = { name: 'transfers', attributes: { region: 'string', amount: 'int', tags: 'list(string)' } };
    await world.call('PutResourceType', { resourceType }, user('usr_admin'));
    const rule = (action: string, condition: string) => ({
      name: action,
      effect: 'allow',
      actions: [action],
      roles: ['viewer'],
      condition,
    });
    const policy = {
      apiVersion: 'securityhub/v1',
      kind: 'ResourcePolicy',
      metadata: { name: 'transfers' },
      spec: {
        resource: 'transfers',
        rules: [
          rule('read', 'resource.region == context.region && resource.amount >= 0'),
          // Thousands of steps.
          rule('match', 'resource.tags.exists(a, resource.tags.exists(b, a + b == "tag-x"))'),
        ],
      },
    };
    await world.call(
      'ApplyPolicies',
      { sources: [{ name: 'transfers', content: JSON.stringify(policy) }], acknowledgeRisk: true },
      user('usr_owner'),
    );
  });

  /** The longest that others waited for their turn, in the best of some rounds: what the machine did besides is in one round, not in all. */
  const longestHeld = async (caller: ReturnType<typeof user>, checks: PermissionCheck[], rounds: number): Promise<number> => {
    let best = Number.POSITIVE_INFINITY;
    for (let round = 0; round < rounds; round += 1) {
      let [longest, over] = [0, false];
      let before = performance.now();
      const turn = (): void => {
        const now = performance.now();
        longest = Math.max(longest, now - before);
        before = now;
        if (!over) setImmediate(turn);
      };
      const answer = BatchCheckRequest.fromPartial({ checks, context: { region: 'eu' } });
      setImmediate(turn);
      await world.decisions.batchCheck(answer, callAs(caller, { now: Date.now() }));
      over = true;
      await new Promise((resolve) => setImmediate(resolve));
      best = Math.min(best, longest);
    }
    return best;
  };

  it.each([
    ['of roles', 'usr_viewer', 'read', 'config', 1000, ROUNDS],
    ['of a condition each', 'usr_viewer', 'read', 'transfers', 1000, ROUNDS],
    ['of a costly condition each', 'usr_viewer', 'match', 'transfers', 200, ROUNDS / 4],
  ])('checks %s never holds the event loop for longer than two milliseconds', async (_, who, action, type, count, rounds) => {
    const checks = Array.from({ length: count }, (_one, at) =>
      check(String(at), action, type, { resource: resource(type, { attributes: attributes(at) }) }),
    );
    expect(await longestHeld(user(who), checks, rounds)).toBeLessThan(BUDGET);
  });
});
