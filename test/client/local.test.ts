import { createHash, sign } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Fault } from '../../src/base/fault.ts';
import type { Client } from '../../src/client/client.ts';
import type { DeepPartial, ValidateTokenRequest, ValidateTokenResponse } from '../../src/gen/securityhub/v1/security_hub.ts';
import { waitFor } from '../harness.ts';
import { misuses, tokenMaker } from '../misuse.ts';
import { claimsOf, createWorld, type World } from './world.ts';

let world: World;
let hub: Client;
let local: Client;
/** For tests that revoke nothing. */
let lasting: { readonly accessToken: string };
beforeAll(async () => {
  world = await createWorld();
  hub = world.client();
  local = await world.local();
  lasting = await world.login();
});
afterAll(() => world.close());

const AUDIENCE = 'security-hub';

/** A replica remembers where it saw a session before; whoever is not asked has nothing to remember. */
const NOTICED = ['ADDRESS_CHANGED', 'DEVICE_CHANGED'];

/** What a caller acts on. Live rights and the moment are the hub's alone, and messages may differ. */
const essence = ({ valid, verdict, reasons, warnings, tokenType, claims, subject }: ValidateTokenResponse): object => ({
  valid,
  verdict,
  reasons: reasons.map(({ code }) => code),
  warnings: warnings.map(({ code }) => code).filter((code) => !NOTICED.includes(code)),
  tokenType,
  claims,
  subject: subject === undefined ? undefined : { type: subject.type, id: subject.id, tenantId: subject.tenantId },
});

const answered = (promise: Promise<ValidateTokenResponse>): Promise<object> =>
  promise.then(essence, (fault: Fault) => ({ code: fault.code, reason: fault.reason }));

/** Both verdicts, and whether the second was given without the hub. */
const both = async (request: DeepPartial<ValidateTokenRequest>) => {
  const before = local.localState()?.judged ?? 0;
  const here = await answered(local.validateToken(request));
  const judged = (local.localState()?.judged ?? 0) > before;
  return { here, there: await answered(hub.validateToken(request)), judged };
};

const signed = (payload: object): string => {
  const { crv, kty, x, y } = world.signingKey.export({ format: 'jwk' });
  const kid = createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url');
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${part({ alg: 'ES256', typ: 'at+jwt', kid })}.${part(payload)}`;
  return `${text}.${sign('sha256', Buffer.from(text), { key: world.signingKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
};

const kidOf = (token: string): string =>
  (JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()) as { kid: string }).kid;

describe('local mode', () => {
  it('judges a good token without the hub, and says what the hub says', async () => {
    const { accessToken, userId } = await world.login();
    const { here, there, judged } = await both({ token: accessToken, audience: AUDIENCE });
    expect(judged).toBe(true);
    expect(here).toEqual(there);
    expect(here).toMatchObject({ valid: true, subject: { id: userId }, reasons: [], warnings: [] });
  });

  it('says how old its knowledge is, and for how long its answer holds', async () => {
    const { accessToken } = await world.login();
    const verdict = await local.validateToken({ token: accessToken });
    const at = Date.now();
    const moment = (stamp: { seconds: number; nanos: number } | undefined): number =>
      (stamp?.seconds ?? 0) * 1000 + (stamp?.nanos ?? 0) / 1e6;
    expect(moment(verdict.staleness)).toBeLessThan(10_000);
    expect(Math.abs(moment(verdict.asOf) + moment(verdict.staleness) - at)).toBeLessThan(1000);
    expect(moment(verdict.freshUntil)).toBeGreaterThan(moment(verdict.asOf));
    expect(moment(verdict.freshUntil)).toBeLessThanOrEqual(at + 2000);
    expect(verdict.revocationSeq).toBeGreaterThan(0);
    expect(verdict.degraded).toBe(false);
  });

  it('hands out answers that no caller can change for the next', async () => {
    const { accessToken } = await world.login();
    const { claims, subject } = await local.validateToken({ token: accessToken });
    expect(() => claims?.scopes.push('*')).toThrow(TypeError);
    expect(() => {
      if (subject !== undefined) subject.id = 'usr_root';
    }).toThrow(TypeError);
  });

  // A development hub takes tokens of a longer life, and so must a client of it.
  it.each(misuses.filter(({ name }) => name !== 'a longer life than any of ours'))('says of $name what the hub says', async (recipe) => {
    const { accessToken } = lasting;
    const make = tokenMaker({
      ours: world.signingKey,
      kid: kidOf(accessToken),
      now: Math.floor(Date.now() / 1000) * 1000,
      good: claimsOf(accessToken),
    });
    const { here, there } = await both({ token: make(recipe), audience: AUDIENCE });
    expect(here).toEqual(there);
    expect(here).toMatchObject({ valid: false });
  });

  it('never answers otherwise than the hub, whatever the claims and the question', async () => {
    const good = claimsOf(lasting.accessToken);
    const now = Math.floor(Date.now() / 1000);
    // Mostly left as it is: what differs everywhere only the hub can judge.
    const mostly = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
      fc.oneof({ weight: 6, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });
    const text = fc.constantFrom('security-hub', 'orders', 'dev', 'other', '');
    const mutation = fc.record({
      aud: mostly(fc.oneof(text, fc.array(text, { maxLength: 3 }))),
      exp: mostly(fc.integer({ min: now - 200, max: now + 5000 })),
      nbf: mostly(fc.integer({ min: now - 200, max: now + 60 })),
      iat: mostly(fc.integer({ min: now - 300, max: now + 30 })),
      tenant_id: mostly(fc.constantFrom('dev', 'acme', '')),
      scope: mostly(fc.constantFrom('', 'conversations:read', '*', 'conversations:* users:read')),
      device_id: mostly(fc.constantFrom('', 'dev_1')),
      ip_address: mostly(fc.constantFrom('', '127.0.0.1', '10.0.0.1')),
      cnf: mostly(fc.constantFrom({ jkt: 'x' }, { 'x5t#S256': 'y' }, {}, null)),
      mfa: mostly(fc.boolean()),
      rsq: mostly(fc.constantFrom(0, 1, good['rsq'])),
      unheard_of: mostly(fc.constantFrom('limits', 7)),
    });
    const question = fc.record({
      audience: mostly(text),
      requiredScopes: mostly(fc.array(fc.constantFrom('conversations:read', 'users:read', 'x'), { maxLength: 2 })),
      requiredPermissions: mostly(fc.array(fc.constantFrom('conversations:read', 'config:write'), { maxLength: 1 })),
      grace: mostly(fc.record({ seconds: fc.integer({ min: -1, max: 61 }), nanos: fc.constant(0) })),
      context: mostly(fc.record({ deviceId: fc.constantFrom('', 'dev_1', 'dev_2'), ipAddress: fc.constantFrom('', '10.0.0.1') })),
    });
    const given = (record: object): object => Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined));
    let judged = 0;
    await fc.assert(
      fc.asyncProperty(mutation, question, async (changes, asked) => {
        const outcome = await both({ token: signed({ ...good, ...given(changes) }), ...given(asked) });
        if (outcome.judged) judged += 1;
        expect(outcome.here).toEqual(outcome.there);
      }),
      { numRuns: 400 },
    );
    // A mode that always asks would agree as well.
    expect(judged).toBeGreaterThan(100);
  });

  it.each([
    ['required permissions', { requiredPermissions: ['conversations:read'] }],
    ['an API key', { token: 'key' }],
    ['a certificate', { token: '', certificateChain: 'x' }],
    ['a wish for newer news than there are', { maxStaleness: { seconds: 0, nanos: 1 } }],
    ['a claim of a newer release', { token: 'newer' }],
  ])('asks the hub about %s', async (_, wanted) => {
    const { accessToken } = lasting;
    const tokens: Readonly<Record<string, string>> = {
      key: world.bootstrap.api_key,
      newer: signed({ ...claimsOf(accessToken), only_on_sundays: true }),
    };
    const token = 'token' in wanted ? (tokens[wanted.token ?? ''] ?? '') : accessToken;
    const before = local.localState()?.asked ?? 0;
    await answered(local.validateToken({ ...wanted, token }));
    expect(local.localState()?.asked).toBe(before + 1);
  });

  it('asks the hub about a token of a user whose tenant asks for a consent, though the token names none', async () => {
    const { tenant_id: tenantId } = world.bootstrap;
    await hub.tenant.updateTenant({ tenantId, constraints: { consentVersion: '2026-01' } });
    try {
      const { accessToken } = await world.login();
      const { here, there, judged } = await both({ token: accessToken });
      expect(judged).toBe(false);
      expect(here).toEqual(there);
      expect(here).toMatchObject({ warnings: expect.arrayContaining(['CONSENT_OUTDATED']) });
    } finally {
      await hub.tenant.updateTenant({ tenantId, constraints: {} });
    }
  });

  describe('a token older than what limits it', () => {
    /** Closed now, whatever the hour. */
    const day = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'][(new Date().getUTCDay() + 3) % 7] ?? '';
    const closed = { accessWindows: [{ days: [day], start: '00:00', end: '00:01', timeZone: 'UTC' }] };
    const role = (name: string, constraints: object = {}) =>
      hub.authorization.putRole({ role: { name, permissions: [], inherits: [], constraints } });
    const nothing = async (): Promise<void> => {};
    /** One that was issued after the hub had heard of the last limits. */
    const judgedLogin = async () => {
      const found: Awaited<ReturnType<World['login']>>[] = [];
      await waitFor(
        async () => {
          const tokens = await world.login();
          if ((await both({ token: tokens.accessToken })).judged) found.push(tokens);
          return found.length > 0;
        },
        5000,
        'a verdict without the hub',
      );
      return found[0] as (typeof found)[number];
    };
    const assign = (id: string, name: string) => hub.authorization.assignRole({ subject: { type: 'user', id }, role: name });

    it.each<[string, (userId: string) => Promise<unknown>, (userId: string) => Promise<unknown>]>([
      ['its user', (userId) => hub.user.updateUser({ userId, constraints: closed }), nothing],
      [
        'a role that its user is given',
        async (userId) => {
          await role('night', closed);
          await assign(userId, 'night');
        },
        nothing,
      ],
      ['a role that its user has', () => role('shift', closed), (userId) => role('shift').then(() => assign(userId, 'shift'))],
      [
        'a role of a group that its user enters',
        async (id) => {
          await role('ward', closed);
          await hub.authorization.putGroup({ group: { name: 'wards' } });
          await hub.authorization.assignRole({ subject: { type: 'group', id: 'wards' }, role: 'ward' });
          await hub.authorization.addGroupMembers({ group: 'wards', members: [{ type: 'user', id }] });
        },
        nothing,
      ],
    ])('is asked about within two seconds: %s', async (_by, limit, prepare) => {
      const { accessToken, userId } = await judgedLogin();
      await prepare(userId);
      expect((await both({ token: accessToken })).judged).toBe(true);
      await limit(userId);
      const at = performance.now();
      await waitFor(async () => !(await local.validateToken({ token: accessToken })).valid, 5000, 'the refusal');
      expect(performance.now() - at).toBeLessThan(2000);
      expect(await both({ token: accessToken })).toMatchObject({ judged: false, here: { reasons: ['OUTSIDE_ACCESS_WINDOW'] } });
    });

    it('is asked about from the moment on at which a role with limits begins, whenever it was issued', async () => {
      const before = await judgedLogin();
      await role('later', closed);
      const begins = Date.now() + 5000;
      const notBefore = { seconds: Math.floor(begins / 1000), nanos: (begins % 1000) * 1_000_000 };
      const { revision } = await hub.authorization.assignRole({ subject: { type: 'user', id: before.userId }, role: 'later', notBefore });
      // Issued when the news of the assignment had come.
      let between = before;
      await waitFor(
        async () => {
          const { tokens } = await hub.token.refreshToken({ refreshToken: between.refreshToken });
          if (tokens !== undefined) between = { ...between, ...tokens };
          return Number(claimsOf(between.accessToken)['lsq'] ?? 0) >= revision;
        },
        4000,
        'a token that knows of the assignment',
      );
      expect((await both({ token: between.accessToken })).here).toMatchObject({ valid: true });
      await waitFor(() => Date.now() >= begins, 10_000, 'the role begins');
      for (const { accessToken } of [before, between])
        expect(await both({ token: accessToken })).toMatchObject({ judged: false, here: { reasons: ['OUTSIDE_ACCESS_WINDOW'] } });
    });

    it('is asked about within two seconds: its tenant', async () => {
      const { tenant_id: tenantId } = world.bootstrap;
      const { accessToken } = await judgedLogin();
      await hub.tenant.updateTenant({ tenantId, constraints: { consentVersion: '2026-02' } });
      try {
        const at = performance.now();
        const warned = async () =>
          (await local.validateToken({ token: accessToken })).warnings.some(({ code }) => code === 'CONSENT_OUTDATED');
        await waitFor(warned, 5000, 'the warning');
        expect(performance.now() - at).toBeLessThan(2000);
      } finally {
        await hub.tenant.updateTenant({ tenantId, constraints: {} });
      }
    });

    it('is one of before: what is issued then is judged again', async () => {
      await judgedLogin();
    });
  });

  it.each(['token', 'session', 'user'] as const)(
    "refuses what was revoked by %s, within two seconds and for the hub's reason",
    async (by) => {
      const { accessToken, sessionId, userId } = await world.login();
      expect((await both({ token: accessToken })).here).toMatchObject({ valid: true });
      if (by === 'token') await hub.token.revokeToken({ token: accessToken });
      if (by === 'session') await hub.token.revokeSession({ sessionId });
      if (by === 'user') await hub.token.revokeUser({ userId });
      const at = performance.now();
      await waitFor(async () => !(await local.validateToken({ token: accessToken })).valid, 5000, 'the refusal');
      expect(performance.now() - at).toBeLessThan(2000);
      const { here, there, judged } = await both({ token: accessToken });
      expect(judged).toBe(true);
      expect(here).toEqual(there);
    },
  );

  it('refuses a suspended user, and one who logs in again after a sign-out is let in', async () => {
    const { accessToken, userId } = await world.login();
    await hub.user.suspendUser({ userId, reason: 'test' });
    await waitFor(async () => !(await local.validateToken({ token: accessToken })).valid, 5000, 'the refusal');
    expect((await both({ token: accessToken })).here).toMatchObject({ reasons: ['SUBJECT_SUSPENDED'] });
  });

  it('knows from its first verdict on what was revoked before it began', async () => {
    const { accessToken } = await world.login();
    await hub.token.revokeToken({ token: accessToken });
    const late = await world.local();
    expect((await late.validateToken({ token: accessToken })).valid).toBe(false);
    expect(late.localState()).toMatchObject({ judged: 1, asked: 0 });
  });

  it('asks the hub until it has heard everything', async () => {
    const { accessToken } = await world.login();
    const fresh = world.client({ local: {} });
    expect((await fresh.validateToken({ token: accessToken })).valid).toBe(true);
    expect(fresh.localState()).toMatchObject({ judged: 0, asked: 1 });
  });

  it('asks the hub for ever where the hub tells this caller nothing, and says why once', async () => {
    const { accessToken } = await world.login();
    const problems: string[] = [];
    const member = world.client({ credential: accessToken, local: {}, onProblem: (message) => problems.push(message) });
    await waitFor(() => problems.length > 0, 5000);
    expect((await member.validateToken({ token: accessToken })).valid).toBe(true);
    expect(member.localState()?.obstacle).toMatch(/PERMISSION_MISSING/);
  });
});
