// Transactions: one statement opens them, takes the role and sets the tenant's wall, so that PgBouncer may stand between.
import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type QueryResult,
} from 'kysely';
import pg from 'pg';
import type { TenantId } from '../base/caller.ts';
import type { Millis } from '../base/time.ts';
import type { Pool } from './pool.postgres.ts';
import { breaksConnection, fromDatabase, isRetryable } from './sqlstate.ts';
import type { Connection } from './statement.postgres.ts';
import type { Database, Tx } from './storage.ts';

export interface DatabaseOptions {
  readonly pool: Pool;
  /** The database gives up a statement after this. Below the pool's `queryTimeout`, so that its word comes first. */
  readonly statementTimeout?: Millis;
}

const ATTEMPTS = 4;
const adapter = new PostgresAdapter();
const compiler = new PostgresQueryCompiler();

/** kysely on one borrowed connection; after the transaction it refuses, so that a forgotten promise cannot enter somebody else's. */
const bind = (borrowed: Connection): { readonly tx: Tx; readonly close: () => void } => {
  let open = true;
  const connection: DatabaseConnection = {
    async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
      if (!open) throw new Error('a query came after the end of its transaction');
      const answer = await borrowed.query(query.sql, query.parameters);
      const affected = answer.command === 'SELECT' || answer.rowCount === null ? {} : { numAffectedRows: BigInt(answer.rowCount) };
      return { ...affected, rows: answer.rows };
    },
    streamQuery: () => {
      throw new Error('page through rows instead');
    },
  };
  const refuse = (): Promise<void> => Promise.reject(new Error('the transaction is already open'));
  const driver: Driver = {
    init: async () => {},
    acquireConnection: async () => connection,
    releaseConnection: async () => {},
    beginTransaction: refuse,
    commitTransaction: refuse,
    rollbackTransaction: refuse,
    destroy: async () => {},
  };
  const dialect: Dialect = {
    createAdapter: () => adapter,
    createDriver: () => driver,
    createQueryCompiler: () => compiler,
    createIntrospector: (db) => new PostgresIntrospector(db),
  };
  const kysely = new Kysely<unknown>({ dialect });
  return {
    tx: { tables: <T>() => kysely as unknown as Kysely<T> },
    close: () => {
      open = false;
    },
  };
};

/** BEGIN and the first statement travel together as one simple query: the literal is quoted by the driver's own rule. */
const opening = (role: 'securityhub_app' | 'securityhub_jobs', tenantId: TenantId, timeout: Millis): string => {
  if (tenantId.includes('\0')) throw new Error('a tenant id holds no NUL');
  return `BEGIN ISOLATION LEVEL READ COMMITTED; SELECT set_config('role', '${role}', true), set_config('securityhub.tenant', ${pg.escapeLiteral(tenantId)}, true), set_config('statement_timeout', '${timeout}', true), set_config('idle_in_transaction_session_timeout', '10000', true)`;
};

export const createDatabase = (options: DatabaseOptions): Database => {
  const timeout = options.statementTimeout ?? 2500;

  const attempt = <T>(open: string, work: (tx: Tx) => Promise<T>): Promise<T> => {
    let broken = false;
    return options.pool.use(
      async (borrowed) => {
        const bound = bind(borrowed);
        try {
          await borrowed.query(open);
          const result = await work(bound.tx);
          bound.close();
          const end = await borrowed.query('COMMIT');
          // An aborted transaction answers COMMIT with ROLLBACK: somebody swallowed the error, so nothing was stored.
          if (end.command === 'ROLLBACK') throw new Error('a statement failed inside the transaction and its error was swallowed');
          return result;
        } catch (error) {
          bound.close();
          broken = breaksConnection(error);
          if (!broken)
            await borrowed.query('ROLLBACK').catch(() => {
              broken = true;
            });
          throw error;
        }
      },
      () => broken,
    );
  };

  const run = async <T>(open: string, work: (tx: Tx) => Promise<T>): Promise<T> => {
    for (let count = 1; ; count += 1) {
      try {
        return await attempt(open, work);
      } catch (error) {
        if (count === ATTEMPTS || !isRetryable(error)) throw fromDatabase(error);
      }
    }
  };

  return {
    tenant: (tenantId, work) => run(opening('securityhub_app', tenantId, timeout), work),
    jobs: (work) => run(opening('securityhub_jobs', '', timeout), work),
  };
};
