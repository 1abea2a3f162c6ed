// What each setting of identity changes.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { callAs, userCaller } from '../../callers.ts';
import { type FreshDatabase, freshDatabase, outcome, waitFor } from '../../harness.ts';
import { createWorld, from, logInAs, newTenancy, newUser, PASSWORD, type Tenancy, type World } from './world.ts';

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

const INVALID = 'UNAUTHENTICATED/CREDENTIALS_INVALID';
const withSettings = async (over: Parameters<typeof createWorld>[1], play: (other: World) => Promise<void>): Promise<void> => {
  const other = await createWorld(database, over, world);
  try {
    await play(other);
  } finally {
    await other.close();
  }
};
const login = (where: World, username: string, password: string, address = '10.0.0.1') =>
  outcome(where.identity.login(logInAs(home.tenantId, username, password), from(address)));
const hashOf = async (userId: string): Promise<string> => {
  const [row] = await database.sql<{ password_hash: string }>('SELECT password_hash FROM users WHERE user_id = $1', [userId]);
  return row?.password_hash ?? '';
};

it('MAX_LOGIN_ATTEMPTS says how many failures lock', () =>
  withSettings({ maxLoginAttempts: 2 }, async (strict) => {
    await newUser(world, home, { username: 'max' });
    await login(strict, 'max', 'wrong');
    expect(await login(strict, 'max', PASSWORD)).toBe('OK');
    await login(strict, 'max', 'wrong');
    await login(strict, 'max', 'wrong');
    expect(await login(strict, 'max', PASSWORD)).toBe(INVALID);
  }));

it('MAX_LOGIN_ATTEMPTS of one locks at the first failure and lets the right one in', () =>
  withSettings({ maxLoginAttempts: 1 }, async (strict) => {
    await newUser(world, home, { username: 'one' });
    expect([await login(strict, 'one', PASSWORD), await login(strict, 'one', PASSWORD)]).toEqual(['OK', 'OK']);
    await login(strict, 'one', 'wrong');
    expect(await login(strict, 'one', PASSWORD)).toBe(INVALID);
  }));

it('LOCKOUT_DURATION_MINUTES says how long', () =>
  withSettings({ maxLoginAttempts: 1, lockoutDuration: 2000 }, async (brief) => {
    await newUser(world, home, { username: 'brief' });
    await login(brief, 'brief', 'wrong');
    expect(await login(brief, 'brief', PASSWORD)).toBe(INVALID);
    await waitFor(async () => (await login(brief, 'brief', PASSWORD)) === 'OK', 10_000, 'the unlocking');
  }));

it('failures of one IPv6 network count together', async () => {
  await newUser(world, home, { username: 'six' });
  for (let host = 1; host <= 5; host += 1) await login(world, 'six', 'wrong', `2001:db8:1:2::${host}`);
  expect(await login(world, 'six', PASSWORD, '2001:db8:1:2::99')).toBe(INVALID);
  expect(await login(world, 'six', PASSWORD, '2001:db8:1:3::1')).toBe('OK');
});

it('PASSWORD_MIN_LENGTH and PASSWORD_REQUIRE_SPECIAL shape what is accepted', () =>
  withSettings({ passwordMinLength: 8, passwordRequireSpecial: false }, async (lax) => {
    expect(await outcome(newUser(world, home, { password: 'abcd1234' }))).toBe('INVALID_ARGUMENT/PASSWORD_TOO_WEAK');
    expect(await outcome(newUser(world, home, { password: 'abcdefgh1234' }))).toBe('INVALID_ARGUMENT/PASSWORD_TOO_WEAK');
    expect(await outcome(newUser(lax, home, { password: 'abcd1234' }))).toBe('OK');
  }));

it('PASSWORD_HASH_MEMORY_KIB, _PASSES and _LANES are what a new hash costs', () =>
  withSettings({ hashMemory: 16_384, hashPasses: 3, hashLanes: 2 }, async (costly) => {
    expect(await hashOf(await newUser(costly, home))).toContain('$argon2id$v=19$m=16384,t=3,p=2$');
  }));

it('PASSWORD_HASH_THREADS and PASSWORD_HASH_QUEUE say how many logins may be at it; the rest is told to come back', () =>
  withSettings({ hashThreads: 1, hashQueue: 2, hashMemory: 65_536 }, async (narrow) => {
    const outcomes = await Promise.all(Array.from({ length: 8 }, (_, index) => login(narrow, `nobody${index}`, 'x', `10.1.0.${index}`)));
    expect(outcomes.filter((one) => one === INVALID)).toHaveLength(3);
    expect(outcomes.filter((one) => one === 'RESOURCE_EXHAUSTED/LOGIN_BUSY')).toHaveLength(5);
  }));

describe('the address of a login', () => {
  const asked = (ipAddress: string) => ({ ...logInAs(home.tenantId, 'edge', 'wrong'), context: { ipAddress, userAgent: 'browser' } });

  it('is believed from callers with context:assert only', async () => {
    await newUser(world, home, { username: 'edge' });
    world.entries.length = 0;
    await outcome(world.identity.login(asked('203.0.113.7'), callAs(home.admin)));
    const plain = userCaller(home.tenantId, await newUser(world, home));
    await outcome(world.identity.login(asked('203.0.113.7'), callAs(plain)));
    await outcome(world.identity.login(asked('203.0.113.7'), from('10.2.0.1')));
    const failures = world.entries.filter((entry) => entry.type === 'user.login_failed');
    expect(failures.map((entry) => entry.ipAddress)).toEqual(['203.0.113.7', '127.0.0.1', '10.2.0.1']);
  });

  it('must then be one', async () => {
    expect(await outcome(world.identity.login(asked('not an address'), callAs(home.admin)))).toBe('INVALID_ARGUMENT/REQUEST_INVALID');
  });
});
