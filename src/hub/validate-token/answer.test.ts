import { timestampOf } from '../../base/proto-time.ts';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ValidateTokenResponse } from '../../gen/securityhub/v1/security_hub.ts';
import type { LiveSubject } from '../../gen/securityhub/v1/token.ts';
import { emptyResponse, encodeStill, encodeWarning, withMoment } from './answer.ts';
import { someClaims } from './claims.ts';
import type { Moment } from './moment.ts';
import { ownRoom, say, shareSaid, validAnswer } from './said.ts';

const instant = fc.integer({ min: 0, max: 253_402_300_799_999 });
const number = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const duration = (millis: number) => timestampOf(Math.floor(millis));

const moments = fc.record({
  asOf: instant,
  freshUntil: instant,
  revocationSeq: number,
  policyRevision: number,
  degraded: fc.boolean(),
  staleness: fc.double({ min: 0, max: 1e9, noNaN: true }),
});
const shown = (moment: Moment) => ({
  asOf: timestampOf(moment.asOf),
  freshUntil: timestampOf(moment.freshUntil),
  revocationSeq: moment.revocationSeq,
  policyRevision: moment.policyRevision,
  degraded: moment.degraded,
  staleness: duration(moment.staleness),
});

// Ids as ours, ids of other alphabets, ids as long as they may be.
const id = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.constant('x'.repeat(1024)),
  fc.constant('é'.repeat(127)),
);
const owns = fc.record({
  subject: id,
  tokenId: id,
  sessionId: id,
  deviceId: id,
  expiresAt: instant,
  notBefore: instant,
  issuedAt: instant,
  authTime: instant,
});
const lists = fc.array(fc.string({ maxLength: 60 }), { maxLength: 40 });

describe('an answer put together by hand', () => {
  it('decodes to what the generated encoder would have written', () => {
    fc.assert(
      fc.property(moments, fc.string({ maxLength: 2000 }), (moment, level) => {
        const still = { ...emptyResponse(), verdict: 2 as const, risk: { score: 0.5, level, indicators: [] } };
        expect(ValidateTokenResponse.decode(withMoment(encodeStill(still), moment))).toEqual({ ...still, ...shown(moment) });
      }),
    );
  });

  it('says of a good token what the generated encoder would have said, whether or not its own part is written apart', () => {
    const warning = { code: 'AUDIENCE_UNCHECKED', message: 'ünchecked' };
    fc.assert(
      fc.property(moments, owns, lists, fc.boolean(), fc.boolean(), (moment, own, permissions, apart, warned) => {
        const claims = someClaims({
          issuer: 'https://hub',
          tenantId: 'acme',
          permissions,
          ...own,
          expiresAt: timestampOf(own.expiresAt),
          notBefore: timestampOf(own.notBefore),
          issuedAt: timestampOf(own.issuedAt),
          authTime: timestampOf(own.authTime),
        });
        const subject: LiveSubject = {
          type: 'user',
          id: own.subject,
          tenantId: 'acme',
          roles: ['viewer'],
          permissions,
          status: 'active',
          riskScore: 0.1,
          attributes: undefined,
        };
        const rest = { ...emptyResponse(), valid: true, verdict: 1 as const, tokenType: 1 as const };
        const said = shareSaid()(say(claims, subject, rest, apart));
        const answer = validAnswer(said, apart ? own : null, apart ? ownRoom(own) : 0, warned ? encodeWarning(warning) : '', moment);
        expect(ValidateTokenResponse.decode(answer)).toEqual({
          ...rest,
          claims,
          subject,
          warnings: warned ? [warning] : [],
          ...shown(moment),
        });
      }),
    );
  });

  it('is said once for all tokens of which the same is said', () => {
    const share = shareSaid();
    const said = (subject: string, status: string) =>
      share(
        say(
          someClaims({ issuer: 'https://hub', subject, tokenId: `jti of ${subject}`, tenantId: 'acme' }),
          { type: 'user', id: subject, tenantId: 'acme', roles: [], permissions: [], status, riskScore: 0, attributes: undefined },
          { ...emptyResponse(), valid: true },
          true,
        ),
      );
    expect(said('anna', 'active')).toBe(said('ben', 'active'));
    expect(said('anna', 'active')).not.toBe(said('anna', 'locked'));
  });
});
