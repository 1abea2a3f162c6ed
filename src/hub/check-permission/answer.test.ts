import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { systemRandom } from '../../base/random.ts';
import { CheckPermissionResponse } from '../../gen/securityhub/v1/security_hub.ts';
import { effectOf, writeDecision } from './answer.ts';
import { createDecisionIds } from './id.ts';

const millis = (at: { seconds: number; nanos: number } | undefined): number => (at?.seconds ?? 0) * 1000 + (at?.nanos ?? 0) / 1e6;

describe('the written decision', () => {
  it('is what the generated decoder reads back, whatever it says', () => {
    const ids = createDecisionIds(systemRandom);
    const word = fc.string({ unit: 'grapheme', maxLength: 64 });
    const ruling = fc.record({
      allowed: fc.boolean(),
      code: word,
      reason: word,
      rules: fc.array(fc.string({ minLength: 1 }), { maxLength: 5 }),
    });
    const length = fc.integer({ min: 0, max: 2 ** 42 });
    const moment = fc.record({ validUntil: length, policyRevision: fc.nat(2 ** 31), asOf: length, staleness: length });
    fc.assert(
      fc.property(ruling, word, word, moment, (given, action, resourceType, at) => {
        const read = CheckPermissionResponse.decode(writeDecision(given, { action, resourceType }, ids, at));
        const { allowed, effect, reason, reasonCode, appliedPolicies } = read;
        expect({ allowed, effect, reason, reasonCode, appliedPolicies }).toEqual({
          allowed: given.allowed,
          effect: effectOf(given),
          reason: given.reason.toWellFormed(),
          reasonCode: given.code.toWellFormed(),
          appliedPolicies: given.rules,
        });
        expect([read.action, read.resourceType]).toEqual([action, resourceType]);
        expect(read.decisionId).toMatch(/^dec_/);
        expect([millis(read.validUntil), read.policyRevision, millis(read.asOf), millis(read.staleness)]).toEqual([
          at.validUntil,
          at.policyRevision,
          at.asOf,
          at.staleness,
        ]);
      }),
    );
  });
});
