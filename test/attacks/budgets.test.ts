// One caller that costs too much: it is refused, with when to come back, and nobody else notices. Through the whole hub, on a clock that stands still.
import { randomBytes } from 'node:crypto';
import type { JsonObject } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createBudgets } from '../../src/server/rpc/budgets.ts';
import type { Fault } from '../../src/base/fault.ts';
import { type Hub, openHub } from '../config/app.ts';
import { dpopKey } from '../dpop-key.ts';
import { userCaller } from '../callers.ts';
import { type FreshDatabase, freshDatabase, testClock, waitFor } from '../harness.ts';
import { type IssuerServer, issuerServer, keyPair } from '../rpc/issuers/issuer-server.ts';

/** A budget holds ten seconds' worth. */
const BURST = 10;
const clock = testClock();
let database: FreshDatabase;
let hub: Hub;
let idp: IssuerServer;
/** The administrator, by a key of another than the one whose budget is used up. */
let other: string;

const outcome = (work: Promise<unknown>): Promise<Fault | null> =>
  work.then(
    () => null,
    (thrown: unknown) => thrown as Fault,
  );
const NOBODY = { code: 'NOT_FOUND', reason: 'SESSION_NOT_FOUND' };
const LIMITED = { code: 'RESOURCE_EXHAUSTED', reason: 'BUDGET_EXHAUSTED' };

/** Until refused, at most so often. */
const exhaust = async (
  most: number,
  call: (at: number) => Promise<unknown>,
): Promise<{ readonly given: number; readonly fault: Fault | null }> => {
  for (let given = 0; given < most; given += 1) {
    const fault = await outcome(call(given));
    if (fault?.reason === 'BUDGET_EXHAUSTED') return { given, fault };
  }
  return { given: most, fault: null };
};

beforeAll(async () => {
  database = await freshDatabase();
  hub = await openHub(
    {
      POSTGRES_URI: database.uri,
      COLD_VALIDATIONS_PER_SECOND: '2',
      KEY_MISSES_PER_SECOND: '1',
      DPOP_PROOFS_PER_SECOND: '1',
      REVOKES_PER_SECOND: '1',
      ISSUES_PER_SECOND: '1',
      LOGINS_PER_SECOND: '1',
      BATCHES_PER_CALLER: '2',
      WAITING_REVOKES_PER_CALLER: '1',
      CERT_ALLOW_GENERATED_KEYS: 'true',
      MAX_LOGIN_ATTEMPTS: '100',
    },
    { clock },
  );
  idp = await issuerServer();
  await hub.ask('TrustedIssuerService/PutTrustedIssuer', { issuer: { name: 'idp', issuer: idp.url, audiences: ['orders'] } });
  const made = await hub.ask('ApiKeyService/CreateApiKey', { name: 'other', permissions: ['*:*'] });
  other = made['secret'] as string;
});
afterAll(async () => {
  await Promise.all([hub.stop(), idp.stop()]);
  await database.close();
});

/** One of ours with another signature each time: its key is known, so it costs a check. */
const forged = (): string => {
  const [header, payload] = hub.bootstrap.access_token.split('.');
  return `${header}.${payload}.${randomBytes(64).toString('base64url')}`;
};
const validate = (token: string, credential?: string): Promise<JsonObject> => hub.ask('SecurityHub/ValidateToken', { token }, credential);

describe('a caller that has used up its part', () => {
  it('COLD_VALIDATIONS_PER_SECOND bounds the signatures that are checked for it; what was seen before costs none', async () => {
    await validate(hub.bootstrap.access_token, other);
    const { given, fault } = await exhaust(100, () => validate(forged()));
    expect(fault).toMatchObject({ ...LIMITED, meta: { budget: 'cold' }, retryAfter: 500 });
    expect(given).toBe(2 * BURST);
    expect(await validate(hub.bootstrap.access_token)).toMatchObject({ valid: true });
    expect(await validate(forged(), other)).toMatchObject({ valid: false });
    expect(
      await outcome(hub.ask('SecurityHub/BatchCheck', { checks: [{ action: 'read', resource: { type: 'user' }, token: forged() }] })),
    ).toMatchObject(LIMITED);
    clock.advance(500);
    expect(await validate(forged())).toMatchObject({ valid: false });
    expect(await outcome(validate(forged()))).toMatchObject(LIMITED);
  });

  it('a stranger pays by its address for the credentials it shows', async () => {
    const { fault } = await exhaust(100, () => hub.ask('UserService/ListUsers', {}, forged()));
    expect(fault).toMatchObject({ ...LIMITED, meta: { budget: 'cold' } });
    expect(await outcome(hub.ask('UserService/ListUsers', {}))).toBeNull();
  });

  it('KEY_MISSES_PER_SECOND bounds the keys that an issuer is asked for', async () => {
    clock.advance(60_000);
    const unknown = keyPair('unknown');
    const token = (at: number) => idp.token({}, { ...unknown, kid: `unknown-${at}` });
    const asked = Array.from({ length: 30 }, (_, at) => outcome(validate(token(at), other)));
    const faults = await Promise.all(asked);
    expect(
      faults.filter((fault) => fault?.reason === 'BUDGET_EXHAUSTED' && fault.meta['budget'] === 'key_miss').length,
    ).toBeGreaterThanOrEqual(20);
  });

  it('DPOP_PROOFS_PER_SECOND bounds the proofs that are checked for it', async () => {
    clock.advance(60_000);
    const { tenant_id: tenantId, username, password } = hub.bootstrap;
    const uri = (rpc: string) => `https://127.0.0.1/securityhub.v1.${rpc}`;
    const [mine, thief] = [await dpopKey(clock.now), await dpopKey(clock.now)];
    const shown = (dpop: string) => ({ dpop, ':authority': '127.0.0.1' });
    const login = 'AuthenticationService/Login';
    const answer = await hub.ask(login, { tenantId, username, password }, '', shown(await mine.proof(uri(login))));
    const token = (answer as { readonly tokens: { readonly accessToken: string } }).tokens.accessToken;
    const list = 'UserService/ListUsers';
    const call = async (by: typeof mine) => {
      const dpop = await by.proof(uri(list), token);
      return hub.ask(list, {}, '', { ...shown(dpop), authorization: `DPoP ${token}` });
    };
    expect(await outcome(call(mine))).toBeNull();
    const { given, fault } = await exhaust(100, () => call(thief));
    expect([given, fault?.meta['budget']]).toEqual([BURST - 1, 'proof']);
    expect(await outcome(hub.ask(list, {}, other))).toBeNull();
    clock.advance(1000);
    expect(await outcome(call(mine))).toBeNull();
  });

  it('REVOKES_PER_SECOND bounds its revocations; those that wait have as many of their own, and those of others go on', async () => {
    const revoke = (more: JsonObject = {}, credential?: string) =>
      hub.ask('TokenService/RevokeSession', { sessionId: 'ses_nobody', ...more }, credential);
    const { given, fault } = await exhaust(100, () => revoke());
    expect([given, fault?.meta['budget']]).toEqual([BURST, 'revoke']);
    expect(await outcome(revoke({ wait: '0.001s' }))).toMatchObject(NOBODY);
    expect(await outcome(revoke({}, other))).toMatchObject(NOBODY);
    const waiting = await exhaust(100, () => revoke({ wait: '0.001s' }));
    expect(waiting.fault?.meta['budget']).toBe('revoke_wait');
  });

  it('ISSUES_PER_SECOND bounds its certificates', async () => {
    const issue = (credential?: string) =>
      hub.ask('SecurityHub/IssueServiceCert', { service: 'billing', namespace: 'default', generateKey: {} }, credential);
    const { given, fault } = await exhaust(100, () => issue());
    expect([given, fault?.meta['budget']]).toEqual([BURST, 'issue']);
    expect(await outcome(issue(other))).toBeNull();
  });

  it('LOGINS_PER_SECOND bounds the logins of one address', async () => {
    const { tenant_id: tenantId, username } = hub.bootstrap;
    const { given, fault } = await exhaust(100, () =>
      hub.ask('AuthenticationService/Login', { tenantId, username, password: 'wrong' }, ''),
    );
    expect([given, fault?.meta['budget']]).toEqual([BURST, 'login']);
  });

  it('health answers all the same', async () => {
    expect((await hub.ready()).status).toBe(200);
  });
});

describe('calls of one caller under way', () => {
  it('WAITING_REVOKES_PER_CALLER bounds the revocations that wait for other replicas', async () => {
    clock.advance(60_000);
    const { tenant_id: tenantId, username, password } = hub.bootstrap;
    const login = async (): Promise<string> => {
      const answer = await hub.ask('AuthenticationService/Login', { tenantId, username, password }, '');
      return (answer as { readonly tokens: { readonly accessToken: string } }).tokens.accessToken;
    };
    const tokens = [await login(), await login()];
    const both = tokens.map((token) => outcome(hub.ask('TokenService/RevokeToken', { token, wait: '5s' })));
    const faults = (await Promise.all(both)).filter((fault) => fault !== null);
    expect(faults).toMatchObject([{ code: 'RESOURCE_EXHAUSTED', reason: 'TOO_MANY_IN_FLIGHT' }]);
    await waitFor(async () => (await outcome(hub.ask('TokenService/RevokeToken', { token: tokens[1] ?? '', wait: '5s' }))) === null, 1000);
  });

  it('BATCHES_PER_CALLER bounds the batches', async () => {
    const checks = Array.from({ length: 1000 }, (_, at) => ({ action: 'read', resource: { type: 'user' }, subject: { id: `usr_${at}` } }));
    const batches = Array.from({ length: 3 }, () => outcome(hub.ask('SecurityHub/BatchCheck', { checks })));
    const faults = (await Promise.all(batches)).filter((fault) => fault !== null);
    expect(faults).toMatchObject([{ code: 'RESOURCE_EXHAUSTED', reason: 'TOO_MANY_IN_FLIGHT' }]);
    expect(await outcome(hub.ask('SecurityHub/BatchCheck', { checks }))).toBeNull();
  });
});

describe('the memory of budgets', () => {
  it('is bounded however many come, and a crowd of strangers makes no caller forgotten', () => {
    const rates = { cold: 1, key_miss: 1, proof: 1, revoke: 1, issue: 1, login: 1 };
    const { pay, ...budgets } = createBudgets({ monotonic: () => 0 }, rates);
    const peer = (address: string) => ({ transport: 'tcp', address, loopback: false, certificate: null }) as const;
    const caller = userCaller('acme', 'usr_greedy');
    for (let at = 0; at < BURST; at += 1) pay('cold', { caller, peer: peer('192.0.2.1') });
    for (let at = 0; at < 50_000; at += 1) pay('cold', { peer: peer(`10.${at >> 16}.${(at >> 8) & 255}.${at & 255}`) });
    expect(budgets.size).toBeLessThanOrEqual(20_001);
    expect(() => pay('cold', { caller, peer: peer('192.0.2.1') })).toThrow(expect.objectContaining(LIMITED));
  });

  it('knows all addresses of one IPv6 line as one stranger', () => {
    const { pay } = createBudgets({ monotonic: () => 0 }, { cold: 1, key_miss: 1, proof: 1, revoke: 1, issue: 1, login: 1 });
    const from = (at: number) =>
      pay('login', { peer: { transport: 'tcp', address: `2001:db8::${at.toString(16)}`, loopback: false, certificate: null } });
    for (let at = 1; at <= BURST; at += 1) from(at);
    expect(() => from(BURST + 1)).toThrow(expect.objectContaining(LIMITED));
  });
});
