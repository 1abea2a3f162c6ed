// What a database error means: the store is away, try the transaction again, or a fact its edge knows how to name.
// Codes: https://www.postgresql.org/docs/15/errcodes-appendix.html
import { Fault, unavailable } from '../base/fault.ts';

const textOf = (thrown: unknown, member: 'code' | 'message'): string => {
  if (typeof thrown !== 'object' || thrown === null) return '';
  const value: unknown = Reflect.get(thrown, member);
  return typeof value === 'string' ? value : '';
};

export const sqlState = (thrown: unknown): string => textOf(thrown, 'code');

/** The transaction lost against another one and has done nothing: it may simply be run again. */
export const isRetryable = (thrown: unknown): boolean => ['40001', '40P01'].includes(sqlState(thrown));

const AWAY = new Set([
  // Connections: refused, reset, gone.
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ETIMEDOUT',
  'EPIPE',
  'ENOENT',
  // too_many_connections, insufficient_resources, disk_full, out_of_memory, query_canceled (statement_timeout),
  // lock_not_available, idle_in_transaction_session_timeout, transaction_timeout, idle_session_timeout.
  '53000',
  '53100',
  '53200',
  '53300',
  '57014',
  '55P03',
  '25P03',
  '25P04',
  '57P05',
  // admin_shutdown, crash_shutdown, cannot_connect_now, database_dropped.
  '57P01',
  '57P02',
  '57P03',
  '57P04',
  // A standby answers while we need the primary.
  '25006',
]);

// What the driver itself says has no code.
const AWAY_MESSAGE =
  /^(Query read timeout|timeout exceeded when trying to connect|timeout expired|Connection terminated|Client has encountered a connection error|Client was closed|Cannot use a pool after calling end)/;

/** Nobody there, or nobody who could do it now. PgBouncer says 08P01 when its servers are gone, so the whole class 08 counts. */
export const isAway = (thrown: unknown): boolean => {
  const state = sqlState(thrown);
  return AWAY.has(state) || /^08[0-9A-Z]{3}$/.test(state) || AWAY_MESSAGE.test(textOf(thrown, 'message'));
};

/** Nobody said anything for as long as we wait. */
export const isTimeout = (thrown: unknown): boolean =>
  /^(Query read timeout|timeout exceeded when trying to connect|timeout expired|Connection terminated due to connection timeout)/.test(
    textOf(thrown, 'message'),
  );

/** Errors after which the connection must not serve anybody else. */
export const breaksConnection = (thrown: unknown): boolean =>
  isAway(thrown) && !['57014', '55P03', '25006', '53100', '53200'].includes(sqlState(thrown));

export const storeUnavailable = (cause?: unknown): Fault => unavailable('STORE_UNAVAILABLE', 'the database does not answer', cause);

/** Postgres keeps no NUL character in text (22021) nor in JSON (22P05): only a caller's words can bring one. */
const holdsNul = (thrown: unknown): boolean => ['22021', '22P05'].includes(sqlState(thrown));

/**
 * The error for callers: UNAVAILABLE / STORE_UNAVAILABLE when the store is away, INVALID_ARGUMENT for text it cannot hold,
 * else itself (INTERNAL at the edge of the process).
 */
export const fromDatabase = (thrown: unknown): unknown => {
  if (thrown instanceof Fault) return thrown;
  if (isAway(thrown)) return storeUnavailable(thrown);
  return holdsNul(thrown)
    ? new Fault('INVALID_ARGUMENT', 'REQUEST_INVALID', 'text must not hold NUL characters', { cause: thrown })
    : thrown;
};
