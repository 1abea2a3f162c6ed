// What somebody may try under a trusted issuer's name: test/cases/tokens/foreign.json, through the whole hub.
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JsonObject } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type FreshDatabase, freshDatabase } from '../../harness.ts';
import { type Hub, openHub } from '../../config/app.ts';
import { type IssuerServer, issuerServer, JWKS, jwt, keyPair } from './issuer-server.ts';

type Members = Readonly<Record<string, unknown>>;
interface Case {
  readonly name: string;
  readonly header?: Members;
  readonly payload?: Members;
  readonly payloadText?: string;
  readonly key?: 'first' | 'stranger' | 'second_issuer' | 'rsa' | 'public_as_secret' | 'none';
  readonly expect: string;
}
const { cases } = JSON.parse(readFileSync(join(import.meta.dirname, '../../cases/tokens/foreign.json'), 'utf8')) as { cases: Case[] };

let database: FreshDatabase;
let hub: Hub;
let idp: IssuerServer;
let second: IssuerServer;
let ours: string;
const stranger = keyPair('stranger');
const rsa = keyPair('rsa', 'RS256', { alg: undefined });

beforeAll(async () => {
  database = await freshDatabase();
  hub = await openHub({ POSTGRES_URI: database.uri });
  idp = await issuerServer();
  idp.keys.push(rsa);
  second = await issuerServer();
  second.keys = [keyPair('second')];
  const audiences = ['orders'];
  for (const [name, server, over] of [
    ['idp', idp, { mapping: { requiredClaims: { org: 'acme' } } }],
    ['second', second, {}],
  ] as const)
    await hub.ask('TrustedIssuerService/PutTrustedIssuer', { issuer: { name, issuer: server.url, audiences, ...over } });
  const { keys } = (await hub.ask('TokenService/GetJwks', {}, '')) as unknown as { keys: { kid: string }[] };
  ours = keys[0]?.kid ?? '';
});
afterAll(async () => {
  await Promise.all([hub.stop(), idp.stop(), second.stop()]);
  await database.close();
});

const first = () => idp.keys[0] as (typeof idp.keys)[number];
const filled = (value: unknown): unknown => {
  if (typeof value !== 'string') return value;
  const time = /^@now([+-]\d+)$/.exec(value)?.[1];
  return time === undefined ? value.replace('$issuer', idp.url).replace('$ours', ours) : Math.floor(Date.now() / 1000) + Number(time);
};
const merged = (base: Members, over: Members = {}): Members =>
  Object.fromEntries(
    Object.entries({ ...base, ...over })
      .map(([name, value]) => [name, filled(value)] as const)
      .filter(([, value]) => value !== null && value !== undefined),
  );

const tokenOf = ({ header = {}, payload, payloadText, key = 'first' }: Case): string => {
  const claims = payloadText === undefined ? merged(idp.claims({ org: 'acme' }), payload) : String(filled(payloadText));
  const given = merged({ alg: 'ES256', typ: 'JWT', kid: 'first' }, header);
  const whole = { alg: undefined, typ: undefined, kid: undefined, ...given };
  const pairs = { stranger, second_issuer: second.keys[0], rsa, first: first() };
  if (key !== 'public_as_secret' && key !== 'none') return jwt(pairs[key] ?? stranger, claims, whole);
  const signed = jwt(first(), claims, whole).split('.').slice(0, 2).join('.');
  const secret = JSON.stringify(first().jwk);
  return `${signed}.${key === 'none' ? 'AA' : createHmac('sha256', secret).update(signed).digest('base64url')}`;
};
const validate = (token: string) => hub.ask('SecurityHub/ValidateToken', { token, audience: 'orders' });

describe('a token under a trusted issuer’s name', () => {
  it('is good to begin with', async () => {
    expect(await validate(tokenOf({ name: 'good', expect: '' }))).toMatchObject({ valid: true });
    expect(await validate(tokenOf({ name: 'RSA', header: { alg: 'PS256', kid: 'rsa' }, key: 'rsa', expect: '' }))).toMatchObject({
      valid: false,
    });
    expect(await validate(tokenOf({ name: 'RSA', header: { alg: 'RS256', kid: 'rsa' }, key: 'rsa', expect: '' }))).toMatchObject({
      valid: true,
    });
  });

  it.each(cases)('is refused: $name', async (one) => {
    const token = tokenOf(one);
    const answers = [await validate(token), await validate(token)];
    for (const answer of answers) {
      expect(answer).toMatchObject({ valid: false, verdict: 'VERDICT_INVALID' });
      expect((answer['reasons'] as JsonObject[]).map(({ code }) => code)).toEqual([one.expect]);
    }
    // CheckPermission says the same.
    const decided = await hub.ask('SecurityHub/CheckPermission', { token, action: 'read', resource: { type: 'conversations', id: 'c' } });
    expect([decided['allowed'], decided['reasonCode']]).toEqual([false, one.expect]);
  });

  it('is no credential of a call: the hub itself is not called with it', async () => {
    const token = tokenOf({ name: 'good', expect: '' });
    await expect(hub.ask('UserService/GetUser', {}, token)).rejects.toMatchObject({ code: 'UNAUTHENTICATED', reason: 'TOKEN_TYPE_WRONG' });
  });

  it('longer than 8 KiB is refused unread', async () => {
    const token = tokenOf({ name: 'long', payload: { groups: 'x'.repeat(9000) }, expect: '' });
    expect((await validate(token))['reasons']).toEqual([expect.objectContaining({ code: 'TOKEN_TOO_LARGE' })]);
  });

  it('never made anybody fetch from where it pointed, and its keys only once', () => {
    expect(idp.asked.get(JWKS)).toBe(1);
    expect(second.asked.get(JWKS)).toBeUndefined();
  });
});
