// What a draft would have decided differently, asked of a hub that was restarted since: decisions and what they were made on are durable.
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { reasonOf, type Say, sayTo } from '../attacks/world.ts';
import { freshDatabase, redisUrl, waitFor } from '../harness.ts';
import { type Environment, type HubProcess, hubHome, startHub } from '../hub-process.ts';

const MADE = 4000;
const SMALL = 12;
const PASSWORD = 'correct-horse-battery-9';

let database: Awaited<ReturnType<typeof freshDatabase>>;
let env: Environment;
let hub: HubProcess;
let say: Say;
/** Of one decision, with what it was asked on. */
let decisionId = '';

const draft = {
  name: 'small.json',
  content: JSON.stringify({
    apiVersion: 'securityhub/v1',
    kind: 'ResourcePolicy',
    metadata: { name: 'small' },
    spec: {
      resource: 'invoices',
      rules: [{ name: 'small', effect: 'allow', actions: ['pay'], roles: ['viewer'], condition: `resource.amount < ${SMALL}` }],
    },
  }),
};
const start = async (): Promise<void> => {
  hub = await startHub(env);
  say = sayTo(hub.http, hub.bootstrap().access_token);
};
const replay = () => say('AuthorizationService/ReplayPolicies', { sources: [draft], maxDecisions: 10_000, samples: 100 });
const EXPECTED = {
  replayed: MADE,
  changed: MADE,
  complete: true,
  changes: [
    { reasonCodeBefore: 'DENIED_DEFAULT', reasonCodeAfter: 'DENIED_CONDITION', count: MADE - SMALL },
    { reasonCodeBefore: 'DENIED_DEFAULT', allowedAfter: true, reasonCodeAfter: 'ALLOWED', count: SMALL },
  ],
};

beforeAll(async () => {
  database = await freshDatabase();
  env = { ...hubHome().env, POSTGRES_URI: database.uri, REDIS_URL: redisUrl(), DECISION_RECORDS_PER_SECOND: '1000' };
  await start();
  const done = async (method: string, request: object) => {
    const answer = await say(method, request);
    expect(answer).toMatchObject({ status: 200 });
    return answer.body;
  };
  await done('AuthorizationService/PutResourceType', { resourceType: { name: 'invoices', attributes: { amount: 'int' } } });
  const { user } = await done('UserService/CreateUser', { username: 'vera', password: PASSWORD, roles: ['viewer'] });
  for (let from = 0; from < MADE; from += 1000) {
    const checks = Array.from({ length: 1000 }, (_, at) => ({
      action: 'pay',
      resource: { type: 'invoices', id: `i${from + at}`, attributes: { amount: from + at } },
    }));
    const { results } = await done('SecurityHub/BatchCheck', { subject: { type: 'user', id: user.id }, checks });
    decisionId ||= results[0].decisionId;
  }
}, 60_000);
afterAll(async () => {
  await hub?.stop();
  await database?.close();
});

it('tells the same before a restart, after one, and after a kill: how many, in which way, and which', async () => {
  // An orderly end writes what waits; nobody looked before.
  expect(await hub.stop()).toBe(0);
  await start();
  const { body } = await replay();
  expect(body).toMatchObject(EXPECTED);
  await hub.stop('SIGKILL');
  await start();
  const again = (await replay()).body;
  expect(again).toMatchObject(EXPECTED);
  expect(again.samples).toEqual(body.samples);
}, 60_000);

it('explains a decision of before the restart, on the attributes it was made on', async () => {
  const { body } = await say('AuthorizationService/ExplainDecision', { decisionId });
  expect(body.decision).toMatchObject({
    decisionId,
    action: 'pay',
    resource: { type: 'invoices', id: 'i0', attributes: { amount: 0 } },
    outcome: { reasonCode: 'DENIED_DEFAULT' },
  });
  const rows = await database.sql<{ sealed: Buffer }>('SELECT sealed FROM decision LIMIT 1');
  expect(rows[0]?.sealed.toString('latin1')).not.toContain('amount');
});

it('keeps a draft over a restart, and replays it by its version', async () => {
  const { body } = await say('AuthorizationService/ApplyPolicies', { sources: [draft], draft: true });
  await hub.stop('SIGKILL');
  await start();
  const asked = { draftVersion: body.version.version, maxDecisions: 10_000 };
  expect((await say('AuthorizationService/ReplayPolicies', asked)).body).toMatchObject(EXPECTED);
  await say('AuthorizationService/ActivatePolicies', { version: body.version.version, acknowledgeRisk: true });
  await waitFor(async () => (await replay()).body.changed === 0, 5000, 'the draft is what decides');
  expect(reasonOf(await say('AuthorizationService/ReplayPolicies', { draftVersion: 99 }))).toBe('POLICY_VERSION_NOT_FOUND');
}, 60_000);
