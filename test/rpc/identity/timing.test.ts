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

const timed = async (username: string, address: string, password = 'wrong password here'): Promise<number> => {
  const begin = performance.now();
  await outcome(world.identity.login(logInAs(home.tenantId, username, password), from(address)));
  return performance.now() - begin;
};

/** Mann-Whitney: the chance that a time of `a` is longer than one of `b`; 0.5 when nobody can tell. */
const dominance = (a: readonly number[], b: readonly number[]): number => {
  const wins = a.flatMap((one) => b.map((other) => (one > other ? 1 : one === other ? 0.5 : 0)));
  return wins.reduce<number>((sum, win) => sum + win, 0) / wins.length;
};

interface Compared {
  readonly ranks: number;
  readonly quartiles: number;
}

const ROUNDS = 24;
const MOST_ROUNDS = 4 * ROUNDS;

/** Without a hash for one of them the ranks are 0 or 1, and the quartiles a factor of four apart. */
const BOUNDS = { ranks: [0.15, 0.85], quartiles: [0.75, 1.33] } as const;
const isEven = ({ ranks, quartiles }: Compared): boolean =>
  ranks > BOUNDS.ranks[0] && ranks < BOUNDS.ranks[1] && quartiles > BOUNDS.quartiles[0] && quartiles < BOUNDS.quartiles[1];

/**
 * Taken in turns, so that whatever else the machine does falls on both alike. What falls on one of them nevertheless is lost among more
 * rounds; a difference of theirs stays.
 */
const compared = async (first: () => Promise<number>, second: () => Promise<number>): Promise<Compared> => {
  const [a, b]: [number[], number[]] = [[], []];
  // Whatever else the machine does only adds to a time: the lower quartile holds least of it.
  const quartile = (times: readonly number[]): number => times.toSorted((x, y) => x - y)[Math.floor(times.length / 4)] ?? 0;
  for (;;) {
    for (let round = 0; round < ROUNDS; round += 1) {
      if (round % 2 === 0) a.push(await first());
      b.push(await second());
      if (round % 2 === 1) a.push(await first());
    }
    const found = { ranks: dominance(a, b), quartiles: quartile(a) / quartile(b) };
    if (isEven(found) || a.length >= MOST_ROUNDS) return found;
  }
};

const evenly = ({ ranks, quartiles }: Compared): void => {
  expect(ranks).toBeGreaterThan(BOUNDS.ranks[0]);
  expect(ranks).toBeLessThan(BOUNDS.ranks[1]);
  expect(quartiles).toBeGreaterThan(BOUNDS.quartiles[0]);
  expect(quartiles).toBeLessThan(BOUNDS.quartiles[1]);
};

describe('the time of a refused login', () => {
  it('is the same for an unknown name and a wrong password', async () => {
    await newUser(world, home, { username: 'timed' });
    await timed('timed', '10.0.0.1');
    evenly(
      await compared(
        () => timed('timed', '10.0.0.1'),
        () => timed('nobody', '10.0.0.1'),
      ),
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
    evenly(
      await compared(
        () => timed('locked', '10.0.0.2'),
        () => timed('open', '10.0.0.2'),
      ),
    );
    evenly(
      await compared(
        () => timed('locked', '10.0.0.2'),
        () => timed('locked', '10.0.0.2', PASSWORD),
      ),
    );
  });

  it('is the same for a suspended user and a wrong password', async () => {
    await newUser(world, home, { username: 'open2' });
    const userId = await newUser(world, home, { username: 'closed' });
    await world.identity.changeUserStatus(
      { tenantId: home.tenantId, userId, status: 'suspended', reason: '' },
      { ...from('::1'), caller: home.admin },
    );
    evenly(
      await compared(
        () => timed('closed', '10.0.0.3'),
        () => timed('open2', '10.0.0.3'),
      ),
    );
  });

  it('is the same for an unknown tenant', async () => {
    await newUser(world, home, { username: 'open3' });
    const elsewhere = async (): Promise<number> => {
      const begin = performance.now();
      await outcome(world.identity.login(logInAs('no-such-tenant', 'open3', PASSWORD), from('10.0.0.4')));
      return performance.now() - begin;
    };
    evenly(await compared(elsewhere, () => timed('open3', '10.0.0.4')));
  });
});
