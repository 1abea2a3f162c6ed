// What is noticed about the use of tokens: findings are warnings and events, and refuse where the tenant says so.
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { JsonObject } from '@bufbuild/protobuf';
import { type Hub, openHub } from '../../config/app.ts';
import { type FreshDatabase, freshDatabase, waitFor } from '../../harness.ts';

// oxlint-disable-next-line typescript/no-explicit-any
type Answer = any;

let database: FreshDatabase;
let hub: Hub;
const PASSWORD = 'correct-horse-battery-9';
const HOME = '198.51.100.7';
const ABROAD = '203.0.113.9';

const ask = (method: string, request: JsonObject, credential = hub.bootstrap.api_key): Promise<Answer> =>
  hub.ask(method, request, credential);
const login = async (): Promise<{ readonly token: string; readonly sessionId: string }> => {
  const { tokens } = await ask('AuthenticationService/Login', { tenantId: 'dev', username: 'anna', password: PASSWORD }, '');
  return { token: tokens.accessToken as string, sessionId: tokens.sessionId as string };
};
const validate = (token: string, context: JsonObject = {}, credential?: string): Promise<Answer> =>
  ask('SecurityHub/ValidateToken', { token, context }, credential);
const codes = (list: readonly { readonly code: string }[]): string[] =>
  list.map(({ code }) => code).filter((code) => code !== 'AUDIENCE_UNCHECKED');
const policy = (sessionPolicy: JsonObject): Promise<Answer> => ask('TenantService/UpdateTenant', { sessionPolicy });

interface Event {
  readonly type: string;
  readonly level: string;
  readonly reason: string;
}
/** Waits for an event about this resource. */
const event = async (type: string, resource: string): Promise<Event> => {
  let found: Event | undefined;
  await waitFor(
    async () => {
      const rows = await database.sql<Event>('SELECT type, level, reason FROM audit_event WHERE type = $1 AND resource = $2', [
        type,
        resource,
      ]);
      [found] = rows;
      return found !== undefined;
    },
    15_000,
    `an event ${type} about ${resource}`,
  );
  return found as Event;
};

beforeAll(async () => {
  database = await freshDatabase();
  hub = await openHub({ POSTGRES_URI: database.uri });
  await ask('UserService/CreateUser', { username: 'anna', password: PASSWORD, roles: ['member'] });
});
afterAll(async () => {
  await hub.stop();
  await database.close();
});
afterEach(() => policy({}));

describe('a session used from another network', () => {
  it('is warned of, and remembered as an event', async () => {
    const { token, sessionId } = await login();
    expect(codes((await validate(token, { ipAddress: HOME })).warnings)).toEqual([]);
    const moved = await validate(token, { ipAddress: ABROAD });
    expect(moved.valid).toBe(true);
    expect(codes(moved.warnings)).toEqual(['ADDRESS_CHANGED']);
    expect(codes((await validate(token, { ipAddress: HOME })).warnings)).toEqual([]);
    expect(await event('session.anomaly', `session:${sessionId}`)).toMatchObject({ level: 'warning', reason: 'ADDRESS_CHANGED' });
  });

  it('is refused where the tenant blocks it, and goes on where it was', async () => {
    await policy({ onAnomaly: 'block' });
    const { token, sessionId } = await login();
    expect((await validate(token, { ipAddress: HOME })).valid).toBe(true);
    const moved = await validate(token, { ipAddress: ABROAD });
    expect({ valid: moved.valid, reasons: codes(moved.reasons) }).toEqual({ valid: false, reasons: ['ANOMALY_BLOCKED'] });
    const resource = { type: 'conversations', id: 'c1' };
    const decision = await ask('SecurityHub/CheckPermission', { token, action: 'read', resource, tokenContext: { ipAddress: ABROAD } });
    expect(decision).toMatchObject({ allowed: false, reasonCode: 'ANOMALY_BLOCKED' });
    expect((await validate(token, { ipAddress: HOME })).valid).toBe(true);
    expect(await event('session.anomaly', `session:${sessionId}`)).toMatchObject({ level: 'alert', reason: 'ANOMALY_BLOCKED' });
  });

  it('is nobody’s business where the tenant ignores it', async () => {
    await policy({ onAnomaly: 'ignore' });
    const { token } = await login();
    await validate(token, { ipAddress: HOME });
    expect(codes((await validate(token, { ipAddress: ABROAD })).warnings)).toEqual([]);
  });

  it('is not believed from callers that may not speak of addresses', async () => {
    await policy({ onAnomaly: 'block' });
    const { token } = await login();
    const mine = (await login()).token;
    expect((await validate(token, { ipAddress: ABROAD }, mine)).valid).toBe(true);
    expect((await validate(token, { ipAddress: HOME })).valid).toBe(true);
  });
});

describe('a session used from another device', () => {
  it('is warned of', async () => {
    const { token } = await login();
    await validate(token, { deviceId: 'laptop' });
    expect(codes((await validate(token, { deviceId: 'phone' })).warnings)).toEqual(['DEVICE_CHANGED']);
  });
});

describe('a session used too often', () => {
  it('is warned of, or refused where the tenant says so', async () => {
    await policy({ requestsPerMinute: 3 });
    const first = (await login()).token;
    for (let n = 0; n < 3; n += 1) expect(codes((await validate(first)).warnings)).toEqual([]);
    expect(codes((await validate(first)).warnings)).toEqual(['RATE_EXCEEDED']);
    await policy({ requestsPerMinute: 3, onExcess: 'block' });
    const second = await login();
    for (let n = 0; n < 3; n += 1) expect((await validate(second.token)).valid).toBe(true);
    const refused = await validate(second.token);
    expect({ valid: refused.valid, reasons: codes(refused.reasons) }).toEqual({ valid: false, reasons: ['RATE_LIMITED'] });
    expect(await event('session.excess', `session:${second.sessionId}`)).toMatchObject({ reason: 'RATE_LIMITED' });
  });
});

describe('a token that was ended', () => {
  it('is a security event when it is shown, and an alert when it is shown again', async () => {
    const { token, sessionId } = await login();
    const tokenId = (await validate(token)).claims.tokenId as string;
    await ask('TokenService/RevokeSession', { sessionId });
    expect(codes((await validate(token)).reasons)).toEqual(['SESSION_ENDED']);
    expect(await event('token.refused', `token:${tokenId}`)).toMatchObject({ level: 'warning', reason: 'SESSION_ENDED' });
    await expect(ask('UserService/GetUser', {}, token)).rejects.toMatchObject({ reason: 'SESSION_ENDED' });
    expect(await event('token.reused', `token:${tokenId}`)).toMatchObject({ level: 'alert', reason: 'SESSION_ENDED' });
  });
});

describe('a forged token', () => {
  it('is a security event; a flood of them is few', async () => {
    const { token } = await login();
    const [header = '', payload = ''] = token.split('.');
    for (let n = 0; n < 200; n += 1) {
      const signature = Buffer.alloc(64, n + 1).toString('base64url');
      expect(codes((await validate(`${header}.${payload}.${signature}`)).reasons)).toEqual(['SIGNATURE_INVALID']);
    }
    expect(await event('token.forged', 'token:')).toMatchObject({ level: 'warning', reason: 'SIGNATURE_INVALID' });
    const rows = await database.sql(`SELECT FROM audit_event WHERE type = 'token.forged'`);
    expect(rows.length).toBeLessThan(10);
    expect(await hub.metric('securityhub_security_events_total{')).toBeGreaterThanOrEqual(200);
  });
});
