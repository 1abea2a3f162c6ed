// Recorded decisions on a real Postgres: explained by their id, also by another replica, and made again under a draft.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type * as proto from '../../../src/gen/securityhub/v1/authorization.ts';
import { PermissionCheck } from '../../../src/gen/securityhub/v1/security_hub.ts';
import type { ApplyPoliciesResponse } from '../../../src/gen/securityhub/v1/policy.ts';
import { callAs } from '../../callers.ts';
import { type FreshDatabase, freshDatabase, type TestClock, testClock } from '../../harness.ts';
import { createWorld, faultOf, resource, seed, subject, user, type World } from './world.ts';

let database: FreshDatabase;
let clock: TestClock;
let world: World;

const owner = user('usr_owner');
const SECRET = 'a-very-personal-thing';

beforeAll(async () => {
  database = await freshDatabase();
  clock = testClock();
  world = await createWorld(database, { clock });
  await seed(world, 'acme', { usr_owner: ['owner'], usr_viewer: ['viewer'], usr_plain: ['member'] });
  const invoices = {
    name: 'invoices',
    description: '',
    actions: [],
    ownerActions: [],
    defaultClassification: '',
    attributes: { amount: 'int', note: 'string' },
    parentTypes: [],
  };
  await world.authorization.putResourceType('acme', invoices, callAs(owner));
});
afterAll(async () => {
  await world.platform.stop();
  await database.close();
});

const explain = (id: string, on: World = world) =>
  on.call<proto.ExplainDecisionResponse>('ExplainDecision', { tenantId: '', decisionId: id }, owner);
const document = (spec: object, kind = 'ResourcePolicy', name = 'invoices') => ({
  name: 'draft.json',
  content: JSON.stringify({ apiVersion: 'securityhub/v1', kind, metadata: { name }, spec }),
});
const applying = (over: object) => ({
  tenantId: '',
  sources: [],
  deleteNames: [],
  acknowledgeRisk: true,
  ...over,
});
const replay = (over: object) =>
  world.call<proto.ReplayPoliciesResponse>(
    'ReplayPolicies',
    { tenantId: '', sources: [], deleteNames: [], prune: false, draftVersion: 0, maxDecisions: 0, samples: 0, ...over },
    owner,
  );

describe('a decision', () => {
  const ask = (amount: number) =>
    world.check(owner, {
      principal: subject('usr_viewer'),
      action: 'read',
      resource: resource('invoices', { id: 'i1', ownerId: 'usr_plain', attributes: { amount, note: SECRET } }),
      context: { network: 'office' },
      environment: 'production',
    });

  it('is explained by its id: what was asked, on what, which rules were looked at, and the answer of today', async () => {
    const { decisionId } = await ask(5);
    const { decision, steps, today } = await explain(decisionId);
    expect(decision).toMatchObject({
      decisionId,
      subject: { type: 'user', id: 'usr_viewer' },
      action: 'read',
      environment: 'production',
      context: { network: 'office' },
      resource: { type: 'invoices', id: 'i1', ownerId: 'usr_plain', attributes: { amount: 5, note: SECRET } },
      outcome: { allowed: false, reasonCode: 'DENIED_DEFAULT' },
    });
    expect(steps.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['tenant', 'deny', 'role', 'grant', 'owner']));
    expect(today).toMatchObject({ allowed: false, reasonCode: 'DENIED_DEFAULT' });
  });

  it('keeps what is personal sealed', async () => {
    await ask(6);
    await explain((await ask(7)).decisionId);
    const rows = await database.sql<{ text: string }>("SELECT row_to_json(d)::text || encode(sealed, 'escape') AS text FROM decision d");
    expect(rows.length).toBeGreaterThan(0);
    expect(rows.filter(({ text }) => text.includes(SECRET) || text.includes('office'))).toEqual([]);
  });

  it('is explained by another replica, and after a restart', async () => {
    const { decisionId } = await ask(8);
    await explain(decisionId);
    const other = await createWorld(database, { clock, sealer: world.platform.sealer });
    expect((await explain(decisionId, other)).decision?.resource?.attributes).toEqual({ amount: 8, note: SECRET });
    await other.platform.stop();
  });

  it('of a batch is explained as well', async () => {
    const about = (action: string) =>
      PermissionCheck.fromPartial({ id: action, action, resource: resource('conversations', { id: 'c1' }) });
    const { results } = await world.batch(owner, { principal: subject('usr_viewer'), checks: [about('read'), about('delete')] });
    const [first, second] = await Promise.all(results.map(({ decisionId }) => explain(decisionId)));
    expect([first?.decision?.outcome, second?.decision?.outcome]).toMatchObject([
      { allowed: true, appliedPolicies: ['role:viewer'] },
      { allowed: false, reasonCode: 'DENIED_DEFAULT' },
    ]);
  });

  it('that was never made is not found', async () => {
    expect(await faultOf(explain('dec_0'))).toBe('NOT_FOUND/DECISION_NOT_FOUND');
  });

  it('of another tenant is not found either', async () => {
    const { decisionId } = await ask(9);
    await explain(decisionId);
    const foreign = { ...user('usr_foreign'), tenantId: 'other' } as typeof owner;
    const work = world.call('ExplainDecision', { tenantId: '', decisionId }, foreign);
    expect(await faultOf(work)).toBe('NOT_FOUND/DECISION_NOT_FOUND');
  });
});

describe('what is recorded', () => {
  const opened = async (over: object): Promise<World> => {
    const other = await createWorld(database, { clock, sealer: world.platform.sealer, settings: over });
    return other;
  };
  const ids = async (on: World, count: number): Promise<string[]> => {
    const made: string[] = [];
    for (let at = 0; at < count; at += 1)
      made.push((await on.check(owner, { principal: subject('usr_viewer'), action: 'read', resource: resource('users') })).decisionId);
    return made;
  };

  it('is at most DECISION_RECORDS_PER_SECOND, ten times that in a burst, and none with 0', async () => {
    const [few, none] = [await opened({ decisionsPerSecond: 1 }), await opened({ decisionsPerSecond: 0 })];
    const told = await Promise.all((await ids(few, 15)).map((id) => faultOf(explain(id, few).then(() => 'told'))));
    expect(told.filter((answer) => answer.includes('told')).length).toBeGreaterThanOrEqual(10);
    expect(told.filter((answer) => answer === 'NOT_FOUND/DECISION_NOT_FOUND').length).toBeGreaterThan(0);
    const [id = ''] = await ids(none, 1);
    expect(await faultOf(explain(id, none))).toBe('NOT_FOUND/DECISION_NOT_FOUND');
    await Promise.all([few.platform.stop(), none.platform.stop()]);
  });

  it('is told no longer than DECISION_RECORD_DAYS', async () => {
    const short = await opened({ decisionDays: 1 });
    const [id = ''] = await ids(short, 1);
    expect((await explain(id, short)).decision?.decisionId).toBe(id);
    await database.sql("UPDATE decision SET at = at - interval '25 hours' WHERE id = $1", [id]);
    expect(await faultOf(explain(id, short))).toBe('NOT_FOUND/DECISION_NOT_FOUND');
    expect((await explain(id)).decision?.decisionId).toBe(id);
    await short.platform.stop();
  });
});

describe('a replay', () => {
  const read = (amount: number, who = 'usr_viewer') =>
    world.check(owner, {
      principal: subject(who),
      action: 'pay',
      resource: resource('invoices', { id: `i${amount}`, attributes: { amount } }),
    });
  const spec = {
    resource: 'invoices',
    rules: [{ name: 'small', effect: 'allow', actions: ['pay'], roles: ['viewer'], condition: 'resource.amount < 3' }],
  };
  let from: { seconds: number; nanos: number };

  beforeAll(async () => {
    clock.advance(1000);
    from = { seconds: Math.floor(clock.now() / 1000), nanos: (clock.now() % 1000) * 1_000_000 };
    for (let amount = 0; amount < 20; amount += 1) await read(amount);
    for (let amount = 0; amount < 5; amount += 1) await read(amount, 'usr_plain');
  });

  it('says how many recorded decisions would change, in which way, and shows some', async () => {
    const answer = await replay({ sources: [document(spec)], from, samples: 2 });
    expect(answer).toMatchObject({
      replayed: 25,
      changed: 20,
      complete: true,
      changes: [
        { reasonCodeBefore: 'DENIED_DEFAULT', reasonCodeAfter: 'DENIED_CONDITION', allowedAfter: false, count: 17 },
        { allowedBefore: false, reasonCodeBefore: 'DENIED_DEFAULT', allowedAfter: true, reasonCodeAfter: 'ALLOWED', count: 3 },
      ],
    });
    expect(answer.samples).toHaveLength(2);
    expect(answer.samples[0]).toMatchObject({ before: { reasonCode: 'DENIED_DEFAULT' }, decision: { subject: { id: 'usr_viewer' } } });
  });

  it('tries a draft as it was kept', async () => {
    const { version } = await world.call<ApplyPoliciesResponse>(
      'ApplyPolicies',
      applying({ sources: [document(spec)], draft: true }),
      owner,
    );
    expect(await replay({ draftVersion: version?.version, from })).toMatchObject({ replayed: 25, changed: 20 });
  });

  it('under what is active changes nothing', async () => {
    expect(await replay({ from })).toMatchObject({ replayed: 25, changed: 0, changes: [], samples: [] });
  });

  it('goes no further than it is told, and says so', async () => {
    expect(await replay({ sources: [document(spec)], from, maxDecisions: 10 })).toMatchObject({ replayed: 10, complete: false });
  });

  it('changes no answer', async () => {
    expect((await read(1)).reasonCode).toBe('DENIED_DEFAULT');
  });

  it('refuses policies that do not hold', async () => {
    const bad = document({
      resource: 'invoices',
      rules: [{ name: 'x', effect: 'allow', actions: ['pay'], condition: 'resource.amout < 3' }],
    });
    expect(await faultOf(replay({ sources: [bad] }))).toBe('INVALID_ARGUMENT/POLICY_INVALID');
  });

  it('needs the right to see decisions of others', async () => {
    await world.call('PutRole', { role: { name: 'policy-reader', permissions: ['policies:read'] } }, owner);
    await seed(world, 'acme', { usr_plain: ['policy-reader'] });
    const work = world.call('ReplayPolicies', { tenantId: '', sources: [], deleteNames: [], draftVersion: 0 }, user('usr_plain'));
    expect(await faultOf(work)).toBe('PERMISSION_DENIED/PERMISSION_MISSING');
  });
});
