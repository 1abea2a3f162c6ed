// Fault ⇄ gRPC status with rich details (google.rpc.Status in `grpc-status-details-bin`).
import { Metadata, type StatusObject } from '@grpc/grpc-js';
import { type Code, Fault } from '../../base/fault.ts';
import { BadRequest, ErrorInfo, PreconditionFailure, QuotaFailure, RequestInfo, RetryInfo } from '../../gen/google/rpc/error_details.ts';
import { Status } from '../../gen/google/rpc/status.ts';

const DOMAIN = 'securityhub';

/** https://grpc.github.io/grpc/core/md_doc_statuscodes.html */
const NUMBERS: Readonly<Record<Code, number>> = {
  CANCELLED: 1,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
};
const CODES = new Map(Object.entries(NUMBERS).map(([code, number]) => [number, code as Code]));

/** Other gRPC stacks take 8 KiB of trailers at most; base64 adds a third. */
const MOST_VIOLATIONS = 16;
const LONGEST_TEXT = 300;

/** grpc-js percent-encodes the message and throws on half a surrogate pair. */
const short = (text: string): string => (text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}…` : text).toWellFormed();

interface Encoder<T> {
  encode(message: T): { finish(): Uint8Array };
}

const any = <T>(name: string, type: Encoder<T>, message: T) => ({
  typeUrl: `type.googleapis.com/google.rpc.${name}`,
  value: Buffer.from(type.encode(message).finish()),
});

const detailsOf = (fault: Fault, requestId: string) => {
  const meta = Object.fromEntries(Object.entries(fault.meta).map(([key, value]) => [key, short(value)]));
  const details = [any('ErrorInfo', ErrorInfo, { reason: fault.reason, domain: DOMAIN, metadata: meta })];
  if (fault.violations.length > 0) {
    const fieldViolations = fault.violations
      .slice(0, MOST_VIOLATIONS)
      .map(({ field, description }) => ({ field: short(field), description: short(description), reason: fault.reason }));
    details.push(any('BadRequest', BadRequest, BadRequest.fromPartial({ fieldViolations })));
  }
  const about = { subject: short(fault.meta['subject'] ?? DOMAIN), description: short(fault.message) };
  if (fault.code === 'FAILED_PRECONDITION')
    details.push(
      any('PreconditionFailure', PreconditionFailure, PreconditionFailure.fromPartial({ violations: [{ type: fault.reason, ...about }] })),
    );
  if (fault.code === 'RESOURCE_EXHAUSTED')
    details.push(any('QuotaFailure', QuotaFailure, QuotaFailure.fromPartial({ violations: [about] })));
  if (fault.retryAfter !== undefined) {
    const retryDelay = { seconds: Math.floor(fault.retryAfter / 1000), nanos: Math.round((fault.retryAfter % 1000) * 1e6) };
    details.push(any('RetryInfo', RetryInfo, { retryDelay }));
  }
  if (requestId !== '') details.push(any('RequestInfo', RequestInfo, { requestId, servingData: '' }));
  return details;
};

/** What the next DPoP proof must carry (RFC 9449 §8); '' where nothing is asked for. */
export const nonceOf = ({ meta }: Pick<Fault, 'meta'>): string => meta['dpop_nonce'] ?? '';

/** What a caller sees of a fault: code, message, details. The cause stays here. */
export const statusOf = (fault: Fault, requestId: string): StatusObject => {
  const code = NUMBERS[fault.code];
  const message = short(fault.message);
  const metadata = new Metadata();
  metadata.set('grpc-status-details-bin', Buffer.from(Status.encode({ code, message, details: detailsOf(fault, requestId) }).finish()));
  if (requestId !== '') metadata.set('x-request-id', requestId);
  const nonce = nonceOf(fault);
  if (nonce !== '') metadata.set('dpop-nonce', nonce);
  return { code, details: message, metadata };
};

/** The Fault behind a failed call of another hub; reason '' where the other side said none. */
export const faultOf = (error: { readonly code: number; readonly details: string; readonly metadata?: Metadata }): Fault => {
  const code = CODES.get(error.code) ?? 'INTERNAL';
  const [packed] = error.metadata?.get('grpc-status-details-bin') ?? [];
  const details = packed instanceof Uint8Array || Buffer.isBuffer(packed) ? Status.decode(packed).details : [];
  const find = (name: string): Buffer | undefined => details.find(({ typeUrl }) => typeUrl.endsWith(`/google.rpc.${name}`))?.value;
  const info = find('ErrorInfo');
  const bad = find('BadRequest');
  const retry = find('RetryInfo');
  const { reason, metadata } = info === undefined ? { reason: '', metadata: {} } : ErrorInfo.decode(info);
  const delay = retry === undefined ? undefined : RetryInfo.decode(retry).retryDelay;
  return new Fault(code, reason, error.details, {
    meta: metadata,
    violations: bad === undefined ? [] : BadRequest.decode(bad).fieldViolations.map(({ field, description }) => ({ field, description })),
    ...(delay === undefined ? {} : { retryAfter: delay.seconds * 1000 + delay.nanos / 1e6 }),
  });
};
