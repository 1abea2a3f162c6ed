import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Call, PeerCertificate } from '../../../src/base/call.ts';
import type { Caller, WorkloadEntry } from '../../../src/base/caller.ts';
import { ValidateTokenRequest, ValidateTokenResponse } from '../../../src/gen/securityhub/v1/security_hub.ts';
import { RequestContext } from '../../../src/gen/securityhub/v1/token.ts';
import type { Claims, Tokens, TokensDoor } from '../../../src/tokens/tokens.ts';
import { dpopKey } from '../../dpop-key.ts';
import { callAs, userCaller, workloadCaller, workloadEntry } from '../../callers.ts';
import { type FreshDatabase, freshDatabase, outcome, type TestClock, testClock, waitFor } from '../../harness.ts';
import { ANNA, OTHER_TENANT, TENANT, type TokensHub, tokensHub, validating } from './hub.ts';

type Asked = Parameters<TokensDoor['exchange']>[0];

let database: FreshDatabase;
let clock: TestClock;
let hub: TokensHub;
let validate: ReturnType<typeof validating>;

const HELD = ['users:read', 'users:write'];

beforeAll(async () => {
  database = await freshDatabase();
  clock = testClock();
  hub = await tokensHub(database, { clock });
  hub.who.users.set(`${TENANT}/usr_bob`, { status: 'active', watermark: 0 });
  const rights = { roles: [], permissions: HELD, holds: (one: string) => HELD.includes(one), validUntil: null, revision: 1 };
  validate = validating(hub, { rights: () => rights });
});
afterAll(async () => {
  await hub.stop();
  await database.close();
});

const entryOf = (name: string, over: Partial<WorkloadEntry> = {}): WorkloadEntry =>
  workloadEntry({
    name,
    audiences: ['security-hub', name],
    calls: ['ExchangeToken', 'ValidateToken'],
    exchangeAudiences: ['orders', 'billing', 'ledger', 'mail', 'print'],
    ...over,
  });
const spiffe = (name: string): string => `spiffe://test/ns/shop/sa/${name}`;
const certificateOf = (name: string): PeerCertificate => ({
  der: Buffer.from(name),
  sha256: 'a'.repeat(64),
  spkiSha256: 'b'.repeat(64),
  spiffeId: spiffe(name),
  serialNumber: '1',
  notBefore: 0,
  notAfter: Number.MAX_SAFE_INTEGER,
});
const by = (name: string, over: Partial<WorkloadEntry> = {}): Call =>
  callAs(workloadCaller(entryOf(name, over)), {
    now: clock.now(),
    peer: { transport: 'tcp', address: '192.0.2.9', loopback: false, certificate: certificateOf(name) },
  });
const as = (caller: Caller): Call => callAs(caller, { now: clock.now() });
const exchange = (subjectToken: string, call: Call, over: Partial<Asked> = {}): Promise<Tokens> =>
  hub.door.exchange({ subjectToken, actorToken: '', audience: '', scopes: [], ttl: 0, binding: '', context: undefined, ...over }, call);
const claimsOf = ({ accessToken }: Pick<Tokens, 'accessToken'>): Claims => {
  const verified = hub.door.verify(accessToken, clock.now());
  if (!verified.ok) throw new Error(verified.reason);
  return verified.claims;
};
const answer = async (token: string, name: string, request: Partial<ValidateTokenRequest> = {}): Promise<ValidateTokenResponse> =>
  ValidateTokenResponse.decode(await validate(ValidateTokenRequest.fromPartial({ token, ...request }), by(name)));

describe('exchanging a token', () => {
  it('says who acts for whom, hand by hand, and is good where it is meant for', async () => {
    const user = await hub.login();
    const first = await exchange(user.accessToken, by('web'), { audience: 'orders' });
    const second = await exchange(first.accessToken, by('orders'), { audience: 'billing' });
    expect(second).toMatchObject({ tokenType: 'Bearer', refreshToken: '', sessionId: user.sessionId });
    // RFC 8693 §4.3: who requested it.
    expect([claimsOf(first).clientId, claimsOf(second).clientId]).toEqual(['shop/web', 'shop/orders']);
    expect(await answer(second.accessToken, 'billing')).toMatchObject({
      valid: true,
      claims: {
        subject: ANNA,
        sessionId: user.sessionId,
        audience: ['billing'],
        actor: [
          { subject: spiffe('orders'), issuer: '' },
          { subject: spiffe('web'), issuer: '' },
        ],
      },
      subject: { type: 'user', id: ANNA },
    });
    expect((await answer(second.accessToken, 'web')).reasons).toMatchObject([{ code: 'AUDIENCE_MISMATCH' }]);
  });

  it('names the actor of an actor token', async () => {
    const bob = await hub.login({ userId: 'usr_bob' });
    const tokens = await exchange((await hub.login()).accessToken, by('web'), { actorToken: bob.accessToken });
    expect(claimsOf(tokens).delegation?.actors).toEqual([{ subject: 'usr_bob', issuer: '' }]);
  });

  it('lives no longer than the actor token', async () => {
    const bob = await hub.mint(20_000, { userId: 'usr_bob', ipAddress: '' });
    const tokens = await exchange((await hub.login()).accessToken, by('web'), { actorToken: bob.accessToken });
    expect(tokens.expiresAt).toBe(bob.expiresAt);
  });

  it('keeps one event a hop, with the whole chain', async () => {
    const user = await hub.login();
    const first = await exchange(user.accessToken, by('web'), { audience: 'orders' });
    const second = await exchange(first.accessToken, by('orders'), { audience: 'billing', scopes: ['users:read'] });
    const events = hub.platform.audit.entries.filter((entry) => entry.sessionId === user.sessionId && entry.type === 'token.exchanged');
    expect(events).toHaveLength(2);
    expect(events[1]).toMatchObject({
      actor: { type: 'service', id: 'shop/orders' },
      resource: `token:${second.tokenId}`,
      details: {
        subject: ANNA,
        parent: first.tokenId,
        actors: [spiffe('orders'), spiffe('web')],
        audience: ['billing'],
        scopes: ['users:read'],
      },
    });
    expect(JSON.stringify(events)).not.toContain(second.accessToken);
  });

  it('caps what the subject may do by the scopes that are left', async () => {
    const user = await hub.login({ scopes: ['users:*'] });
    const narrow = await exchange(user.accessToken, by('web'), { scopes: ['users:read'] });
    expect(narrow.scope).toBe('users:read');
    const verdict = await answer(narrow.accessToken, 'web', { requiredPermissions: ['users:write'] });
    expect(verdict.reasons).toMatchObject([{ code: 'PERMISSION_MISSING' }]);
    expect(verdict.subject?.permissions).toEqual(['users:read']);
    expect(await outcome(exchange(narrow.accessToken, by('web'), { scopes: ['users:write'] }))).toBe('PERMISSION_DENIED/SCOPE_MISSING');
    expect(await outcome(exchange(narrow.accessToken, by('web'), { scopes: ['*'] }))).toBe('PERMISSION_DENIED/SCOPE_MISSING');
    expect((await exchange(narrow.accessToken, by('web'))).scope).toBe('users:read');
  });

  it('lives no longer than the token it is made from, nor than an access token, nor than asked', async () => {
    const development = await hub.mint(43_200_000, { ipAddress: '' });
    expect((await exchange(development.accessToken, by('web'))).expiresIn).toBe(300);
    const brief = await exchange(development.accessToken, by('web'), { ttl: 20_000 });
    expect(brief.expiresIn).toBe(20);
    expect((await exchange(brief.accessToken, by('web'), { ttl: 300_000 })).expiresAt).toBe(brief.expiresAt);
  });

  it.each<[string, (user: Tokens, child: Tokens) => Promise<unknown>, string]>([
    ['the session', (user) => hub.door.revokeSession(TENANT, user.sessionId, '', 0, as(userCaller(TENANT, ANNA))), 'SESSION_ENDED'],
    ['the family', (user) => revoke(user.accessToken, 'family'), 'TOKEN_REVOKED'],
    ['the token it was made from', (user) => revoke(user.accessToken, 'token'), 'TOKEN_REVOKED'],
    ['all of the user', () => hub.door.revokeUser(TENANT, ANNA, '', 0, as(userCaller(TENANT, ANNA))), 'TOKEN_REVOKED'],
    [
      'the client it was given to',
      () => hub.door.revokeClient(TENANT, 'default/shop', '', 0, as(userCaller(TENANT, 'usr_root'))),
      'TOKEN_REVOKED',
    ],
    [
      'the client it was made from',
      () => hub.door.revokeClient(TENANT, 'first-party', '', 0, as(userCaller(TENANT, 'usr_root'))),
      'TOKEN_REVOKED',
    ],
    ['itself', (_, child) => revoke(child.accessToken, 'token'), 'TOKEN_REVOKED'],
  ])('ends with %s', async (_, end, reason) => {
    const user = await hub.login();
    const child = await exchange(user.accessToken, by('shop', { namespace: 'default' }));
    const grandchild = await exchange(child.accessToken, by('web'));
    await end(user, child);
    for (const one of [child, grandchild]) expect((await answer(one.accessToken, 'web')).reasons).toMatchObject([{ code: reason }]);
    expect(await outcome(exchange(child.accessToken, by('web')))).toBe(`INVALID_ARGUMENT/${reason}`);
  });
  const revoke = (token: string, scope: 'token' | 'family' | null, call = as(userCaller(TENANT, 'usr_bob'))) =>
    hub.door.revoke({ tenantId: '', token, tokenId: '', scope, reason: '', revokedBy: '', wait: 0 }, call);

  it('gives whoever acts no power over the session: showing its token ends that token alone', async () => {
    const user = await hub.login();
    const child = await exchange(user.accessToken, by('web'));
    expect(await outcome(revoke(child.accessToken, 'family'))).toBe('PERMISSION_DENIED/PERMISSION_MISSING');
    await revoke(child.accessToken, null);
    expect((await answer(child.accessToken, 'web')).valid).toBe(false);
    expect((await answer(user.accessToken, 'web')).valid).toBe(true);
    const acting = userCaller(TENANT, ANNA, { delegated: true });
    expect(await outcome(hub.door.revokeUser(TENANT, ANNA, '', 0, as(acting)))).toBe('PERMISSION_DENIED/PERMISSION_MISSING');
  });

  it('stops at the allowed depth', async () => {
    let { accessToken } = await hub.login();
    for (let hop = 0; hop < 4; hop++) ({ accessToken } = await exchange(accessToken, by('web')));
    expect(claimsOf({ accessToken }).delegation?.actors).toHaveLength(4);
    expect(await outcome(exchange(accessToken, by('web')))).toBe('FAILED_PRECONDITION/DELEGATION_TOO_DEEP');
  });

  it('is off where TOKEN_EXCHANGE_DEPTH is 0', async () => {
    const off = await tokensHub(database, { clock, config: { exchangeDepth: 0 } });
    const asked = {
      subjectToken: (await hub.login()).accessToken,
      actorToken: '',
      audience: '',
      scopes: [],
      ttl: 0,
      binding: '',
      context: undefined,
    };
    expect(await outcome(off.door.exchange(asked, by('web')))).toBe('FAILED_PRECONDITION/EXCHANGE_OFF');
    await off.stop();
  });

  it.each<[string, () => Promise<unknown>, string]>([
    [
      'a user without the permission',
      async () => exchange((await hub.login()).accessToken, as(userCaller(TENANT, 'usr_bob'))),
      'PERMISSION_DENIED/PERMISSION_MISSING',
    ],
    [
      'an audience nobody registered',
      async () => exchange((await hub.login()).accessToken, by('web'), { audience: 'payroll' }),
      'PERMISSION_DENIED/AUDIENCE_FORBIDDEN',
    ],
    [
      'a token meant for somebody else',
      async () => exchange((await hub.login({ audience: ['mail'] })).accessToken, by('web')),
      'INVALID_ARGUMENT/AUDIENCE_MISMATCH',
    ],
    [
      'a token of another tenant',
      async () => exchange((await hub.login({ tenantId: OTHER_TENANT, userId: 'usr_olaf' })).accessToken, by('web')),
      'PERMISSION_DENIED/TENANT_FORBIDDEN',
    ],
    ['a refresh token', async () => exchange((await hub.login()).refreshToken, by('web')), 'INVALID_ARGUMENT/TOKEN_MALFORMED'],
    ['no token', async () => exchange('', by('web')), 'INVALID_ARGUMENT/TOKEN_MALFORMED'],
    [
      'a bad actor token',
      async () => exchange((await hub.login()).accessToken, by('web'), { actorToken: 'x.y.z' }),
      'INVALID_ARGUMENT/TOKEN_MALFORMED',
    ],
    [
      'an actor of another tenant',
      async () => {
        const { accessToken: actorToken } = await hub.login({ tenantId: OTHER_TENANT, userId: 'usr_olaf' });
        return exchange((await hub.login()).accessToken, by('web', { tenants: [OTHER_TENANT] }), { actorToken });
      },
      'PERMISSION_DENIED/TENANT_FORBIDDEN',
    ],
    [
      'an actor token meant for somebody else',
      async () => {
        const { accessToken: actorToken } = await hub.login({ userId: 'usr_bob', audience: ['mail'] });
        return exchange((await hub.login()).accessToken, by('web'), { actorToken });
      },
      'INVALID_ARGUMENT/AUDIENCE_MISMATCH',
    ],
    [
      'an actor token of somebody who acts for another',
      async () => {
        const { accessToken: actorToken } = await exchange((await hub.login({ userId: 'usr_bob' })).accessToken, by('web'));
        return exchange((await hub.login()).accessToken, by('web'), { actorToken });
      },
      'INVALID_ARGUMENT/REQUEST_INVALID',
    ],
    [
      'an actor token bound to another address',
      async () => {
        const { accessToken: actorToken } = await hub.login({ userId: 'usr_bob', bindAddress: true });
        return exchange((await hub.login()).accessToken, by('web'), { actorToken });
      },
      'INVALID_ARGUMENT/IP_MISMATCH',
    ],
    [
      'an actor token bound to a key of somebody else',
      async () => {
        const confirmation = { x5tS256: '', spkiSha256: 'x'.repeat(43), spiffeId: '', jkt: '', other: false };
        const { accessToken: actorToken } = await hub.login({ userId: 'usr_bob', confirmation });
        return exchange((await hub.login()).accessToken, by('web'), { actorToken });
      },
      'INVALID_ARGUMENT/BINDING_MISMATCH',
    ],
  ])('refuses %s', async (_, work, expected) => {
    expect(await outcome(work())).toBe(expected);
  });

  it('refuses an expired token and one of a suspended user', async () => {
    const user = await hub.login();
    hub.who.users.set(`${TENANT}/${ANNA}`, { status: 'suspended', watermark: 0 });
    expect(await outcome(exchange(user.accessToken, by('web')))).toBe('INVALID_ARGUMENT/SUBJECT_SUSPENDED');
    hub.who.users.set(`${TENANT}/${ANNA}`, { status: 'active', watermark: 0 });
    clock.advance(300_000);
    await waitFor(() => hub.platform.feed.age() < 300_000, 5000, 'the next poll of the feed');
    expect(await outcome(exchange(user.accessToken, by('web')))).toBe('INVALID_ARGUMENT/TOKEN_EXPIRED');
  });

  it('lets a gateway exchange for any audience', async () => {
    const gateway = by('edge', { anyAudience: true, audiences: [], exchangeAudiences: [] });
    const tokens = await exchange((await hub.login({ audience: ['mail'] })).accessToken, gateway, { audience: 'payroll' });
    expect(claimsOf(tokens).audience).toEqual(['payroll']);
    const { accessToken: actorToken } = await hub.login({ userId: 'usr_bob', audience: ['mail'] });
    const acting = await exchange((await hub.login({ audience: ['mail'] })).accessToken, gateway, { actorToken });
    expect(claimsOf(acting).delegation?.actors).toEqual([{ subject: 'usr_bob', issuer: '' }]);
  });
});

describe('exchanging a bound token', () => {
  const certificate = 'c'.repeat(64);
  const bound = (): Promise<Tokens> =>
    hub.login({
      confirmation: { x5tS256: Buffer.from(certificate, 'hex').toString('base64url'), spkiSha256: '', spiffeId: '', jkt: '', other: false },
    });
  const context = (over: Partial<RequestContext>) => RequestContext.fromPartial(over);

  it('needs what its presenter showed, and gives a token bound to the actor', async () => {
    const user = await bound();
    expect(await outcome(exchange(user.accessToken, by('web')))).toBe('INVALID_ARGUMENT/BINDING_MISSING');
    const other = context({ peerCertificateSha256: 'd'.repeat(64) });
    expect(await outcome(exchange(user.accessToken, by('web'), { context: other }))).toBe('INVALID_ARGUMENT/BINDING_MISMATCH');
    const child = await exchange(user.accessToken, by('web'), { context: context({ peerCertificateSha256: certificate }) });
    expect(claimsOf(child).confirmation).toMatchObject({ spiffeId: spiffe('web'), x5tS256: '' });
  });

  it('gives none to an actor that shows nothing to bind to', async () => {
    const user = await bound();
    hub.who.powerful.add('usr_bob');
    expect(await outcome(exchange(user.accessToken, as(userCaller(TENANT, 'usr_bob'))))).toBe('INVALID_ARGUMENT/BINDING_MISSING');
    hub.who.powerful.delete('usr_bob');
  });

  it('takes a DPoP proof that was used for the verdict, once', async () => {
    const key = await dpopKey(() => clock.now());
    const uri = 'https://web.test/shop.Web/Show';
    const user = await hub.login({ confirmation: { x5tS256: '', spkiSha256: '', spiffeId: '', jkt: key.jkt, other: false } });
    const shown = context({ dpopProof: await key.proof(uri, user.accessToken), httpMethod: 'POST', httpUri: uri });
    expect((await answer(user.accessToken, 'web', { context: shown })).valid).toBe(true);
    expect(await outcome(exchange(user.accessToken, by('web'), { context: shown }))).toBe('OK');
    expect(await outcome(exchange(user.accessToken, by('web'), { context: shown }))).toBe('INVALID_ARGUMENT/DPOP_PROOF_REPLAYED');
  });

  it('takes one bound to an address from there, or by the word of who may speak of addresses', async () => {
    const { accessToken } = await hub.login({ bindAddress: true });
    const said = context({ ipAddress: '192.0.2.1' });
    expect(await outcome(exchange(accessToken, by('web')))).toBe('INVALID_ARGUMENT/IP_MISMATCH');
    expect(await outcome(exchange(accessToken, by('web'), { context: said }))).toBe('INVALID_ARGUMENT/IP_MISMATCH');
    const there = by('web');
    expect(await outcome(exchange(accessToken, { ...there, peer: { ...there.peer, address: '192.0.2.1' } }))).toBe('OK');
    const believed = { ...as(userCaller(TENANT, 'usr_bob')), peer: there.peer };
    hub.who.powerful.add('usr_bob');
    expect(await outcome(exchange(accessToken, believed, { context: said }))).toBe('OK');
    expect(await outcome(exchange(accessToken, believed))).toBe('INVALID_ARGUMENT/IP_MISMATCH');
    hub.who.powerful.delete('usr_bob');
  });

  it('binds to the actor’s own key when asked', async () => {
    const user = await hub.login();
    const child = await exchange(user.accessToken, by('web'), { binding: 'public_key' });
    expect(claimsOf(child).confirmation).toMatchObject({ spkiSha256: Buffer.from('b'.repeat(64), 'hex').toString('base64url') });
  });
});
