import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Caller, WorkloadEntry } from '../../../src/base/caller.ts';
import { ValidateTokenRequest, ValidateTokenResponse } from '../../../src/gen/securityhub/v1/security_hub.ts';
import { Verdict } from '../../../src/gen/securityhub/v1/token.ts';
import { DEFAULT_POLICY } from '../../../src/identity/policy.ts';
import type { LiveRights } from '../../../src/hub/verdict.ts';
import { callAs, userCaller, workloadCaller, workloadEntry } from '../../callers.ts';
import { type FreshDatabase, freshDatabase, type TestClock, testClock, waitFor } from '../../harness.ts';
import { ANNA, OTHER_TENANT, TENANT, type TokensHub, tokensHub, validating } from './hub.ts';

type Asked = Partial<ValidateTokenRequest>;

let database: FreshDatabase;
let clock: TestClock;
let hub: TokensHub;
let validate: ReturnType<typeof validating>;
/** Live rights by subject id; a change is another object, as the authorization capability makes it. */
const rights = new Map<string, LiveRights>();
let changes = 0;
/** As it comes to a replica: with a number of the feed. */
const become = (id: string, now: LiveRights): void => {
  changes += 1;
  rights.set(id, now);
};
/** To that instant, with news as fresh as before. */
const jump = async (to: number): Promise<void> => {
  clock.set(to);
  await waitFor(() => hub.platform.feed.age() < 5000, 5000, 'a poll');
};
/** What callers hold. */
const held = new Set<string>();

const rightsTo = (...permissions: string[]): LiveRights => ({
  roles: ['user'],
  permissions,
  holds: (permission) => permissions.includes(permission),
  validUntil: null,
  revision: 3,
});

beforeAll(async () => {
  database = await freshDatabase();
  clock = testClock();
  hub = await tokensHub(database, { clock });
  validate = validating(hub, {
    feed: { ...hub.platform.feed, applied: () => changes },
    rights: (_, { id }) => rights.get(id) ?? rightsTo(),
    holds: (_, permission) => held.has(permission),
    apiKeys: {
      verify: (secret) =>
        secret === 'shk_good'
          ? {
              ok: true,
              key: { tenantId: TENANT, keyId: 'key_1', ownerId: ANNA, permissions: ['users:read'], scopes: [], expiresAt: null },
            }
          : { ok: false, reason: 'TOKEN_REVOKED' },
    },
    certificates: { validate: async () => ({ ok: false, reason: 'CERTIFICATE_INVALID', message: 'not one of ours' }) },
  });
});
afterAll(async () => {
  await hub.stop();
  await database.close();
});
afterEach(() => {
  held.clear();
  rights.clear();
  changes += 1;
  hub.who.users.set(`${TENANT}/${ANNA}`, { status: 'active', watermark: 0 });
  hub.who.tenants.set(TENANT, { status: 'active', watermark: 0 });
});

const orders = (over: Partial<WorkloadEntry> = {}): Caller =>
  workloadCaller(workloadEntry({ audiences: ['security-hub'], calls: ['ValidateToken'], ...over }));
const ask = (asked: Asked, caller: Caller = orders()) =>
  validate(ValidateTokenRequest.fromPartial(asked), callAs(caller, { now: clock.now() }));
const answer = async (asked: Asked, caller?: Caller): Promise<ValidateTokenResponse> =>
  ValidateTokenResponse.decode(await ask(asked, caller));
const codes = async (asked: Asked, caller?: Caller): Promise<readonly string[]> => {
  const { valid, verdict, reasons } = await answer(asked, caller);
  expect(valid).toBe(reasons.length === 0);
  expect(verdict).toBe(valid ? 1 : 2);
  return reasons.map((reason) => reason.code);
};
const token = async (over: Parameters<TokensHub['login']>[0] = {}): Promise<string> => (await hub.login(over)).accessToken;

describe('ValidateToken', () => {
  it('says who it is, what it may do now, as of when, and how long that may be kept', async () => {
    become(ANNA, rightsTo('users:read', 'users:write'));
    const given = await answer({ token: await token({ scopes: ['users:read'] }) });
    expect(given).toMatchObject({
      valid: true,
      verdict: 1,
      reasons: [],
      warnings: [],
      tokenType: 1,
      claims: {
        issuer: 'https://security-hub.internal',
        subject: ANNA,
        tenantId: TENANT,
        audience: ['security-hub'],
        scopes: ['users:read'],
        permissions: ['conversations:read', 'conversations:write'],
        role: 'user',
        authMethod: 'password',
        riskLevel: 'low',
        acr: 'aal1',
        amr: ['pwd'],
      },
      subject: { type: 'user', id: ANNA, tenantId: TENANT, roles: ['user'], permissions: ['users:read'], status: 'active' },
      risk: { level: 'low' },
      policyRevision: 3,
      degraded: false,
    });
    const at = (stamp: { seconds: number; nanos: number } | undefined) => (stamp?.seconds ?? 0) * 1000 + (stamp?.nanos ?? 0) / 1e6;
    expect(at(given.asOf)).toBe(clock.now());
    expect(at(given.freshUntil)).toBe(clock.now() + 2000);
    expect(given.revocationSeq).toBe(hub.platform.feed.cursor());
  });

  it('answers a token it has seen at once, with every store away', async () => {
    const gone = await tokensHub(database, { clock });
    const seen = (await gone.login()).accessToken;
    const by = validating(gone, { rights: () => rightsTo() });
    const request = ValidateTokenRequest.fromPartial({ token: seen });
    const first = by(request, callAs(orders(), { now: clock.now() }));
    expect(Buffer.isBuffer(first)).toBe(true);
    await gone.stop();
    const second = by(request, callAs(orders(), { now: clock.now() }));
    expect(Buffer.isBuffer(second) && ValidateTokenResponse.decode(second).valid).toBe(true);
  });

  it('asks for the scopes of this request, whatever an earlier one was told', async () => {
    const narrow = await token({ scopes: ['users:read'] });
    expect(await codes({ token: narrow, requiredScopes: ['users:read'] })).toEqual([]);
    expect(await codes({ token: narrow, requiredScopes: ['users:read', 'users:write'] })).toEqual(['SCOPE_MISSING']);
    expect(await codes({ token: narrow })).toEqual([]);
  });

  it('decides permissions on live rights, never on the claims', async () => {
    const shown = await token();
    const asked = { token: shown, requiredPermissions: ['conversations:read'] };
    expect(await codes(asked)).toEqual(['PERMISSION_MISSING']);
    become(ANNA, rightsTo('conversations:read'));
    expect(await codes(asked)).toEqual([]);
    become(ANNA, rightsTo());
    expect(await codes(asked)).toEqual(['PERMISSION_MISSING']);
    expect((await answer({ token: shown })).subject?.permissions).toEqual([]);
  });

  it('caps live rights by the scopes of the token', async () => {
    become(ANNA, rightsTo('users:read', 'users:write'));
    const narrow = await token({ scopes: ['users:read'] });
    expect(await codes({ token: narrow, requiredPermissions: ['users:read'] })).toEqual([]);
    expect(await codes({ token: narrow, requiredPermissions: ['users:write'] })).toEqual(['PERMISSION_MISSING']);
  });

  it('refuses what was revoked, at once and for good', async () => {
    const tokens = await hub.login();
    expect(await codes({ token: tokens.accessToken })).toEqual([]);
    const caller = userCaller(TENANT, ANNA);
    await hub.door.revoke(
      { tenantId: '', token: tokens.accessToken, tokenId: '', scope: null, reason: '', revokedBy: '', wait: 0 },
      callAs(caller, { now: clock.now() }),
    );
    expect(await codes({ token: tokens.accessToken })).toEqual(['TOKEN_REVOKED']);
  });

  it.each([
    ['a suspended user', () => hub.who.users.set(`${TENANT}/${ANNA}`, { status: 'suspended', watermark: 0 }), 'SUBJECT_SUSPENDED'],
    ['a user who is gone', () => hub.who.users.delete(`${TENANT}/${ANNA}`), 'SUBJECT_SUSPENDED'],
    ['a suspended tenant', () => hub.who.tenants.set(TENANT, { status: 'suspended', watermark: 0 }), 'TENANT_SUSPENDED'],
    [
      'a session older than its user’s watermark',
      () => hub.who.users.set(`${TENANT}/${ANNA}`, { status: 'active', watermark: 1e9 }),
      'SESSION_ENDED',
    ],
  ])('refuses %s', async (_, change, code) => {
    const tokens = await hub.login();
    change();
    expect(await codes({ token: tokens.accessToken })).toEqual([code]);
  });

  it('gives grace to an expired token when asked, and says so', async () => {
    const tokens = await hub.login();
    const after = tokens.expiresAt - clock.now() + 5000;
    clock.advance(after);
    await waitFor(() => hub.platform.feed.age() < after, 5000, 'the next poll of the feed');
    const asked = { token: tokens.accessToken };
    expect(await answer(asked)).toMatchObject({ valid: false, reasons: [{ code: 'TOKEN_EXPIRED' }], claims: { subject: ANNA } });
    const graced = await answer({ ...asked, grace: { seconds: 10, nanos: 0 } });
    expect(graced).toMatchObject({ valid: true, warnings: [{ code: 'TOKEN_EXPIRED_IN_GRACE' }] });
  });

  it('checks a workload against its registered audiences, named or not', async () => {
    const orders1 = await token({ audience: ['orders'] });
    const caller = orders({ audiences: ['orders', 'carts'] });
    expect(await codes({ token: orders1 }, caller)).toEqual([]);
    expect(await codes({ token: orders1, audience: 'orders' }, caller)).toEqual([]);
    expect(await codes({ token: orders1, audience: 'carts' }, caller)).toEqual(['AUDIENCE_MISMATCH']);
    expect(await codes({ token: orders1 }, orders())).toEqual(['AUDIENCE_MISMATCH']);
    expect(() => ask({ token: orders1, audience: 'billing' }, caller)).toThrow(expect.objectContaining({ reason: 'AUDIENCE_FORBIDDEN' }));
    expect(await codes({ token: orders1 }, orders({ audiences: [], anyAudience: true }))).toEqual([]);
  });

  it('shows the claims of a token for somebody else to token:inspect only', async () => {
    const billing = await token({ audience: ['billing'] });
    expect(await answer({ token: billing })).toMatchObject({ valid: false, claims: undefined, subject: undefined });
    held.add('token:inspect');
    expect(await answer({ token: billing })).toMatchObject({ valid: false, claims: { subject: ANNA, audience: ['billing'] } });
  });

  it('warns a user who says for nobody whom the token must be meant', async () => {
    const anna = userCaller(TENANT, ANNA);
    const good = await token();
    expect(await answer({ token: good }, anna)).toMatchObject({ valid: true, warnings: [{ code: 'AUDIENCE_UNCHECKED' }] });
    expect(await answer({ token: good, audience: 'security-hub' }, anna)).toMatchObject({ valid: true, warnings: [] });
  });

  it('says nothing of a token of a foreign tenant, but to whoever may ask about it', async () => {
    const foreign = await token({ tenantId: OTHER_TENANT, userId: 'usr_olaf' });
    expect(await answer({ token: foreign })).toMatchObject({
      valid: false,
      reasons: [{ code: 'DENIED_TENANT' }],
      claims: undefined,
      subject: undefined,
    });
    expect(await codes({ token: foreign }, orders({ tenants: [OTHER_TENANT] }))).toEqual([]);
    held.add('installation:tenants');
    expect(await codes({ token: foreign })).toEqual([]);
  });

  it('binds a token to its address as far as the caller’s word is believed', async () => {
    const bound = await token({ ipAddress: '192.0.2.7', bindAddress: true });
    const from = (ipAddress: string) => ({ token: bound, context: ValidateTokenRequest.fromPartial({ context: { ipAddress } }).context });
    expect(await codes(from('192.0.2.7'))).toEqual(['IP_MISMATCH']);
    held.add('context:assert');
    expect(await codes(from('192.0.2.7'))).toEqual([]);
    expect(await codes(from('192.0.2.8'))).toEqual(['IP_MISMATCH']);
  });

  it('takes API keys and certificates alike', async () => {
    become('key_1', rightsTo('users:read'));
    expect(await answer({ token: 'shk_good', requiredPermissions: ['users:read'] })).toMatchObject({
      valid: true,
      tokenType: 2,
      claims: { tokenId: 'key_1', authMethod: 'api_key' },
      subject: { type: 'api_key', id: 'key_1', permissions: ['users:read'] },
    });
    expect(await codes({ token: 'shk_bad' })).toEqual(['TOKEN_REVOKED']);
    expect(await codes({ certificateChain: '-----BEGIN' })).toEqual(['CERTIFICATE_INVALID']);
  });

  it('refuses a refresh token, an empty one and garbage, as verdicts', async () => {
    const tokens = await hub.login();
    expect(await answer({ token: tokens.refreshToken })).toMatchObject({ tokenType: 4, reasons: [{ code: 'TOKEN_TYPE_WRONG' }] });
    expect(await codes({})).toEqual(['TOKEN_MALFORMED']);
    expect(await codes({ token: 'garbage' })).toEqual(['TOKEN_MALFORMED']);
  });

  it('takes two credentials in one request, and a grace beyond its bound, as the caller’s mistake', () => {
    expect(() => ask({ token: 'a', certificateChain: 'b' })).toThrow(
      expect.objectContaining({ violations: [expect.objectContaining({ field: 'certificate_chain' })] }),
    );
    expect(() => ask({ token: 'a', grace: { seconds: 61, nanos: 0 } })).toThrow(
      expect.objectContaining({ violations: [expect.objectContaining({ field: 'grace' })] }),
    );
  });

  it('lets nobody keep an answer beyond the end of an access window, nor a refusal beyond its beginning', async () => {
    const good = await token();
    const minute = 60_000;
    // The next whole minute, by which windows count.
    const edge = (Math.floor(clock.now() / minute) + 2) * minute;
    const at = (instant: number): string => new Date(instant).toISOString().slice(11, 16);
    const limit = (start: string, end: string): void => {
      const constraints = {
        accessWindows: [{ days: [], start, end, timeZone: '' }],
        requireMfaFor: [],
        dataResidency: '',
        consentVersion: '',
        complianceFlags: [],
        custom: {},
      };
      hub.who.tenants.set(TENANT, { status: 'active', watermark: 0, constraints });
      changes += 1;
    };
    await jump(edge - 500);
    limit(at(edge - 10 * minute), at(edge));
    const open = await answer({ token: good });
    expect(open.valid).toBe(true);
    expect(open.freshUntil).toEqual({ seconds: edge / 1000, nanos: 0 });
    await jump(edge);
    expect((await answer({ token: good })).reasons.map(({ code }) => code)).toEqual(['OUTSIDE_ACCESS_WINDOW']);
    limit(at(edge + minute), at(edge + 10 * minute));
    await jump(edge + minute - 700);
    const shut = await answer({ token: good });
    expect(shut.valid).toBe(false);
    expect(shut.freshUntil).toEqual({ seconds: edge / 1000 + 60, nanos: 0 });
  });

  it('asks for a fresher second factor when the last one is older than the tenant allows', async () => {
    const constraints = {
      accessWindows: [],
      requireMfaFor: ['users:*'],
      dataResidency: '',
      consentVersion: '',
      complianceFlags: [],
      custom: {},
    };
    const policy = { ...DEFAULT_POLICY, mfaMaxAge: 60_000 };
    hub.who.tenants.set(TENANT, { status: 'active', watermark: 0, constraints, policy });
    become(ANNA, rightsTo('users:delete'));
    const { accessToken } = await hub.login({ mfaVerified: true });
    const asked = { token: accessToken, requiredPermissions: ['users:delete'] };
    const fresh = await answer(asked);
    expect(fresh.valid).toBe(true);
    await jump(clock.now() + 61_000);
    expect(await answer(asked)).toMatchObject({
      valid: false,
      verdict: Verdict.VERDICT_STEP_UP_REQUIRED,
      stepUp: { maxAge: { seconds: 60 } },
    });
  });

  it('gives no verdict on news that are too old, good or bad', async () => {
    const good = await token();
    clock.advance(11_000);
    expect(await answer({ token: good })).toMatchObject({ degraded: true });
    clock.advance(11_000);
    for (const seconds of [5, 0])
      for (const asked of [{ token: good }, { token: 'garbage' }])
        expect(() => ask({ ...asked, maxStaleness: { seconds, nanos: 0 } })).toThrow(
          expect.objectContaining({ code: 'UNAVAILABLE', reason: 'FEED_STALE' }),
        );
  });
});
