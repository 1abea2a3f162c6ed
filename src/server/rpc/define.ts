// The method table: one typed row an RPC. A missing row does not compile.
import type { Call, MaybePromise } from '../../base/call.ts';
import type { Millis } from '../../base/time.ts';

/**
 * Who may use a row.
 * - `anonymous`: no credential needed.
 * - `known`: any caller that proved who it is; a workload needs the call in its entry.
 * - `holder`: any caller that proved who it is, workloads without an entry included (renewing one's own certificate).
 * - a permission: the caller must hold it now; a workload needs the call in its entry as well.
 *   Without one, any known caller, and the handler looks closer: rows for oneself or for whoever may look after others.
 *   `across`: whoever holds `installation:tenants` may name any tenant.
 */
export type Access = 'anonymous' | 'known' | 'holder' | { readonly permission?: string; readonly across?: boolean };

/**
 * How a call is kept (design §6). `in-transaction`: the use case writes its event with its change.
 * `required`: the event is durable before the answer. `sampled`: allowed calls may be sampled.
 * `none`: reads of no consequence. Refusals of every row are aggregated.
 */
export type AuditClass = 'in-transaction' | 'required' | 'sampled' | 'none';

/** What is shed first under lag is last here: health and revoke never are. */
export type LimitClass = 'vital' | 'verdict' | 'check' | 'manage' | 'login' | 'crypto' | 'batch' | 'issue' | 'stream';

export interface Columns {
  readonly access: Access;
  readonly audit: AuditClass;
  readonly limit: LimitClass;
  /** Our cap; the caller's own deadline counts when it is sooner. */
  readonly deadline: Millis;
  readonly idempotency: 'safe' | 'idempotent' | 'keyed' | 'none';
  /** Makes a credential that outlives the call: not for whoever acts for a user by an exchanged token. */
  readonly inPerson?: true;
  /** What of its own each caller pays with; left out: that of its limit class, where that has one. */
  readonly budget?: 'revoke';
}

/** Reads the usual request faster than the generated decoder, which it may ask about a part; null leaves the whole to it, as do all names that it would refuse. */
export type Read<Q> = (bytes: Buffer, generated: (bytes: Buffer) => Q) => Q | null;

export interface UnaryRow<Q, S> extends Columns {
  /** A handler that can answer at once returns no promise. Bytes are an answer already encoded. */
  readonly handle: (request: Q, call: Call) => MaybePromise<S | Uint8Array>;
  readonly read?: Read<Q>;
  /** Once it has answered nobody holds a view of the bytes of its request or of its answer: their memory is given back at once. */
  readonly fleeting?: true;
}

export interface StreamRow<Q, S> extends Columns {
  /** Watches `call.signal`: it aborts when the caller goes, the deadline passes or we drain. */
  readonly stream: (request: Q, call: Call) => AsyncIterable<S | Uint8Array>;
}

/** Requests arrive while the call runs; each is decoded, checked and let in like a request of its own. */
export interface ClientStreamRow<Q, S> extends Columns {
  readonly collect: (requests: AsyncIterable<Q>, call: Call) => Promise<S>;
}

export interface BidiRow<Q, S> extends Columns {
  readonly converse: (requests: AsyncIterable<Q>, call: Call) => AsyncIterable<S>;
}

/** The shape that ts-proto prints for a method (`outputServices=grpc-js`). */
export interface Method<Q = unknown, S = unknown> {
  readonly path: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  readonly requestDeserialize: (bytes: Buffer) => Q;
  readonly responseSerialize: (value: S) => Buffer;
  readonly read?: Read<Q>;
}

type RowOf<M> = M extends {
  requestDeserialize: (bytes: Buffer) => infer Q;
  responseSerialize: (value: infer S) => Buffer;
  requestStream: infer I;
  responseStream: infer O;
}
  ? I extends true
    ? O extends true
      ? BidiRow<Q, S>
      : ClientStreamRow<Q, S>
    : O extends true
      ? StreamRow<Q, S>
      : UnaryRow<Q, S>
  : never;

export type Rows<D> = { readonly [N in keyof D]: RowOf<D[N]> };

// The table mixes rows of every request type; each keeps its own type up to the adapter that decodes for it.
/* oxlint-disable typescript/no-explicit-any */
export type AnyRow = UnaryRow<any, any> | StreamRow<any, any> | ClientStreamRow<any, any> | BidiRow<any, any>;
/* oxlint-enable typescript/no-explicit-any */

export interface Service {
  readonly methods: readonly { readonly method: Method; readonly row: AnyRow }[];
}

/** Joins a generated service definition with its rows. */
export const service = <D extends object>(definition: D, rows: Rows<D>): Service => ({
  methods: (Object.keys(definition) as (keyof D)[]).map((name) => {
    const [method, row] = [definition[name] as Method, rows[name] as AnyRow];
    return { method: 'read' in row ? { ...method, read: row.read } : method, row };
  }),
});
