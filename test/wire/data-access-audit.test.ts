// Every EnforceDataAccess is on record before it is answered, whatever it says: read back through SearchEvents from the built hub.
import type { JsonObject } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createWorld, object, text, type World } from './access-callers.ts';

const ENFORCE = 'securityhub.v1.AuthorizationService/EnforceDataAccess';
const AUTHORIZATION = 'securityhub.v1.AuthorizationService';

let world: World;
let reader: string;
let outsider: string;
let tester: string;

beforeAll(async () => {
  world = await createWorld();
  const type = { name: 'payslips', actions: ['read'], attributes: { team: 'string', iban: 'string' } };
  await world.make(`${AUTHORIZATION}/PutResourceType`, { resourceType: type });
  await world.make(`${AUTHORIZATION}/PutRole`, { role: { name: 'payroll', permissions: ['payslips:read'] } });
  await world.make(`${AUTHORIZATION}/PutRole`, { role: { name: 'careful', permissions: ['payslips:read'], requireMfa: true } });
  const policy = { apiVersion: 'securityhub/v1', kind: 'ResourcePolicy', metadata: { name: 'payslips' } };
  const spec = {
    resource: 'payslips',
    rules: [{ name: 'sealed', effect: 'deny', actions: ['read'], condition: 'resource.team == "board"' }],
    masks: [{ field: 'iban', mask: 'partial' }],
  };
  await world.make(`${AUTHORIZATION}/ApplyPolicies`, { sources: [{ name: 'p.json', content: JSON.stringify({ ...policy, spec }) }] });
  [reader, outsider, tester] = [await world.newUser('reader'), await world.newUser('outsider'), await world.newUser('tester')];
  for (const [id, role] of [
    [reader, 'payroll'],
    [tester, 'careful'],
  ] as const)
    await world.make(`${AUTHORIZATION}/AssignRole`, { subject: { type: 'user', id }, role });
}, 60_000);
afterAll(() => world.close());

/** The newest event of the call, as the log has it once the answer is here: nothing is waited for. */
const eventsOf = async (over: JsonObject = {}): Promise<readonly JsonObject[]> => {
  const found = await world.make('securityhub.v1.AuditService/SearchEvents', { resource: 'payslips', ...over });
  return found['events'] as JsonObject[];
};

const enforce = (request: JsonObject): Promise<JsonObject> => world.make(ENFORCE, { action: 'read', resourceType: 'payslips', ...request });

describe('a call of EnforceDataAccess', () => {
  it('that finds rows is on record with whom it was about, the rules and what was masked', async () => {
    const answer = await enforce({ subject: { id: reader } });
    expect(answer['allowed']).toBe(true);
    const [event] = await eventsOf();
    expect(event).toMatchObject({
      resource: 'payslips',
      action: 'read',
      result: 'success',
      reason: 'ALLOWED',
      method: ENFORCE,
      details: { decision_id: answer['decisionId'], subject: `user:${reader}`, rules: answer['appliedPolicies'], masked: ['iban'] },
    });
    expect(object(event?.['actor'])['type']).toBe('user');
  });

  it('that finds none is on record with why', async () => {
    const answer = await enforce({ subject: { id: outsider } });
    expect(answer['allowed']).toBe(false);
    const [event] = await eventsOf();
    expect(event).toMatchObject({
      result: 'failure',
      reason: answer['reasonCode'],
      details: { decision_id: answer['decisionId'], subject: `user:${outsider}` },
    });
  });

  it('that asks for a second factor is on record as a refusal', async () => {
    const answer = await enforce({ subject: { id: tester } });
    expect(answer['effect']).toBe('EFFECT_STEP_UP');
    expect((await eventsOf())[0]).toMatchObject({ result: 'failure', reason: 'MFA_REQUIRED' });
  });

  it('about somebody unknown is on record, too', async () => {
    await enforce({ subject: { id: 'usr_0123456789abcdefghijkl' } });
    expect((await eventsOf())[0]).toMatchObject({ result: 'failure', reason: 'SUBJECT_UNKNOWN' });
  });

  it('is on record once each, however many there are at once', async () => {
    const before = new Set((await eventsOf({ pageSize: 1000 })).map((event) => event['eventId']));
    const answers = await Promise.all(Array.from({ length: 25 }, () => enforce({ subject: { id: reader } })));
    const events = (await eventsOf({ pageSize: 1000 })).filter((event) => !before.has(event['eventId']));
    const logged = events.map((event) => text(object(event['details'])['decision_id']));
    expect(logged).toHaveLength(25);
    expect(new Set(logged)).toEqual(new Set(answers.map((answer) => answer['decisionId'])));
  });

  it('holds nothing of the rows: what was asked about them stays with the caller', async () => {
    await enforce({ subject: { id: reader }, context: { secret: 'canary-7c1' }, columns: { tenant_id: 't.tenant', team: 'canary_7c1' } });
    expect(JSON.stringify(await eventsOf({ pageSize: 1000 }))).not.toMatch(/canary.7c1/);
  });
});
