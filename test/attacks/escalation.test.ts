// Attempts of a tenant's lesser people on its stronger ones, on the built hub.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createWorld, reasonOf, sayTo, type World } from './world.ts';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.stop());

describe('a deny', () => {
  it('cannot be put on somebody stronger, who could not take it away again', async () => {
    const admin = await world.user(world.victim, 'victim', 'admin', ['admin']);
    const { body } = await world.victim('UserService/GetUser', {});
    const deny = (id: string) => ({ subject: { type: 'user', id }, permission: 'token:*', effect: 'EFFECT_DENY' });
    const answer = await admin.say('AuthorizationService/PutGrant', deny(body.user.id));
    expect([answer.status, reasonOf(answer)]).toEqual([403, 'ESCALATION']);
    const equal = await world.user(world.victim, 'victim', 'member', ['member']);
    expect((await admin.say('AuthorizationService/PutGrant', deny(equal.id))).status).toBe(200);
  });
});

describe('an API key that ends', () => {
  it('makes none that outlives it', async () => {
    const dora = await world.user(world.victim, 'victim', 'dora', ['developer']);
    const make = { name: 'short', permissions: ['api_keys:write'], ttl: '3600s' };
    const { body } = await dora.say('ApiKeyService/CreateApiKey', make);
    const short = sayTo(world.hub.http, body.secret);
    const longer = await short('ApiKeyService/CreateApiKey', { ...make, ttl: '7200s' });
    expect([longer.status, reasonOf(longer)]).toEqual([400, 'EXPIRY_INVALID']);
    const unasked = await short('ApiKeyService/CreateApiKey', { name: 'endless', permissions: ['api_keys:write'] });
    expect([unasked.status, unasked.body.apiKey.expiresAt]).toEqual([200, body.apiKey.expiresAt]);
  });
});
