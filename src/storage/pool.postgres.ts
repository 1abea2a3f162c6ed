// Connections to Postgres: bounded in number and in the time anything may take, numbers as numbers. A silent database is found out once, not by everybody.
import pg from 'pg';
import type { Millis } from '../base/time.ts';
import { fromDatabase, isAway, isTimeout, storeUnavailable } from './sqlstate.ts';
import { type Connection, connectionOf } from './statement.postgres.ts';

export interface PoolOptions {
  readonly uri: string;
  readonly size: number;
  /** Waiting for a connection, new or free. */
  readonly connectTimeout?: Millis;
  /** Counted here, so that a database that stopped answering makes calls fail in bounded time. */
  readonly queryTimeout?: Millis;
  readonly onError?: (error: unknown) => void;
}

export interface Pool {
  /** A connection for one piece of work. STORE_UNAVAILABLE where nobody answers; what else `work` throws passes through. A connection it calls broken is destroyed. */
  use<T>(work: (connection: Connection) => Promise<T>, broken: (error: unknown) => boolean): Promise<T>;
  readonly total: number;
  readonly waiting: number;
  /** Bounded: connections that do not say goodbye within a second are left to the operating system. */
  end(): Promise<void>;
}

const INT8: number = pg.types.builtins.INT8;

/** bigint within ±2⁵³ as a number; beyond, an error rather than a wrong value. */
const parseInt8 = (text: string): number => {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError('a bigint of the database is beyond 2^53');
  return value;
};

/** The driver's own table, but int8 → number. */
export const types: pg.CustomTypesConfig = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    oid === INT8 && format !== 'binary' ? parseInt8 : pg.types.getTypeParser(oid),
};

/** So many go on asking a database that answers nobody; the others are told at once. */
const PROBES = 2;

/** Whether anybody hears anything of the database. It is silent once somebody waited in vain while nobody else was answered either. */
const createHearing = (onSilence: () => void) => {
  let heardAt = 0;
  let asking = 0;
  let silent = false;
  const heard = (): void => {
    heardAt = performance.now();
    silent = false;
  };
  return {
    heard,
    async during<T>(work: () => Promise<T>): Promise<T> {
      if (silent && asking >= PROBES) throw storeUnavailable();
      const began = performance.now();
      asking += 1;
      try {
        const answer = await work();
        heard();
        return answer;
      } catch (error) {
        if (!isAway(error)) heard();
        else if (isTimeout(error) && heardAt < began && !silent) {
          silent = true;
          onSilence();
        }
        throw error;
      } finally {
        asking -= 1;
      }
    },
  };
};

export const createPool = (options: PoolOptions): Pool => {
  let ended = false;
  const report = (error: unknown): void => {
    if (!ended) options.onError?.(error);
  };
  const open = (): pg.Pool => {
    const made = new pg.Pool({
      connectionString: options.uri,
      max: options.size,
      connectionTimeoutMillis: options.connectTimeout ?? 2000,
      idleTimeoutMillis: 30_000,
      keepAlive: true,
      application_name: 'security-hub',
      types,
    });
    made.on('error', report);
    made.on('connect', (client) => {
      hearing.heard();
      // A connection that dies between two queries of its holder has nobody else listening; the next query fails and says so.
      client.on('error', report);
    });
    return made;
  };
  // What stood open may lead to a machine that is no more: whoever asks from now on connects anew.
  const hearing = createHearing(() => {
    pool.end().catch(report);
    pool = open();
  });
  let pool = open();

  const lent = async <T>(work: (connection: Connection) => Promise<T>, broken: (error: unknown) => boolean): Promise<T> => {
    const client = await pool.connect();
    let destroy = false;
    try {
      return await work(connectionOf(client, options.queryTimeout ?? 3000));
    } catch (error) {
      destroy = broken(error);
      throw error;
    } finally {
      client.release(destroy);
    }
  };

  return {
    use: (work, broken) =>
      hearing
        .during(() => lent(work, broken))
        .catch((error: unknown) => {
          throw isAway(error) ? fromDatabase(error) : error;
        }),
    get total() {
      return pool.totalCount;
    },
    get waiting() {
      return pool.waitingCount;
    },
    async end() {
      ended = true;
      let timer: NodeJS.Timeout | undefined;
      const patience = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, 1000);
      });
      await Promise.race([pool.end(), patience]);
      clearTimeout(timer);
    },
  };
};
