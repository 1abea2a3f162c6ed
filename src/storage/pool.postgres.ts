// Connections to Postgres: bounded in number and in the time anything may take, numbers as numbers.
import pg from 'pg';
import type { Millis } from '../base/time.ts';
import { fromDatabase } from './sqlstate.ts';

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
  /** A connection for one piece of work. What `work` throws passes through; a connection it calls broken is destroyed. */
  use<T>(work: (client: pg.PoolClient) => Promise<T>, broken: (error: unknown) => boolean): Promise<T>;
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

export const createPool = (options: PoolOptions): Pool => {
  const pool = new pg.Pool({
    connectionString: options.uri,
    max: options.size,
    connectionTimeoutMillis: options.connectTimeout ?? 2000,
    query_timeout: options.queryTimeout ?? 3000,
    idleTimeoutMillis: 30_000,
    keepAlive: true,
    application_name: 'security-hub',
    types,
  });
  let ended = false;
  const report = (error: unknown): void => {
    if (!ended) options.onError?.(error);
  };
  pool.on('error', report);
  // A connection that dies between two queries of its holder has nobody else listening; the next query fails and says so.
  pool.on('connect', (client) => void client.on('error', report));

  return {
    async use(work, broken) {
      const client = await pool.connect().catch((error: unknown) => {
        throw fromDatabase(error);
      });
      let destroy = false;
      try {
        return await work(client);
      } catch (error) {
        destroy = broken(error);
        throw error;
      } finally {
        client.release(destroy);
      }
    },
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
