// Risk at login, through the whole hub: where a login comes from decides how its tokens are bound.
import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '@bufbuild/protobuf';
import { hubOfFile } from '../../config/app.ts';

// oxlint-disable-next-line typescript/no-explicit-any
type Answer = any;

const own = hubOfFile();
let users = 0;
const PASSWORD = 'correct-horse-battery-9';
const HOME = '198.51.100.7';
const ABROAD = '203.0.113.9';

const ask = (method: string, request: JsonObject): Promise<Answer> => own.hub.ask(method, request, own.hub.bootstrap.api_key);
const newUser = async (): Promise<string> => {
  const username = `user${(users += 1)}`;
  await ask('UserService/CreateUser', { username, password: PASSWORD, roles: ['member'] });
  return username;
};
const login = async (username: string, deviceId: string, ipAddress: string): Promise<string> => {
  const device = deviceId === '' ? {} : { device: { deviceId } };
  const { tokens } = await ask('AuthenticationService/Login', { username, password: PASSWORD, ...device, context: { ipAddress } });
  return tokens.accessToken as string;
};
const validate = (token: string, context: JsonObject): Promise<Answer> => ask('SecurityHub/ValidateToken', { token, context });
const reasons = (answer: Answer): string[] => answer.reasons.map(({ code }: { code: string }) => code);
const policy = (sessionPolicy: JsonObject): Promise<Answer> => ask('TenantService/UpdateTenant', { sessionPolicy });

describe('a login', () => {
  it('from a new device gets a token bound to its address, refused elsewhere', async () => {
    const username = await newUser();
    await login(username, 'laptop', HOME);
    const token = await login(username, 'phone', ABROAD);
    const here = await validate(token, { ipAddress: ABROAD });
    expect(here).toMatchObject({
      valid: true,
      claims: { ipAddress: ABROAD, riskLevel: 'critical' },
      risk: { score: 0.85, level: 'critical', indicators: ['new_device', 'new_network'] },
    });
    const elsewhere = await validate(token, { ipAddress: HOME });
    expect({ valid: elsewhere.valid, reasons: reasons(elsewhere) }).toEqual({ valid: false, reasons: ['IP_MISMATCH'] });
    // Nobody said where it was shown: what counts is where the question came from.
    expect(reasons(await validate(token, {}))).toEqual(['IP_MISMATCH']);
    expect(
      await ask('SecurityHub/CheckPermission', {
        token,
        action: 'read',
        resource: { type: 'conversations' },
        tokenContext: { ipAddress: HOME },
      }),
    ).toMatchObject({ allowed: false, reasonCode: 'IP_MISMATCH' });
    await expect(own.hub.ask('UserService/GetUser', {}, token)).rejects.toMatchObject({ reason: 'IP_MISMATCH' });
  });

  it('stays bound through refreshes', async () => {
    const username = await newUser();
    await login(username, 'laptop', HOME);
    const device = { deviceId: 'phone' };
    const { tokens } = await ask('AuthenticationService/Login', { username, password: PASSWORD, device, context: { ipAddress: ABROAD } });
    const next = await ask('TokenService/RefreshToken', { refreshToken: tokens.refreshToken, device });
    expect(reasons(await validate(next.tokens.accessToken as string, { ipAddress: HOME }))).toEqual(['IP_MISMATCH']);
  });

  it('of an account that never logged in before is compared with nothing', async () => {
    const token = await login(await newUser(), 'laptop', ABROAD);
    expect(await validate(token, { ipAddress: HOME })).toMatchObject({ valid: true, risk: { level: 'low', indicators: [] } });
  });

  it('from a device that is known by now is bound to nothing', async () => {
    const username = await newUser();
    await login(username, 'laptop', HOME);
    await login(username, 'phone', HOME);
    expect(await validate(await login(username, 'phone', HOME), { ipAddress: ABROAD })).toMatchObject({
      valid: true,
      risk: { level: 'low' },
    });
  });

  it('names the same address however it is written', async () => {
    const username = await newUser();
    await login(username, 'laptop', HOME);
    const token = await login(username, 'phone', '2001:db8::1');
    expect((await validate(token, { ipAddress: '2001:DB8:0:0:0:0:0:1' })).valid).toBe(true);
    expect((await validate(token, { ipAddress: '2001:db8::2' })).valid).toBe(false);
  });

  it('after many failures is a higher risk', async () => {
    const username = await newUser();
    await login(username, '', HOME);
    for (let tries = 0; tries < 3; tries += 1)
      await expect(
        ask('AuthenticationService/Login', { username, password: 'wrong', context: { ipAddress: `192.0.2.${tries}` } }),
      ).rejects.toMatchObject({ reason: 'CREDENTIALS_INVALID' });
    const token = await login(username, '', ABROAD);
    expect((await validate(token, { ipAddress: ABROAD })).risk).toEqual({
      score: 0.45,
      level: 'medium',
      indicators: ['new_network', 'recent_failures'],
    });
  });

  it.each([
    ['never', 'phone', false],
    ['critical', 'phone', false],
    ['low', 'laptop', true],
  ])('is bound from the risk that the tenant names: %s, from the %s', async (bindAddressFrom, device, bound) => {
    const username = await newUser();
    await login(username, 'laptop', HOME);
    await policy({ bindAddressFrom });
    const token = await login(username, device, HOME);
    await policy({});
    expect((await validate(token, { ipAddress: ABROAD })).valid).toBe(!bound);
  });

  it('keeps twenty devices of an account, and none in the clear', async () => {
    const username = await newUser();
    for (let n = 0; n < 23; n += 1) await login(username, `device-${n}`, HOME);
    const rows = await own.database.sql<{ kind: string; n: number }>(
      `SELECT kind, count(*)::int AS n FROM login_places p JOIN users u USING (tenant_id, user_id) WHERE username = $1 GROUP BY kind`,
      [username],
    );
    expect(rows.toSorted((a, b) => a.n - b.n)).toEqual([
      { kind: 'network', n: 1 },
      { kind: 'device', n: 20 },
    ]);
    expect((await validate(await login(username, 'device-22', HOME), { ipAddress: HOME })).risk.indicators).toEqual([]);
    expect((await validate(await login(username, 'device-0', HOME), { ipAddress: HOME })).risk.indicators).toEqual(['new_device']);
  });
});

describe('a device', () => {
  it('with another id or fingerprint than the login’s is refused', async () => {
    const username = await newUser();
    const device = { deviceId: 'laptop', fingerprint: 'f1' };
    const { tokens } = await ask('AuthenticationService/Login', { username, password: PASSWORD, device });
    const token = tokens.accessToken as string;
    expect((await validate(token, { deviceId: 'laptop', deviceFingerprint: 'f1' })).valid).toBe(true);
    expect((await validate(token, {})).valid).toBe(true);
    expect(reasons(await validate(token, { deviceId: 'phone' }))).toEqual(['DEVICE_MISMATCH']);
    expect(reasons(await validate(token, { deviceId: 'laptop', deviceFingerprint: 'f2' }))).toEqual(['DEVICE_MISMATCH']);
  });

  it('must be shown where the tenant wants it, and by whom it is believed from', async () => {
    const username = await newUser();
    const { tokens } = await ask('AuthenticationService/Login', { username, password: PASSWORD, device: { deviceId: 'laptop' } });
    const token = tokens.accessToken as string;
    await policy({ bindDevice: 'always' });
    expect(reasons(await validate(token, {}))).toEqual(['DEVICE_MISMATCH']);
    expect((await validate(token, { deviceId: 'laptop' })).valid).toBe(true);
    // A member does not hold context:assert.
    const other = await login(await newUser(), '', HOME);
    const asked = { token, context: { deviceId: 'laptop' } };
    expect(reasons(await own.hub.ask('SecurityHub/ValidateToken', asked, other))).toEqual(['DEVICE_MISMATCH']);
    await policy({});
  });
});
