// The one error that crosses a capability's door. Everything else becomes INTERNAL, its cause kept private.

/** Canonical gRPC status names (https://grpc.github.io/grpc/core/md_doc_statuscodes.html), without transport numbers. */
export type Code =
  | 'CANCELLED'
  | 'INVALID_ARGUMENT'
  | 'DEADLINE_EXCEEDED'
  | 'NOT_FOUND'
  | 'ALREADY_EXISTS'
  | 'PERMISSION_DENIED'
  | 'UNAUTHENTICATED'
  | 'RESOURCE_EXHAUSTED'
  | 'FAILED_PRECONDITION'
  | 'ABORTED'
  | 'OUT_OF_RANGE'
  | 'UNIMPLEMENTED'
  | 'INTERNAL'
  | 'UNAVAILABLE';

/** One bad field of a request: its path as the proto spells it, and what would be right. */
export interface FieldViolation {
  readonly field: string;
  readonly description: string;
}

export interface FaultDetail {
  /** Goes to the caller in ErrorInfo.metadata: never a secret, never somebody else's data. */
  readonly meta?: Readonly<Record<string, string>>;
  readonly violations?: readonly FieldViolation[];
  /** Milliseconds after which a retry makes sense (RetryInfo). */
  readonly retryAfter?: number;
  /** Stays in our logs. */
  readonly cause?: unknown;
}

/** `reason` is stable and documented (docs/reasons.md); `message` may change. */
export class Fault extends Error {
  readonly code: Code;
  readonly reason: string;
  readonly meta: Readonly<Record<string, string>>;
  readonly violations: readonly FieldViolation[];
  readonly retryAfter: number | undefined;

  constructor(code: Code, reason: string, message: string, detail: FaultDetail = {}) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.name = 'Fault';
    this.code = code;
    this.reason = reason;
    this.meta = detail.meta ?? {};
    this.violations = detail.violations ?? [];
    this.retryAfter = detail.retryAfter;
  }
}

/** INVALID_ARGUMENT that names the field. */
export const badField = (field: string, description: string, reason = 'REQUEST_INVALID'): Fault =>
  new Fault('INVALID_ARGUMENT', reason, `${field}: ${description}`, { violations: [{ field, description }] });

/** A dependency is away: no verdict, try again. */
export const unavailable = (reason: string, message: string, cause?: unknown): Fault =>
  new Fault('UNAVAILABLE', reason, message, { retryAfter: 1000, ...(cause === undefined ? {} : { cause }) });

/** Turns anything thrown into a Fault; what we do not know stays private behind "internal error". */
export const toFault = (thrown: unknown): Fault =>
  thrown instanceof Fault ? thrown : new Fault('INTERNAL', 'INTERNAL', 'internal error', { cause: thrown });
