// Login on a real Postgres: one answer, one time, and no more guesses than the limit.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import type { Call } from '../../../src/base/call.ts';
import { createAttempts } from '../../../src/identity/attempts.postgres.ts';
import { type FreshDatabase, freshDatabase, outcome, waitFor } from '../../harness.ts';
import { tcpProxy, through } from '../../storage/tcp-proxy.ts';
import { createWorld, from, logInAs, newTenancy, newUser, PASSWORD, type Tenancy, type World } from './world.ts';

const INVALID = 'UNAUTHENTICATED/CREDENTIALS_INVALID';
let database: FreshDatabase;
let world: World;
let home: Tenancy;

beforeAll(async () => {
  database = await freshDatabase();
  world = await createWorld(database);
  home = await newTenancy(world);
});
afterAll(async () => {
  await world.close();
  await database.close();
});

const login = (username: string, password: string, address = '10.0.0.1', tenantId = home.tenantId) =>
  world.identity.login(logInAs(tenantId, username, password), from(address));

/** Transactions that wait for another to end. */
const waitingForLock = async (): Promise<number> =>
  (await database.sql(`SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`)).length;

describe('a login', () => {
  it('opens a session whose tokens verify and carry the head it read', async () => {
    const userId = await newUser(world, home, { username: 'ann', email: 'Ann@Example.com', roles: ['viewer'] });
    const tokens = await login('ann', PASSWORD);
    const verified = world.tokens.verify(tokens.accessToken, Date.now());
    expect(verified).toMatchObject({ claims: { subject: userId, tenantId: home.tenantId, role: 'viewer', mfaVerified: false } });
    expect(tokens.refreshToken).toMatch(/^shr_/);
  });

  it('names the workload that logged somebody in as the client of the tokens, and nobody else', async () => {
    await newUser(world, home, { username: 'fronted' });
    const shop = {
      kind: 'workload',
      tenantId: home.tenantId,
      namespace: 'default',
      name: 'shop',
      spiffeId: 'spiffe://x',
      entry: null,
    } as const;
    const clientOf = async (call: Call): Promise<string> => {
      const { accessToken } = await world.identity.login(logInAs(home.tenantId, 'fronted', PASSWORD), call);
      const verified = world.tokens.verify(accessToken, Date.now());
      return verified.ok ? verified.claims.clientId : verified.reason;
    };
    expect([await clientOf({ ...from('10.0.0.1'), caller: shop }), await clientOf(from('10.0.0.1'))]).toEqual([
      'default/shop',
      'first-party',
    ]);
  });

  it('is counted by how it ended', async () => {
    await newUser(world, home, { username: 'counted' });
    const ended = async (result: string): Promise<number> =>
      Number(new RegExp(`^securityhub_logins_total\\{result="${result}"[^}]*\\} (\\d+)$`, 'm').exec(await world.metrics())?.[1] ?? '0');
    const before = [await ended('success'), await ended('failure')];
    await login('counted', PASSWORD);
    await outcome(login('counted', 'wrong'));
    await outcome(login('nobody at all', 'wrong'));
    expect([await ended('success'), await ended('failure')]).toEqual([(before[0] ?? 0) + 1, (before[1] ?? 0) + 2]);
  });

  it.each([['ANN'], ['ａｎｎ'], ['ann@example.com'], ['ANN@EXAMPLE.COM']])('finds the account by %s', async (name) => {
    expect(await outcome(login(name, PASSWORD))).toBe('OK');
  });

  it('takes the password however its accents were typed', async () => {
    await newUser(world, home, { username: 'accents', password: 'cafe\u0301 au lait, please' });
    expect(await outcome(login('accents', 'caf\u00e9 au lait, please'))).toBe('OK');
  });

  it('leaves an event with the session and never the password', async () => {
    world.entries.length = 0;
    const tokens = await login('ann', PASSWORD, '10.0.0.7');
    expect(world.entries).toMatchObject([
      { type: 'user.login', result: 'success', actor: { type: 'user' }, sessionId: tokens.sessionId, ipAddress: '10.0.0.7' },
    ]);
    expect(JSON.stringify(world.entries)).not.toContain(PASSWORD);
    expect(JSON.stringify(world.entries)).not.toContain(tokens.refreshToken);
  });

  it('needs no tenant while there is only one', async () => {
    const alone = await freshDatabase();
    const small = await createWorld(alone);
    const only = await newTenancy(small);
    expect(await outcome(small.identity.login(logInAs('', only.username, only.password), from('10.0.0.1')))).toBe('OK');
    const second = await newTenancy(small);
    expect(await outcome(small.identity.login(logInAs('', only.username, only.password), from('10.0.0.1')))).toBe(INVALID);
    await small.identity.changeTenantStatus(
      { tenantId: second.tenantId, status: 'suspended', reason: '' },
      { ...from('10.0.0.1'), caller: only.admin },
    );
    expect(await outcome(small.identity.login(logInAs('', only.username, only.password), from('10.0.0.1')))).toBe('OK');
    await small.close();
    await alone.close();
  });

  it('believes a scope list only when it is one', async () => {
    const asked = { ...logInAs(home.tenantId, 'ann', PASSWORD), scopes: ['fine', 'not fine'] };
    await expect(world.identity.login(asked, from('10.0.0.1'))).rejects.toMatchObject({ violations: [{ field: 'scopes[1]' }] });
  });
});

describe('a refused login', () => {
  it('reads the same whatever was wrong', async () => {
    const suspended = await newUser(world, home, { username: 'suspended' });
    await world.identity.changeUserStatus(
      { tenantId: home.tenantId, userId: suspended, status: 'suspended', reason: '' },
      { ...from('::1'), caller: home.admin },
    );
    await newUser(world, home, { username: 'silent', password: '' });
    const faults = await Promise.all(
      [
        login('ann', 'wrong password here'),
        login('nobody', PASSWORD),
        login('suspended', PASSWORD),
        login('silent', PASSWORD),
        login('ann', PASSWORD, '10.0.0.1', 'no-such-tenant'),
        login('ann', 'x'.repeat(1024)),
        login('', ''),
      ].map((one) =>
        one.then(
          () => 'OK',
          (fault: Error) => fault,
        ),
      ),
    );
    const texts = faults.map((fault) => JSON.stringify([fault, String(fault)]));
    expect(new Set(texts).size).toBe(1);
    expect(texts[0]).toContain('CREDENTIALS_INVALID');
  });

  it('is recorded with its true reason and without the name of an account that does not exist', async () => {
    world.entries.length = 0;
    await outcome(login('ghost-of-nobody', PASSWORD, '10.9.9.9'));
    expect(world.entries).toMatchObject([{ type: 'user.login_failed', result: 'failure', reason: 'USER_UNKNOWN', ipAddress: '10.9.9.9' }]);
    expect(JSON.stringify(world.entries)).not.toContain('ghost');
  });
});

describe('the limit of failures', () => {
  it('locks after five, for that address', async () => {
    await newUser(world, home, { username: 'bob' });
    for (let attempt = 0; attempt < 5; attempt += 1) expect(await outcome(login('bob', 'wrong', '10.1.0.1'))).toBe(INVALID);
    expect(await outcome(login('bob', PASSWORD, '10.1.0.1'))).toBe(INVALID);
    expect(await outcome(login('bob', PASSWORD, '10.1.0.2'))).toBe('OK');
  });

  it('starts anew after a success', async () => {
    await newUser(world, home, { username: 'carl' });
    for (let round = 0; round < 3; round += 1) {
      for (let attempt = 0; attempt < 4; attempt += 1) await outcome(login('carl', 'wrong', '10.2.0.1'));
      expect(await outcome(login('carl', PASSWORD, '10.2.0.1'))).toBe('OK');
    }
  });

  it('counts name and e-mail address as one account', async () => {
    await newUser(world, home, { username: 'dora', email: 'dora@example.com' });
    for (const name of ['dora', 'dora@example.com', 'DORA', 'dora@example.com', 'dora']) await outcome(login(name, 'wrong', '10.3.0.1'));
    expect(await outcome(login('dora@example.com', PASSWORD, '10.3.0.1'))).toBe(INVALID);
  });

  it('lets no more than five of twenty simultaneous guesses be looked at', async () => {
    await newUser(world, home, { username: 'eve' });
    world.entries.length = 0;
    const guesses = Array.from({ length: 20 }, (_, guess) => outcome(login('eve', `guess number ${guess}`, '10.4.0.1')));
    expect(new Set(await Promise.all(guesses))).toEqual(new Set([INVALID]));
    const reasons = Map.groupBy(world.entries, (entry) => entry.reason);
    expect(reasons.get('PASSWORD_WRONG')?.length).toBe(5);
    expect(reasons.get('USER_LOCKED')?.length).toBe(15);
  });

  it('counts all addresses together as well, ten times as many', async () => {
    await newUser(world, home, { username: 'finn' });
    world.entries.length = 0;
    const guesses = Array.from({ length: 60 }, (_, guess) => outcome(login('finn', 'wrong', `10.5.0.${guess}`)));
    await Promise.all(guesses);
    expect(world.entries.filter((entry) => entry.reason === 'PASSWORD_WRONG')).toHaveLength(50);
    expect(await outcome(login('finn', PASSWORD, '10.6.0.1'))).toBe(INVALID);
  });

  it('lets strangers lock nobody out of the networks he logs in from, where failures count by themselves', async () => {
    await newUser(world, home, { username: 'gus' });
    expect(await outcome(login('gus', PASSWORD, '10.13.0.1'))).toBe('OK');
    await Promise.all(Array.from({ length: 60 }, (_, guess) => outcome(login('gus', 'wrong', `10.14.0.${guess}`))));
    expect(await outcome(login('gus', PASSWORD, '10.15.0.1'))).toBe(INVALID);
    expect(await outcome(login('gus', PASSWORD, '10.13.0.2'))).toBe('OK');
    world.entries.length = 0;
    await Promise.all(Array.from({ length: 60 }, (_, guess) => outcome(login('gus', 'wrong', `10.13.0.${100 + guess}`))));
    expect(world.entries.filter((entry) => entry.reason === 'PASSWORD_WRONG')).toHaveLength(50);
    expect(await outcome(login('gus', PASSWORD, '10.13.0.2'))).toBe(INVALID);
  });

  it('remembers a failure no longer because the right password came after it', async () => {
    const userId = await newUser(world, home, { username: 'hans' });
    const ends = () =>
      database.sql<{ forget_at: Date }>(`SELECT forget_at FROM login_attempts WHERE account = $1 AND source = ''`, [userId]);
    await outcome(login('hans', 'wrong', '10.16.0.1'));
    const before = await ends();
    expect(await outcome(login('hans', PASSWORD, '10.17.0.1'))).toBe('OK');
    expect([before.length, await ends()]).toEqual([1, before]);
  });

  it('refuses the right password that the last failure overtook', async () => {
    const userId = await newUser(world, home, { username: 'ines' });
    await outcome(login('ines', 'wrong', '10.18.0.1'));
    world.entries.length = 0;
    const client = new pg.Client({ connectionString: database.uri });
    await client.connect();
    await client.query('BEGIN');
    await client.query(
      `UPDATE login_attempts SET failures = 5, locked_until = now() + interval '1 hour' WHERE account = $1 AND source <> ''`,
      [userId],
    );
    const right = outcome(login('ines', PASSWORD, '10.18.0.1'));
    await waitFor(async () => (await waitingForLock()) > 0, 10_000, 'the guess to wait for its row');
    await client.query('COMMIT');
    expect(await right).toBe(INVALID);
    expect(world.entries.map(({ reason }) => reason)).toEqual(['USER_LOCKED']);
    await client.end();
  });

  it('counts nothing that an outage swallowed', async () => {
    const url = new URL(database.uri);
    const proxy = await tcpProxy(url.hostname, Number(url.port));
    const replica = await createWorld({ ...database, uri: through(proxy, database.uri) }, {}, world);
    const userId = await newUser(replica, home, { username: 'jim' });
    const guess = (password: string) => outcome(replica.identity.login(logInAs(home.tenantId, 'jim', password), from('10.19.0.1')));
    for (const when of ['before', 'after'] as const) {
      // The guess was looked at, and is about to be counted.
      proxy.lose(Buffer.from('INSERT INTO login_attempts'), when);
      for (const password of ['wrong', PASSWORD, 'wrong', PASSWORD]) expect(await guess(password)).toBe('UNAVAILABLE/STORE_UNAVAILABLE');
      proxy.mend();
    }
    expect(await database.sql('SELECT FROM login_attempts WHERE account = $1', [userId])).toEqual([]);
    expect(await guess(PASSWORD)).toBe('OK');
    await replica.close();
    await proxy.close();
  });

  it('forgets what has run out, also of names that nobody has, however many', async () => {
    const before = await database.sql('SELECT FROM login_attempts');
    await database.sql(`INSERT INTO login_attempts (tenant_id, account, source, failures, forget_at)
      SELECT 'made-up', 'name-' || n, '10.20.0.1', 1, now() - interval '1 second' FROM generate_series(1, 12000) n`);
    await createAttempts(world.platform.db).sweep();
    expect(await database.sql('SELECT FROM login_attempts')).toHaveLength(before.length);
  });

  it('is lifted by an administrator, and shown until then', async () => {
    const userId = await newUser(world, home, { username: 'gina' });
    for (let attempt = 0; attempt < 5; attempt += 1) await outcome(login('gina', 'wrong', '10.7.0.1'));
    expect((await world.identity.getUser(home.tenantId, userId)).lockedUntil).not.toBeNull();
    await world.identity.changeUserStatus(
      { tenantId: home.tenantId, userId, status: 'active', reason: '' },
      { ...from('::1'), caller: home.admin },
    );
    expect((await world.identity.getUser(home.tenantId, userId)).lockedUntil).toBeNull();
    expect(await outcome(login('gina', PASSWORD, '10.7.0.1'))).toBe('OK');
  });

  it('counts accounts that do not exist the same way, so that a lock gives nothing away', async () => {
    world.entries.length = 0;
    for (let attempt = 0; attempt < 6; attempt += 1) await outcome(login('nobody-at-all', 'wrong', '10.8.0.1'));
    const [row] = await database.sql<{ failures: number; locked: boolean }>(
      `SELECT failures, locked_until IS NOT NULL AS locked FROM login_attempts WHERE source = '10.8.0.1'`,
    );
    expect(row).toEqual({ failures: 5, locked: true });
  });

  it('gives an attempt back when nothing was looked at', async () => {
    await newUser(world, home, { username: 'hugo' });
    const gone = { ...from('10.10.0.1'), deadline: Date.now() - 1 };
    for (let attempt = 0; attempt < 7; attempt += 1)
      expect(await outcome(world.identity.login(logInAs(home.tenantId, 'hugo', PASSWORD), gone))).toBe(
        'DEADLINE_EXCEEDED/DEADLINE_EXCEEDED',
      );
    expect(await outcome(login('hugo', PASSWORD, '10.10.0.1'))).toBe('OK');
  });
});

describe('a login that races', () => {
  it('opens nothing for a user suspended while the password was looked at', async () => {
    const userId = await newUser(world, home, { username: 'ivan' });
    const client = new pg.Client({ connectionString: database.uri });
    await client.connect();
    await client.query('BEGIN; LOCK TABLE login_attempts IN EXCLUSIVE MODE');
    const under = outcome(login('ivan', PASSWORD, '10.11.0.1'));
    await waitFor(async () => (await waitingForLock()) > 0, 10_000, 'the guess to wait for its count');
    await world.identity.changeUserStatus(
      { tenantId: home.tenantId, userId, status: 'suspended', reason: '' },
      { ...from('::1'), caller: home.admin },
    );
    await client.query('COMMIT');
    expect(await under).toBe(INVALID);
    await client.end();
  });

  it('is hashed anew with the parameters of today', async () => {
    const userId = await newUser(world, home, { username: 'jane' });
    const stronger = await createWorld(database, { hashMemory: 9216 }, world);
    expect(await outcome(stronger.identity.login(logInAs(home.tenantId, 'jane', PASSWORD), from('10.12.0.1')))).toBe('OK');
    const [row] = await database.sql<{ password_hash: string }>('SELECT password_hash FROM users WHERE user_id = $1', [userId]);
    expect(row?.password_hash).toContain('$m=9216,t=1,p=1$');
    expect(await outcome(login('jane', PASSWORD, '10.12.0.1'))).toBe('OK');
    await stronger.close();
  });
});
