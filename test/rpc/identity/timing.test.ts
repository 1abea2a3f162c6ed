// How long a refusal takes says nothing about why: the ranks of the times of two kinds of refusal are mixed evenly.
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { type FreshDatabase, freshDatabase, outcome } from '../../harness.ts';
import { createWorld, from, logInAs, newTenancy, newUser, PASSWORD, type Tenancy, type World } from './world.ts';

jest.setTimeout(120_000);
let database: FreshDatabase;
let world: World;
let home: Tenancy;

beforeAll(async () => {
  database = await freshDatabase();
  // The real parameters, one thread; enough attempts that `wrong` never turns into `locked`.
  world = await createWorld(database, { hashMemory: 19_456, hashPasses: 2, hashThreads: 1, maxLoginAttempts: 100 });
  home = await newTenancy(world);
});
afterAll(async () => {
  await world.close();
  await database.close();
});

const timed = async (username: string, address: string, password = 'wrong password here', tenantId = home.tenantId): Promise<number> => {
  const begin = performance.now();
  const said = await outcome(world.identity.login(logInAs(tenantId, username, password), from(address)));
  const length = performance.now() - begin;
  expect(said).toBe('UNAUTHENTICATED/CREDENTIALS_INVALID');
  return length;
};

/** Kolmogorov-Smirnov: the most by which the shares of `a` and of `b` that are done after the same time differ. */
const distance = (a: readonly number[], b: readonly number[]): number => {
  const done = (times: readonly number[], by: number): number => times.filter((time) => time <= by).length / times.length;
  return Math.max(...[...a, ...b].map((by) => Math.abs(done(a, by) - done(b, by))));
};

/** Mann-Whitney: the chance that a time of `a` is longer than one of `b`; 0.5 when nobody can tell. */
const dominance = (a: readonly number[], b: readonly number[]): number => {
  const wins = a.flatMap((one) => b.map((other) => (one > other ? 1 : one === other ? 0.5 : 0)));
  return wins.reduce<number>((sum, win) => sum + win, 0) / wins.length;
};

/** Whatever else the machine does only adds to a time: the lower quartile holds least of it. */
const quartile = (times: readonly number[]): number => times.toSorted((x, y) => x - y)[Math.floor(times.length / 4)] ?? 0;

const ROUNDS = 40;
/** Times of one kind are farther apart than this once in ten thousand runs: 2.225 √(2 / ROUNDS), and 3.89 standard deviations of the ranks. */
const FARTHEST = 2.225 * Math.sqrt(2 / ROUNDS);
const RANKS = 3.89 * Math.sqrt((2 * ROUNDS + 1) / (12 * ROUNDS ** 2));

/**
 * As many rounds whatever they show, taken in turns, so that whatever else the machine does falls on both alike.
 * Without a hash for one of them the distance is 1, the ranks are 0 or 1, and the quartiles a factor of four apart.
 */
const expectEven = async (first: () => Promise<number>, second: () => Promise<number>): Promise<void> => {
  const [a, b]: [number[], number[]] = [[], []];
  for (let round = 0; round < ROUNDS; round += 1) {
    if (round % 2 === 0) a.push(await first());
    b.push(await second());
    if (round % 2 === 1) a.push(await first());
  }
  expect(distance(a, b)).toBeLessThan(FARTHEST);
  expect(Math.abs(dominance(a, b) - 0.5)).toBeLessThan(RANKS);
  expect(quartile(a) / quartile(b)).toBeGreaterThan(0.75);
  expect(quartile(a) / quartile(b)).toBeLessThan(1.33);
};

describe('the time of a refused login', () => {
  it('is the same for an unknown name and a wrong password', async () => {
    await newUser(world, home, { username: 'timed' });
    await timed('timed', '10.0.0.1');
    await expectEven(
      () => timed('timed', '10.0.0.1'),
      () => timed('nobody', '10.0.0.1'),
    );
  });

  it('is the same for a locked account and a wrong password', async () => {
    await newUser(world, home, { username: 'open' });
    const locked = await newUser(world, home, { username: 'locked' });
    await database.sql(
      `INSERT INTO login_attempts (tenant_id, account, source, failures, locked_until, forget_at)
       VALUES ($1, $2, '10.0.0.2', 100, now() + interval '1 hour', now() + interval '1 hour')`,
      [home.tenantId, locked],
    );
    expect(await outcome(world.identity.login(logInAs(home.tenantId, 'locked', PASSWORD), from('10.0.0.2')))).toContain(
      'CREDENTIALS_INVALID',
    );
    await expectEven(
      () => timed('locked', '10.0.0.2'),
      () => timed('open', '10.0.0.2'),
    );
    await expectEven(
      () => timed('locked', '10.0.0.2'),
      () => timed('locked', '10.0.0.2', PASSWORD),
    );
  });

  it('is the same for a suspended user and a wrong password', async () => {
    await newUser(world, home, { username: 'open2' });
    const userId = await newUser(world, home, { username: 'closed' });
    await world.identity.changeUserStatus(
      { tenantId: home.tenantId, userId, status: 'suspended', reason: '' },
      { ...from('::1'), caller: home.admin },
    );
    await expectEven(
      () => timed('closed', '10.0.0.3'),
      () => timed('open2', '10.0.0.3'),
    );
  });

  it('is the same for an unknown tenant', async () => {
    await newUser(world, home, { username: 'open3' });
    await expectEven(
      () => timed('open3', '10.0.0.4', PASSWORD, 'no-such-tenant'),
      () => timed('open3', '10.0.0.4'),
    );
  });
});
