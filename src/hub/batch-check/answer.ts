// The wire bytes of BatchCheck's results, written straight into one buffer: what a ruling says is encoded once and copied.
// Field numbers are PermissionCheckResult's (security_hub.proto); a test proves that ts-proto reads back what is written here.
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import type { Ruling } from '../../authorization/authorization.ts';
import type { Instant, Millis } from '../../base/time.ts';
import type { DecisionIds } from '../check-permission/id.ts';
import { effectOf } from '../check-permission/answer.ts';
import { instant, sizeOfVarint, tagOf, varint } from '../../base/wire-bytes.ts';

const RESULTS = (1 << 3) | 2;
const ID = (1 << 3) | 2;
const DECISION_ID = (9 << 3) | 2;

/** Fields 2 to 8: everything that the ruling says. */
const encodeRuling = (ruling: Ruling): Uint8Array => {
  const writer = new BinaryWriter();
  if (ruling.allowed) writer.uint32(16).bool(true);
  writer.uint32(24).int32(effectOf(ruling));
  if (ruling.reason !== '') writer.uint32(34).string(ruling.reason);
  if (ruling.code !== '') writer.uint32(42).string(ruling.code);
  for (const rule of ruling.rules) writer.uint32(50).string(rule);
  for (const condition of ruling.conditions ?? []) writer.uint32(58).string(condition);
  for (const obligation of ruling.obligations ?? []) writer.uint32(66).string(obligation);
  return writer.finish();
};

const encoded = new WeakMap<Ruling, Uint8Array>();

const bytesOf = (ruling: Ruling): Uint8Array => {
  const known = encoded.get(ruling);
  if (known !== undefined) return known;
  const bytes = encodeRuling(ruling);
  encoded.set(ruling, bytes);
  return bytes;
};

export interface ResultWriter {
  add(id: string, ruling: Ruling): void;
  /** The whole answer. The writer is done. */
  finish(moment: BatchMoment): Buffer;
}

export interface BatchMoment {
  readonly policyRevision: number;
  readonly asOf: Instant;
  readonly staleness: Millis;
}

const POLICY_REVISION = tagOf(2, 0);
const AS_OF = tagOf(3, 2);
const STALENESS = tagOf(4, 2);
/** A number, two instants and their tags. */
const MOMENT_BYTES = 48;

/** A result is mostly below 256 bytes; more makes the buffer grow. */
const ROOM = 256;

/** What batches write into, one after the other: a buffer of their own each would have the collector mark the heap again and again. */
let desk: Buffer | null = null;
/** The largest that is kept. */
const DESK = 1 << 20;

/** The desk where it is free and large enough. */
const borrow = (bytes: number): Buffer => {
  const taken = desk;
  desk = null;
  return taken !== null && taken.length >= bytes ? taken : Buffer.allocUnsafe(bytes);
};

const giveBack = (buffer: Buffer): void => {
  if (buffer.length <= DESK) desk = buffer;
};

export const createResultWriter = (count: number, decisionIds: DecisionIds): ResultWriter => {
  let buffer = borrow(count * ROOM + ROOM);
  let at = 0;

  /** A character below U+0080 is its own byte; anything else is left to the platform. */
  const text = (value: string, length: number): void => {
    if (length !== value.length) buffer.write(value, at, 'utf8');
    else for (let i = 0; i < length; i += 1) buffer[at + i] = value.charCodeAt(i);
    at += length;
  };

  return {
    add(id, ruling) {
      const middle = bytesOf(ruling);
      const idLength = Buffer.byteLength(id);
      const size = (idLength === 0 ? 0 : 1 + sizeOfVarint(idLength) + idLength) + middle.length + 2 + decisionIds.length;
      const end = at + 6 + size;
      if (end > buffer.length) buffer = Buffer.concat([buffer.subarray(0, at)], Math.max(end, buffer.length * 2));
      buffer[at++] = RESULTS;
      at = varint(buffer, size, at);
      if (idLength > 0) {
        buffer[at++] = ID;
        at = varint(buffer, idLength, at);
        text(id, idLength);
      }
      buffer.set(middle, at);
      at += middle.length;
      buffer[at++] = DECISION_ID;
      buffer[at++] = decisionIds.length;
      decisionIds.write(buffer, at);
      at += decisionIds.length;
    },
    finish({ policyRevision, asOf, staleness }) {
      if (at + MOMENT_BYTES > buffer.length) buffer = Buffer.concat([buffer.subarray(0, at)], at + MOMENT_BYTES);
      at = varint(buffer, policyRevision, varint(buffer, POLICY_REVISION, at));
      at = instant(buffer, STALENESS, staleness, instant(buffer, AS_OF, asOf, at));
      const answer = Buffer.from(buffer.subarray(0, at));
      giveBack(buffer);
      return answer;
    },
  };
};
