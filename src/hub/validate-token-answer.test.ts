import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ValidateTokenResponse } from '../gen/securityhub/v1/security_hub.ts';
import { emptyResponse, encodeStill, encodeWarning, timestamp, withMoment } from './validate-token-answer.ts';

const instant = fc.integer({ min: 0, max: 253_402_300_799_999 });
const number = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const duration = (millis: number) => timestamp(Math.floor(millis));

describe('an answer put together by hand', () => {
  it('decodes to what the generated encoder would have written', () => {
    const moments = fc.record({
      asOf: instant,
      freshUntil: instant,
      revocationSeq: number,
      policyRevision: number,
      degraded: fc.boolean(),
      staleness: fc.double({ min: 0, max: 1e9, noNaN: true }),
    });
    fc.assert(
      fc.property(moments, fc.string({ maxLength: 2000 }), fc.boolean(), (moment, level, warned) => {
        const still = { ...emptyResponse(), valid: true, verdict: 1 as const, risk: { score: 0.5, level, indicators: [] } };
        const warning = { code: 'AUDIENCE_UNCHECKED', message: 'ünchecked' };
        const decoded = ValidateTokenResponse.decode(withMoment(encodeStill(still), warned ? encodeWarning(warning) : '', moment));
        expect(decoded).toEqual({
          ...still,
          warnings: warned ? [warning] : [],
          asOf: timestamp(moment.asOf),
          freshUntil: timestamp(moment.freshUntil),
          revocationSeq: moment.revocationSeq,
          policyRevision: moment.policyRevision,
          degraded: moment.degraded,
          staleness: duration(moment.staleness),
        });
      }),
    );
  });
});
