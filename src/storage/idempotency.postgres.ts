// Which object a creating call has made, so that the same call repeated makes it once (per tenant, caller and method).
import { sql } from 'kysely';
import { equalBytes, hmacSha256 } from '../base/bytes.ts';
import type { Call } from '../base/call.ts';
import { subjectOf, type TenantId } from '../base/caller.ts';
import { canonicalJson } from '../base/canonical.ts';
import { Fault } from '../base/fault.ts';
import type { Database, Tx } from './storage.ts';

interface IdempotencyTables {
  readonly idempotency: {
    readonly tenant_id: string;
    readonly caller: string;
    readonly method: string;
    readonly key: string;
    readonly object_id: string;
    readonly request_hash: Buffer;
    readonly created_at: Date;
  };
}

export interface IdempotentCall {
  readonly tenantId: TenantId;
  readonly call: Pick<Call, 'caller' | 'method'>;
  /** The caller's `idempotency_key`; '' asks for nothing. */
  readonly key: string;
  /** What must be the same in a repetition. Leave out secrets: what stands here is hashed quickly, though keyed. */
  readonly request: unknown;
  /** What this call is about to make. */
  readonly objectId: string;
}

/**
 * Inside the transaction that creates, before it does: null = go ahead, else the id of what the first call made.
 * A racing first call is waited for. Other requests under the same key: FAILED_PRECONDITION / IDEMPOTENCY_KEY_REUSED.
 */
export type ClaimIdempotency = (tx: Tx, one: IdempotentCall) => Promise<string | null>;

/** How long a key is remembered. */
const REMEMBERED_DAYS = 7;

/** `secret` is 32 bytes derived from the master key, the same on every replica. */
export const createClaimIdempotency =
  (secret: Uint8Array): ClaimIdempotency =>
  async (tx, { tenantId, call, key, request, objectId }) => {
    if (key === '') return null;
    const subject = subjectOf(call.caller);
    const home = call.caller.kind === 'anonymous' ? '' : call.caller.tenantId;
    const row = { tenant_id: tenantId, caller: `${home}/${subject.type}:${subject.id}`, method: call.method, key };
    const hash = hmacSha256(secret, canonicalJson(request));
    const tables = tx.tables<IdempotencyTables>();
    const claimed = await tables
      .insertInto('idempotency')
      .values({ ...row, object_id: objectId, request_hash: hash, created_at: new Date() })
      .onConflict((conflict) => conflict.doNothing())
      .returning('object_id')
      .executeTakeFirst();
    if (claimed !== undefined) return null;
    const earlier = await tables
      .selectFrom('idempotency')
      .select(['object_id', 'request_hash'])
      .where('tenant_id', '=', tenantId)
      .where('caller', '=', row.caller)
      .where('method', '=', row.method)
      .where('key', '=', key)
      .executeTakeFirstOrThrow();
    if (equalBytes(earlier.request_hash, hash)) return earlier.object_id;
    throw new Fault('FAILED_PRECONDITION', 'IDEMPOTENCY_KEY_REUSED', 'this idempotency key belongs to another request');
  };

/** Forgets keys beyond their time, a bounded number at a go. A background job. */
export const forgetIdempotency = (db: Pick<Database, 'jobs'>) => (): Promise<void> =>
  db.jobs(async (tx) => {
    await sql`DELETE FROM idempotency WHERE (tenant_id, caller, method, key) IN (
      SELECT tenant_id, caller, method, key FROM idempotency
      WHERE created_at < clock_timestamp() - make_interval(days => ${REMEMBERED_DAYS}) LIMIT 5000)`.execute(tx.tables());
  });
