// Families by the million that come and go: what the product's own job makes of those that end, and what whoever refreshes meanwhile notices of it.
import type pg from 'pg';
import { hours, systemClock } from '../../src/base/time.ts';
import { RefreshTokenRequest, RefreshTokenResponse } from '../../src/gen/securityhub/v1/token.ts';
import { createDatabase } from '../../src/storage/database.postgres.ts';
import { createPool } from '../../src/storage/pool.postgres.ts';
import { spentStore } from '../../src/tokens/spent.postgres.ts';
import { sweepSpent } from '../../src/tokens/sweep.ts';
import type { Environment } from '../hub-process.ts';
import { openCaller, percentile } from './driver.ts';
import { login, type Setting } from './rows.ts';

/** The longest that an access token lives in production: the job leaves families alone for so long after their end. */
const LONGEST = hours(1);

const TELL = 10_000;

export interface Swept {
  readonly families: number;
  readonly seconds: number;
  readonly pieces: number;
  /** Milliseconds that a transaction of the job took. */
  readonly median: number;
  readonly longest: number;
}

/** The job itself, its clock set to the moment at which everything up to `end` may go. */
export const sweep = async (env: Environment, end: Date): Promise<Swept> => {
  const pool = createPool({ uri: env['POSTGRES_URI'] ?? '', size: 2 });
  const db = createDatabase({ pool });
  const times: number[] = [];
  let families = 0;
  const began = performance.now();
  let told = began;
  await sweepSpent({
    clock: { ...systemClock, now: () => end.getTime() + LONGEST },
    longest: LONGEST,
    db: {
      async jobs(work) {
        const sent = performance.now();
        try {
          return await db.jobs(work);
        } finally {
          times.push(performance.now() - sent);
        }
      },
    },
    spent: {
      ...spentStore,
      async clear(tx, table, ended, limit) {
        const cleared = await spentStore.clear(tx, table, ended, limit);
        if (table === 'token_families') families += cleared.gone;
        if (performance.now() - told > TELL) {
          told = performance.now();
          console.log(`${families} families carried away, now from ${table}, ${Math.round((told - began) / 1000)} s`);
        }
        return cleared;
      },
    },
  })();
  const seconds = (performance.now() - began) / 1000;
  await pool.end();
  times.sort((a, b) => a - b);
  return { families, seconds, pieces: times.length, median: percentile(times, 0.5), longest: times.at(-1) ?? 0 };
};

export interface Latency {
  readonly p50: number;
  readonly p99: number;
  readonly longest: number;
  readonly count: number;
  /** Calls, logins included, that were answered with anything but tokens. */
  readonly failed: number;
}

export interface Crowd {
  /** How long refreshes took since the last time this was asked, in milliseconds. */
  take(): Latency;
  leave(): Promise<void>;
}

const CLIENTS = 16;
const PAUSE = 60;
const LOGIN_EVERY = 1000;

/** People who refresh some two hundred times a second and log in once a second, at a pace of their own. */
export const crowd = async (setting: Setting): Promise<Crowd> => {
  const caller = await openCaller(setting.grpc);
  let times: number[] = [];
  let failed = 0;
  let here = true;
  const pause = (length: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, length));
  const refreshing = async (first: string): Promise<void> => {
    for (let refreshToken = first; here; ) {
      const request = Buffer.from(RefreshTokenRequest.encode(RefreshTokenRequest.fromPartial({ refreshToken })).finish());
      const asked = performance.now();
      try {
        const answer = await caller.call('/securityhub.v1.TokenService/RefreshToken', request);
        times.push(performance.now() - asked);
        refreshToken = RefreshTokenResponse.decode(answer).tokens?.refreshToken ?? '';
      } catch {
        // As a client does: the same token again.
        failed += 1;
      }
      await pause(PAUSE);
    }
  };
  const loggingIn = async (): Promise<void> => {
    while (here) {
      await login(caller, setting).catch(() => (failed += 1));
      await pause(LOGIN_EVERY);
    }
  };
  const firsts: string[] = [];
  for (let count = 0; count < CLIENTS; count += 1) firsts.push((await login(caller, setting)).refreshToken);
  const all = Promise.all([...firsts.map(refreshing), loggingIn()]);
  return {
    take() {
      const sorted = times.toSorted((a, b) => a - b);
      const found = {
        p50: percentile(sorted, 0.5),
        p99: percentile(sorted, 0.99),
        longest: sorted.at(-1) ?? 0,
        count: sorted.length,
        failed,
      };
      times = [];
      failed = 0;
      return found;
    },
    async leave() {
      here = false;
      await all;
      caller.close();
    },
  };
};

export interface Size {
  /** Bytes of the tables alone, and of their indexes. */
  readonly tables: number;
  readonly indexes: number;
  /** Rows that were deleted or replaced and not yet cleared away, as the database counts them. */
  readonly dead: number;
  readonly vacuums: number;
}

export const sizeOf = async (client: pg.Client): Promise<Size> => {
  const { rows } = await client.query<Size>(
    `SELECT sum(pg_table_size(relid))::float8 AS tables, sum(pg_indexes_size(relid))::float8 AS indexes, sum(n_dead_tup)::float8 AS dead,
       sum(autovacuum_count)::float8 AS vacuums
     FROM pg_stat_user_tables WHERE relname IN ('token_families', 'sessions')`,
  );
  return rows[0] ?? { tables: 0, indexes: 0, dead: 0, vacuums: 0 };
};

export interface Vacuumed {
  readonly mostDead: number;
  readonly dead: number;
  /** From the end of the job to the last row cleared away, or until nobody waited any longer. */
  readonly seconds: number;
}

/** Autovacuum comes by itself, at the pace it has; until there is less than `enough` left. */
export const vacuumed = async (client: pg.Client, enough: number, patience: number): Promise<Vacuumed> => {
  const began = performance.now();
  let mostDead = 0;
  let told = began;
  for (;;) {
    const { dead } = await sizeOf(client);
    if (performance.now() - told > TELL) {
      told = performance.now();
      console.log(`${dead} dead rows, ${Math.round((told - began) / 1000)} s`);
    }
    mostDead = Math.max(mostDead, dead);
    if (dead < enough || performance.now() - began > patience) return { mostDead, dead, seconds: (performance.now() - began) / 1000 };
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
};

/** A generation that goes, and the one that comes; without what there was no time for. */
export interface Round {
  readonly quiet: Latency;
  readonly swept: Swept;
  readonly sweeping: Latency;
  readonly vacuumed?: Vacuumed;
  readonly vacuuming?: Latency;
  readonly size?: Size;
  readonly bornPerSecond?: number;
  readonly bearing?: Latency;
}
