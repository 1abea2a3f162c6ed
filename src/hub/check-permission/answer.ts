// The wire bytes of a decision: what a ruling says is encoded once and copied, the rest written behind it.
// Field numbers are CheckPermissionResponse's (security_hub.proto); a test proves that ts-proto reads back what is written here.
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import type { Ruling } from '../../authorization/authorization.ts';
import type { Instant, Millis } from '../../base/time.ts';
import { Effect } from '../../gen/securityhub/v1/authorization.ts';
import type { DecisionIds } from './id.ts';
import { INSTANT_BYTES, instant, NUMBER_BYTES, tagOf, text, whole } from '../../base/wire-bytes.ts';

export const effectOf = ({ allowed, stepUp }: Ruling): Effect =>
  allowed ? Effect.EFFECT_ALLOW : stepUp === true ? Effect.EFFECT_STEP_UP : Effect.EFFECT_DENY;

const ACTION = tagOf(5, 2);
const RESOURCE_TYPE = tagOf(6, 2);
const VALID_UNTIL = tagOf(13, 2);
const DECISION_ID = tagOf(14, 2);
const POLICY_REVISION = tagOf(15, 0);
const AS_OF = tagOf(16, 2);
const STALENESS = tagOf(17, 2);
/** Three instants, a number and the head of the decision's id. */
const MOMENT_BYTES = 3 * INSTANT_BYTES + 2 * NUMBER_BYTES;

/** Fields 1 to 4 and 7 to 10: everything that the ruling says. */
const encodeRuling = (ruling: Ruling): Uint8Array => {
  const writer = new BinaryWriter();
  if (ruling.allowed) writer.uint32(tagOf(1, 0)).bool(true);
  writer.uint32(tagOf(2, 0)).int32(effectOf(ruling));
  if (ruling.reason !== '') writer.uint32(tagOf(3, 2)).string(ruling.reason);
  if (ruling.code !== '') writer.uint32(tagOf(4, 2)).string(ruling.code);
  for (const rule of ruling.rules) writer.uint32(tagOf(7, 2)).string(rule);
  for (const condition of ruling.conditions ?? []) writer.uint32(tagOf(8, 2)).string(condition);
  for (const obligation of ruling.obligations ?? []) writer.uint32(tagOf(9, 2)).string(obligation);
  for (const attribute of ruling.missing ?? []) writer.uint32(tagOf(10, 2)).string(attribute);
  return writer.finish();
};

// Rulings are few and live as long as the rights they come from.
const encoded = new WeakMap<Ruling, Uint8Array>();

const bytesOf = (ruling: Ruling): Uint8Array => {
  const known = encoded.get(ruling) ?? encodeRuling(ruling);
  encoded.set(ruling, known);
  return known;
};

export interface DecisionMoment {
  readonly validUntil: Instant;
  readonly policyRevision: number;
  readonly asOf: Instant;
  readonly staleness: Millis;
}

/** The whole answer of CheckPermission, without trace and step-up. */
export const writeDecision = (
  ruling: Ruling,
  said: { readonly action: string; readonly resourceType: string },
  decisionIds: DecisionIds,
  moment: DecisionMoment,
): Buffer => {
  const still = bytesOf(ruling);
  const words = 3 * (said.action.length + said.resourceType.length);
  const bytes = Buffer.allocUnsafe(still.length + words + decisionIds.length + MOMENT_BYTES);
  bytes.set(still);
  let at = text(bytes, ACTION, said.action, still.length);
  at = text(bytes, RESOURCE_TYPE, said.resourceType, at);
  at = instant(bytes, VALID_UNTIL, moment.validUntil, at);
  at = whole(bytes, DECISION_ID, decisionIds.length, at);
  decisionIds.write(bytes, at);
  at = whole(bytes, POLICY_REVISION, moment.policyRevision, at + decisionIds.length);
  at = instant(bytes, AS_OF, moment.asOf, at);
  return bytes.subarray(0, instant(bytes, STALENESS, Math.round(moment.staleness), at));
};
