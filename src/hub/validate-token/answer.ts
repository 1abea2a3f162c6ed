// The answer of ValidateToken on the wire: encoded once where it stays the same, and the moment written behind it.
import { ValidateTokenResponse } from '../../gen/securityhub/v1/security_hub.ts';
import type { Moment } from './moment.ts';
import type { Reason } from '../verdict.ts';
import { INSTANT_BYTES, instant, NUMBER_BYTES, tagOf, whole } from '../../base/wire-bytes.ts';

/** A response with nothing in it. */
export const emptyResponse = (): ValidateTokenResponse => ValidateTokenResponse.fromPartial({});

/**
 * Bytes that wait for the moment to be appended (protobuf: concatenated messages are merged), one character a byte: a buffer of its own
 * would weigh as much again as what it holds.
 */
export type Still = string;

export const stillOf = (bytes: Uint8Array): Still => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');

export const encodeStill = (response: ValidateTokenResponse): Still => stillOf(ValidateTokenResponse.encode(response).finish());

export const encodeWarning = (warning: Reason): Still => encodeStill({ ...emptyResponse(), warnings: [{ ...warning }] });

/** Most bytes that a moment takes: three instants, two numbers and a flag. */
export const MOMENT_BYTES = 3 * INSTANT_BYTES + 3 * NUMBER_BYTES;

const AS_OF = tagOf(10, 2);
const FRESH_UNTIL = tagOf(11, 2);
const REVOCATION_SEQ = tagOf(12, 0);
const POLICY_REVISION = tagOf(13, 0);
const DEGRADED = tagOf(14, 0);
const STALENESS = tagOf(15, 2);

/** Where it ends. */
export const writeMoment = (bytes: Buffer, moment: Moment, from: number): number => {
  let at = instant(bytes, AS_OF, moment.asOf, from);
  at = instant(bytes, FRESH_UNTIL, moment.freshUntil, at);
  at = whole(bytes, REVOCATION_SEQ, moment.revocationSeq, at);
  at = whole(bytes, POLICY_REVISION, moment.policyRevision, at);
  if (moment.degraded) at = whole(bytes, DEGRADED, 1, at);
  return instant(bytes, STALENESS, moment.staleness, at);
};

/** The whole answer: what stays the same, then the moment. */
export const withMoment = (same: Still, moment: Moment): Buffer => {
  const bytes = Buffer.allocUnsafe(same.length + MOMENT_BYTES);
  bytes.write(same, 0, 'latin1');
  return bytes.subarray(0, writeMoment(bytes, moment, same.length));
};
