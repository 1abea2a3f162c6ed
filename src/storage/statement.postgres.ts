// One statement and its answer, in bounded time. The driver would do both, with functions written straight into a property of the query; V8
// makes those old at birth, and dead they keep query, rows and answer until the next full collection: 1.4 KB a statement.
import pg from 'pg';
import type { Millis } from '../base/time.ts';

/** What a borrowed connection can be asked. */
export interface Connection {
  query(text: string, values?: readonly unknown[]): Promise<pg.QueryResult>;
  /** Several statements in one round trip; of each the rows, as arrays. */
  queryAll(text: string): Promise<readonly pg.QueryArrayResult<unknown[]>[]>;
}

const answered = (client: pg.ClientBase, asked: pg.QueryConfig, timeout: Millis): Promise<unknown> =>
  new Promise((resolve, reject) => {
    // Whoever hears of this lets the connection go, and the statement with it.
    const timer = setTimeout(() => reject(new Error('Query read timeout')), timeout);
    const query = new pg.Query(asked, undefined, (error, result) => {
      clearTimeout(timer);
      if (error) reject(error);
      else resolve(result);
    });
    client.query(query);
  });

export const connectionOf = (client: pg.ClientBase, timeout: Millis): Connection => {
  const ask = async (asked: pg.QueryConfig): Promise<unknown> => {
    try {
      return await answered(client, asked, timeout);
    } catch (error) {
      // It leads to a socket; better to who asked.
      if (typeof error === 'object' && error !== null) Error.captureStackTrace(error);
      throw error;
    }
  };
  return {
    query: async (text, values) => (await ask(values === undefined ? { text } : { text, values: [...values] })) as pg.QueryResult,
    queryAll: async (text) => (await ask({ text, rowMode: 'array' } as pg.QueryConfig)) as readonly pg.QueryArrayResult<unknown[]>[],
  };
};
