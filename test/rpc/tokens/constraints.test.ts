// Limits of tenants, roles and users, as their tokens and every verdict feel them: through the whole hub.
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { JsonObject } from '@bufbuild/protobuf';
import { isPlain } from '../../../src/tokens/plain.ts';
import { type Hub, openHub } from '../../config/app.ts';
import { type FreshDatabase, freshDatabase, outcome } from '../../harness.ts';

// oxlint-disable-next-line typescript/no-explicit-any
type Answer = any;

let database: FreshDatabase;
let hub: Hub;
let userId: string;
const PASSWORD = 'correct-horse-battery-9';

const two = (n: number): string => String(n).padStart(2, '0');
/** HH:MM by UTC, so many minutes from now. */
const inMinutes = (minutes: number): string => {
  const at = new Date(Date.now() + minutes * 60_000);
  return `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}`;
};
const OPEN = (): JsonObject => ({ start: inMinutes(-60), end: inMinutes(60) });
const SHUT = (): JsonObject => ({ start: inMinutes(60), end: inMinutes(120) });

// By the API key: limits on people's tokens must not lock out who lifts them.
const ask = (method: string, request: JsonObject, credential = hub.bootstrap.api_key): Promise<Answer> =>
  hub.ask(method, request, credential);
const updateTenant = (request: JsonObject): Promise<Answer> => ask('TenantService/UpdateTenant', request);
const updateUser = (constraints: JsonObject): Promise<Answer> => ask('UserService/UpdateUser', { userId, constraints });
const login = async (): Promise<string> =>
  (await ask('AuthenticationService/Login', { tenantId: 'dev', username: 'anna', password: PASSWORD }, '')).tokens.accessToken as string;
const validate = (token: string, more: JsonObject = {}): Promise<Answer> => ask('SecurityHub/ValidateToken', { token, ...more });
const check = (request: JsonObject, credential?: string): Promise<Answer> =>
  ask('SecurityHub/CheckPermission', { action: 'read', resource: { type: 'conversations', id: 'c1' }, ...request }, credential);
const reasons = (answer: Answer): string[] => answer.reasons.map(({ code }: { code: string }) => code);
const warnings = (answer: Answer): string[] => answer.warnings.map(({ code }: { code: string }) => code);
/** A session that passed a second factor: nothing of ours asks for one yet. */
const withFactor = async (): Promise<string> => {
  const { app } = hub;
  const { result } = await app.platform.write('dev', async (tx) => ({
    result: await app.tokens.open({
      tenantId: 'dev',
      userId,
      role: 'member',
      scopes: [],
      authMethod: 'mfa',
      mfaVerified: true,
      device: null,
      ipAddress: '127.0.0.1',
      tx,
    }),
  }));
  return result.accessToken;
};

beforeAll(async () => {
  database = await freshDatabase();
  hub = await openHub({ POSTGRES_URI: database.uri });
  userId = (await ask('UserService/CreateUser', { username: 'anna', password: PASSWORD, roles: ['member'] })).user.id as string;
});
afterAll(async () => {
  await hub.stop();
  await database.close();
});
afterEach(async () => {
  await updateTenant({ constraints: {}, sessionPolicy: {}, mfaPolicy: {} });
  await updateUser({});
});

describe('what is set', () => {
  it('on a tenant is answered, kept and lifted again, and the rest stays as it is', async () => {
    const constraints = {
      accessWindows: [{ days: ['mon'], start: '09:00', end: '17:00', timeZone: 'Europe/Berlin' }],
      dataResidency: 'eu',
    };
    const { tenant } = await updateTenant({ constraints, displayName: 'Developers', sessionPolicy: { idleTimeout: '600s' } });
    expect(tenant).toMatchObject({
      displayName: 'Developers',
      constraints,
      sessionPolicy: { idleTimeout: '600s', bindAddressFrom: 'high' },
    });
    const later = (await updateTenant({ constraints: {} })).tenant;
    expect(later).toMatchObject({ displayName: 'Developers', sessionPolicy: { idleTimeout: '600s' } });
    expect(later.constraints).toBeUndefined();
    expect((await ask('TenantService/GetTenant', {})).tenant).toEqual(later);
  });

  it('on a user is answered, and its names change with it', async () => {
    const { user } = await ask('UserService/UpdateUser', {
      userId,
      firstName: 'Anna',
      email: 'anna@example.org',
      constraints: { consentVersion: '3' },
    });
    expect(user).toMatchObject({ username: 'anna', firstName: 'Anna', email: 'anna@example.org', constraints: { consentVersion: '3' } });
    const { tokens } = await ask('AuthenticationService/Login', { tenantId: 'dev', username: 'ANNA@example.org', password: PASSWORD }, '');
    expect(tokens.accessToken).not.toBe('');
    await ask('UserService/UpdateUser', { userId, email: '' });
    await expect(
      ask('AuthenticationService/Login', { tenantId: 'dev', username: 'anna@example.org', password: PASSWORD }, ''),
    ).rejects.toMatchObject({ reason: 'CREDENTIALS_INVALID' });
  });

  it.each([
    ['a window of no length', { accessWindows: [{ start: '09:00', end: '09:00' }] }, 'constraints.access_windows[0].end'],
    [
      'a zone that does not exist',
      { accessWindows: [{ start: '09:00', end: '10:00', timeZone: 'Mars' }] },
      'constraints.access_windows[0].time_zone',
    ],
    ['a permission that is none', { requireMfaFor: ['delete everything'] }, 'constraints.require_mfa_for[0]'],
    ['a flag in capitals', { complianceFlags: ['GDPR'] }, 'constraints.compliance_flags[0]'],
    ['claims of 2 KiB', { custom: { text: 'x'.repeat(2048) } }, 'constraints.custom'],
    ['claims without end', { custom: Object.fromEntries(Array.from({ length: 17 }, (_, n) => [`c${n}`, n])) }, 'constraints.custom'],
  ])('is refused with its field named: %s', async (_, constraints, field) => {
    await expect(updateTenant({ constraints })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', violations: [{ field }] });
  });

  it('on a user needs more than users:write', async () => {
    const { user } = await ask('UserService/CreateUser', { username: 'manny', password: PASSWORD, roles: ['manager'] });
    const { tokens } = await ask('AuthenticationService/Login', { tenantId: 'dev', username: 'manny', password: PASSWORD }, '');
    const by = tokens.accessToken as string;
    expect(await outcome(ask('UserService/UpdateUser', { userId, firstName: 'An' }, by))).toBe('OK');
    expect(await outcome(ask('UserService/UpdateUser', { userId: user.id as string, constraints: {} }, by))).toBe(
      'PERMISSION_DENIED/PERMISSION_MISSING',
    );
  });

  it('takes away nobody else’s address or namespace', async () => {
    await ask('TenantService/CreateTenant', { id: 'neighbour', namespaces: ['next-door'] });
    await ask('UserService/CreateUser', { username: 'berta', email: 'berta@example.org' });
    expect(await outcome(updateTenant({ addNamespaces: ['next-door'] }))).toBe('ALREADY_EXISTS/NAMESPACE_TAKEN');
    expect(await outcome(ask('UserService/UpdateUser', { userId, email: 'Berta@example.org' }))).toBe('ALREADY_EXISTS/USER_EXISTS');
  });
});

describe('claims', () => {
  it('say everything that applies, by whoever set it', async () => {
    const open = OPEN();
    await updateTenant({
      constraints: {
        accessWindows: [open],
        requireMfaFor: ['users:delete'],
        dataResidency: 'eu',
        consentVersion: '3',
        complianceFlags: ['gdpr'],
        custom: { plan: 'gold', region: 7 },
      },
    });
    await updateUser({
      accessWindows: [open],
      requireMfaFor: ['admin:*'],
      consentVersion: '3',
      complianceFlags: ['hipaa'],
      custom: { plan: 'lead' },
    });
    const { claims, valid } = await validate(await login());
    expect(valid).toBe(true);
    expect(claims).toMatchObject({
      accessWindows: [
        { ...open, group: 0 },
        { ...open, group: 1 },
      ],
      requireMfaFor: ['admin:*', 'users:delete'],
      dataResidency: 'eu',
      consentVersion: '3',
      complianceFlags: ['gdpr', 'hipaa'],
      custom: { plan: 'lead', region: 7 },
    });
  });

  it('are said anew by every refresh', async () => {
    const { tokens } = await ask('AuthenticationService/Login', { tenantId: 'dev', username: 'anna', password: PASSWORD }, '');
    await updateTenant({ constraints: { dataResidency: 'ch' } });
    const next = await ask('TokenService/RefreshToken', { refreshToken: tokens.refreshToken }, '');
    expect((await validate(next.tokens.accessToken as string)).claims.dataResidency).toBe('ch');
  });

  it('tell whoever verifies tokens itself that there is something to ask about', async () => {
    expect(isPlain(await login())).toBe(true);
    await updateTenant({ sessionPolicy: { onAnomaly: 'block' } });
    expect(isPlain(await login())).toBe(false);
    await updateTenant({ sessionPolicy: {}, constraints: { requireMfaFor: ['users:delete'] } });
    expect(isPlain(await login())).toBe(false);
  });

  it('end as soon as the tenant wants, never later than the installation', async () => {
    await updateTenant({ sessionPolicy: { accessTokenLifetime: '60s' } });
    const { tokens } = await ask('AuthenticationService/Login', { tenantId: 'dev', username: 'anna', password: PASSWORD }, '');
    expect(Number(tokens.expiresIn)).toBeLessThanOrEqual(60);
    await updateTenant({ sessionPolicy: { accessTokenLifetime: '3600s' } });
    const longer = await ask('AuthenticationService/Login', { tenantId: 'dev', username: 'anna', password: PASSWORD }, '');
    expect(Number(longer.tokens.expiresIn)).toBeLessThanOrEqual(300);
  });
});

describe('access windows', () => {
  it.each(['tenant', 'user', 'role'])('of a %s refuse tokens outside, also those issued before', async (who) => {
    const token = await login();
    expect((await validate(token)).valid).toBe(true);
    if (who === 'tenant') await updateTenant({ constraints: { accessWindows: [SHUT()] } });
    if (who === 'user') await updateUser({ accessWindows: [SHUT()] });
    if (who === 'role') {
      await ask('AuthorizationService/PutRole', { role: { name: 'night', constraints: { accessWindows: [SHUT()] } } });
      // Through an heir.
      await ask('AuthorizationService/PutRole', { role: { name: 'guard', inherits: ['night'] } });
      await ask('AuthorizationService/AssignRole', { subject: { type: 'user', id: userId }, role: 'guard' });
    }
    const answer = await validate(token);
    expect({ valid: answer.valid, reasons: reasons(answer) }).toEqual({ valid: false, reasons: ['OUTSIDE_ACCESS_WINDOW'] });
    expect(await check({ token })).toMatchObject({ allowed: false, reasonCode: 'OUTSIDE_ACCESS_WINDOW' });
    expect(await check({ subject: { type: 'user', id: userId } })).toMatchObject({ allowed: false, reasonCode: 'OUTSIDE_ACCESS_WINDOW' });
    expect(await outcome(ask('UserService/GetUser', {}, token))).toBe('UNAUTHENTICATED/OUTSIDE_ACCESS_WINDOW');
    if (who === 'role') await ask('AuthorizationService/DeleteRole', { name: 'guard' });
  });

  it('of tenant and user must both be open', async () => {
    await updateTenant({ constraints: { accessWindows: [OPEN()] } });
    await updateUser({ accessWindows: [SHUT()] });
    expect(reasons(await validate(await login()))).toEqual(['OUTSIDE_ACCESS_WINDOW']);
    await updateUser({ accessWindows: [SHUT(), OPEN()] });
    expect((await validate(await login())).valid).toBe(true);
  });

  it('in a token stay in force until it is refreshed', async () => {
    await updateTenant({ constraints: { accessWindows: [SHUT()] } });
    const token = await login();
    await updateTenant({ constraints: {} });
    expect(reasons(await validate(token))).toEqual(['OUTSIDE_ACCESS_WINDOW']);
  });

  it('leave API keys alone, which have no session', async () => {
    await updateTenant({ constraints: { accessWindows: [SHUT()] } });
    expect((await validate(hub.bootstrap.api_key)).valid).toBe(true);
  });
});

describe('permissions that need a second factor', () => {
  const wanted = { requiredPermissions: ['conversations:read'] };
  beforeAll(() => ask('AuthorizationService/AssignRole', { subject: { type: 'user', id: userId }, role: 'manager' }));

  it('make the verdict a step-up for a session without one', async () => {
    await updateTenant({ constraints: { requireMfaFor: ['conversations:*'] }, mfaPolicy: { methods: ['totp'], maxAge: '900s' } });
    const answer = await validate(await login(), wanted);
    expect(answer).toMatchObject({
      valid: false,
      verdict: 'VERDICT_STEP_UP_REQUIRED',
      stepUp: { acrValues: ['aal2'], methods: ['totp'], maxAge: '900s' },
    });
    expect(reasons(answer)).toEqual(['MFA_REQUIRED']);
  });

  it('are no obstacle to other uses', async () => {
    await updateTenant({ constraints: { requireMfaFor: ['conversations:delete'] } });
    expect((await validate(await login(), wanted)).valid).toBe(true);
    expect((await validate(await login())).valid).toBe(true);
  });

  it('are given to a session that has one', async () => {
    await updateTenant({ constraints: { requireMfaFor: ['*'] } });
    const token = await withFactor();
    expect(await validate(token, wanted)).toMatchObject({ valid: true, claims: { mfaVerified: true, acr: 'aal2' } });
    expect(await check({ token })).toMatchObject({ allowed: true, effect: 'EFFECT_ALLOW' });
  });

  it('that are not held are missing, however well somebody proves itself', async () => {
    await updateTenant({ constraints: { requireMfaFor: ['*:*'] } });
    const answer = await validate(await login(), { requiredPermissions: ['admin:billing'] });
    expect(answer.verdict).toBe('VERDICT_INVALID');
    expect(reasons(answer)).toEqual(['PERMISSION_MISSING']);
  });

  it.each([
    ['*:read', true],
    ['conversations:write', false],
    ['users:*', false],
  ])('are asked for by the pattern %s: %s', async (pattern, asked) => {
    await updateUser({ requireMfaFor: [pattern] });
    expect((await validate(await login(), wanted)).verdict).toBe(asked ? 'VERDICT_STEP_UP_REQUIRED' : 'VERDICT_VALID');
  });

  it('answer a check with a step-up, alone and in a batch', async () => {
    await updateTenant({ constraints: { requireMfaFor: ['conversations:read'] } });
    const token = await login();
    expect(await check({ token })).toMatchObject({
      allowed: false,
      effect: 'EFFECT_STEP_UP',
      reasonCode: 'MFA_REQUIRED',
      stepUp: { acrValues: ['aal2'] },
    });
    const explained = await check({ token, explain: true });
    expect(explained.trace.steps).toContainEqual(
      expect.objectContaining({ rule: 'require_mfa_for', effect: 'EFFECT_DENY', matched: true }),
    );
    expect(await check({}, token)).toMatchObject({ allowed: false, effect: 'EFFECT_STEP_UP', reasonCode: 'MFA_REQUIRED' });
    const resource = { type: 'conversations', id: 'c1' };
    const batch = await ask('SecurityHub/BatchCheck', {
      token,
      checks: [
        { id: 'read', action: 'read', resource },
        { id: 'write', action: 'write', resource },
        { id: 'delete', action: 'roles', resource: { type: 'users' } },
      ],
    });
    expect(batch.results.map((one: Answer) => [one.id, one.effect, one.reasonCode])).toEqual([
      ['read', 'EFFECT_STEP_UP', 'MFA_REQUIRED'],
      ['write', 'EFFECT_ALLOW', 'ALLOWED'],
      ['delete', 'EFFECT_DENY', 'DENIED_DEFAULT'],
    ]);
  });

  it('are asked for by the hub’s own calls as well', async () => {
    await updateTenant({ constraints: { requireMfaFor: ['users:read'] } });
    expect(await outcome(ask('UserService/ListUsers', {}, await login()))).toBe('FAILED_PRECONDITION/MFA_REQUIRED');
    expect(await outcome(ask('UserService/ListUsers', {}, await withFactor()))).toBe('OK');
  });
});

describe('consent, flags and residency', () => {
  it('that changed since are warned of', async () => {
    const token = await login();
    await updateTenant({ constraints: { consentVersion: '4', complianceFlags: ['gdpr'] } });
    const answer = await validate(token);
    expect(answer.valid).toBe(true);
    expect(warnings(answer)).toEqual(expect.arrayContaining(['CONSENT_OUTDATED', 'COMPLIANCE_OUTDATED']));
  });

  it('refuse where the tenant says so, until consent is given and the token is new', async () => {
    await updateTenant({ constraints: { consentVersion: '4', complianceFlags: ['gdpr'] }, sessionPolicy: { onOutdated: 'block' } });
    expect(reasons(await validate(await login()))).toEqual(['CONSENT_OUTDATED']);
    await updateUser({ consentVersion: '4' });
    const token = await login();
    expect((await validate(token)).valid).toBe(true);
    await updateTenant({ constraints: { consentVersion: '4', complianceFlags: ['gdpr', 'hipaa'] } });
    expect(reasons(await validate(token))).toEqual(['COMPLIANCE_OUTDATED']);
    expect(await outcome(ask('UserService/GetUser', {}, token))).toBe('UNAUTHENTICATED/COMPLIANCE_OUTDATED');
    expect((await validate(await login())).valid).toBe(true);
  });
});

describe('another tenant', () => {
  it('is changed by whoever runs the installation, by nobody else', async () => {
    await ask('TenantService/CreateTenant', { id: 'abroad' });
    expect(await outcome(updateTenant({ tenantId: 'abroad', displayName: 'Abroad' }))).toBe('OK');
    expect(await outcome(ask('TenantService/UpdateTenant', { tenantId: 'abroad', displayName: 'Mine' }, await login()))).toBe(
      'PERMISSION_DENIED/TENANT_FORBIDDEN',
    );
    expect(await outcome(ask('TenantService/UpdateTenant', { displayName: 'Mine' }, await login()))).toBe(
      'PERMISSION_DENIED/PERMISSION_MISSING',
    );
  });
});
