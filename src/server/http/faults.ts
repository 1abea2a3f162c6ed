// Fault → HTTP: the standard status for each code (google/rpc/code.proto), and the google.rpc.Status of gRPC as JSON.
import { fromBinary, toJsonString } from '@bufbuild/protobuf';
import type { Code, Fault } from '../../base/fault.ts';
import { descriptors } from '../descriptors/registry.ts';
import { nonceOf, statusOf } from '../grpc/status.ts';
import { json, type Reply } from './route.ts';

export const HTTP: Readonly<Record<Code, number>> = {
  CANCELLED: 499,
  INVALID_ARGUMENT: 400,
  DEADLINE_EXCEEDED: 504,
  NOT_FOUND: 404,
  ALREADY_EXISTS: 409,
  PERMISSION_DENIED: 403,
  RESOURCE_EXHAUSTED: 429,
  FAILED_PRECONDITION: 400,
  ABORTED: 409,
  OUT_OF_RANGE: 400,
  UNIMPLEMENTED: 501,
  INTERNAL: 500,
  UNAVAILABLE: 503,
  UNAUTHENTICATED: 401,
};

/** The very details that a gRPC caller gets, printed by the same description. */
const bodyOf = (fault: Fault, requestId: string): string => {
  const { registry } = descriptors();
  const status = registry.getMessage('google.rpc.Status');
  const [bytes] = statusOf(fault, requestId).metadata.get('grpc-status-details-bin');
  if (status === undefined || typeof bytes !== 'object') throw new Error('google.rpc.Status is not described');
  return toJsonString(status, fromBinary(status, bytes), { registry });
};

/** When to try again, in whole seconds (RFC 9110 §10.2.3). */
export const retryAfter = (fault: Fault): Readonly<Record<string, string>> =>
  fault.retryAfter === undefined ? {} : { 'retry-after': String(Math.max(1, Math.ceil(fault.retryAfter / 1000))) };

/** How to do better (RFC 6750 §3, RFC 9449 §7.1, §9). */
const challenge = (fault: Fault): Readonly<Record<string, string>> => {
  if (fault.code !== 'UNAUTHENTICATED') return {};
  const nonce = nonceOf(fault);
  if (nonce !== '') return { 'www-authenticate': 'DPoP error="use_dpop_nonce"', 'dpop-nonce': nonce };
  return { 'www-authenticate': fault.reason.startsWith('DPOP_') ? 'DPoP error="invalid_dpop_proof"' : 'Bearer' };
};

/** `status` is given where a plainer one says more: 404 of an unknown path, 405, 413, 415. */
export const faultReply = (fault: Fault, requestId: string, status: number = HTTP[fault.code]): Reply =>
  json(status, bodyOf(fault, requestId), { ...retryAfter(fault), ...challenge(fault) });
