// The rules of the history checker, each on histories of a few lines: what must be reported, and what must not.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  type Bounds,
  check,
  type Entry,
  type Issued,
  type Login,
  type Refresh,
  type Revoke,
  type Token,
  type Validate,
} from './history.ts';

const BOUNDS: Bounds = { ceiling: 15_000, propagation: 2000, settling: 7000 };

const token = (generation = 1, over: Partial<Token> = {}): Token => ({
  tokenId: `fam_1.${generation}`,
  familyId: 'fam_1',
  sessionId: 'ses_1',
  userId: 'usr_1',
  generation,
  rsq: 10,
  ...over,
});
const pair = (generation: number, refreshToken = `shr_${generation}`): Issued => ({ ...token(generation), refreshToken });

const login = (at: number, over: Partial<Login> = {}): Login => ({
  kind: 'login',
  replica: 0,
  begin: at,
  end: at + 1,
  issued: pair(1),
  reason: '',
  ...over,
});
const refresh = (at: number, presented: Issued, issued: Issued | null, over: Partial<Refresh> = {}): Refresh => ({
  kind: 'refresh',
  replica: 0,
  begin: at,
  end: at + 1,
  presented,
  issued,
  reason: '',
  ...over,
});
const valid = (at: number, over: Partial<Validate> = {}): Validate => ({
  kind: 'validate',
  replica: 1,
  begin: at,
  end: at + 1,
  token: token(),
  verdict: 'valid',
  reason: '',
  staleness: 500,
  maxStaleness: 0,
  degraded: false,
  ...over,
});
const refused = (at: number, over: Partial<Validate> = {}): Validate => valid(at, { verdict: 'invalid', reason: 'TOKEN_REVOKED', ...over });
/** Acknowledged a moment later, to be refused everywhere two seconds after that. */
const revoke = (at: number, over: Partial<Revoke> = {}): Revoke => ({
  kind: 'revoke',
  replica: 0,
  begin: at,
  end: at + 1,
  scope: 'session',
  token: token(),
  seq: 11,
  effectiveBy: at + 2001,
  ...over,
});
const unanswered = { seq: 0, effectiveBy: Number.POSITIVE_INFINITY } as const;
const away = (replica: number, begin: number, end: number): Entry => ({ kind: 'away', store: 'postgres', replica, begin, end });
const REUSED = { reason: 'REFRESH_TOKEN_REUSED' } as const;

const rules = (history: readonly Entry[]): readonly string[] => [...new Set(check(history, BOUNDS).map(({ rule }) => rule))].toSorted();

describe('reported is', () => {
  it.each<[string, string, readonly Entry[]]>([
    ['a valid verdict that knows the revocation by its own word', 'valid after its end was known', [revoke(1000), valid(1600)]],
    [
      'one of a replica that was connected, later than the stated bound',
      'valid later than promised',
      [revoke(1000), valid(3100, { staleness: 2500 })],
    ],
    [
      'one beyond the ceiling, whatever was away',
      'valid later than promised',
      [away(1, 900, 20_000), revoke(1000), valid(16_100, { staleness: 15_000, degraded: true })],
    ],
    ['one after the token was revoked alone', 'valid after its end was known', [revoke(1000, { scope: 'token' }), valid(1600)]],
    ['one after its user was signed out', 'valid after its end was known', [revoke(1000, { scope: 'user' }), valid(1600)]],
    ['one after theft ended the family', 'valid after its end was known', [refresh(1000, pair(1), null, REUSED), valid(1600)]],
    ['one at the replica that has refused the token already', 'valid again', [revoke(1000, unanswered), refused(1010), valid(1020)]],
    [
      'one at another replica that says it knows as much',
      'valid again',
      [revoke(1000, unanswered), refused(1010, { replica: 0 }), valid(1600)],
    ],
    ['one that is older than its caller asked for', 'staler than allowed', [valid(1000, { staleness: 4000, maxStaleness: 3000 })]],
    ['one that is older than anything may be', 'staler than allowed', [valid(1000, { staleness: 16_000, degraded: true })]],
    ['one that is old and does not say degraded', 'staler than allowed', [valid(1000, { staleness: 11_000 })]],
    ['a refusal of what nobody has ended', 'refused without a cause', [refused(1000)]],
    ['a refusal for a reason that nobody gave', 'refused without a cause', [revoke(900), refused(1000, { reason: 'SIGNATURE_INVALID' })]],
    ['a refusal of the first use of a refresh token', 'refused without a cause', [login(0), refresh(1000, pair(1), null, REUSED)]],
    ['a refusal of the right password', 'refused without a cause', [login(0, { issued: null, reason: 'CREDENTIALS_INVALID' })]],
    ['one refresh token with two successors', 'two successors', [refresh(0, pair(1), pair(2)), refresh(5, pair(1), pair(2, 'shr_other'))]],
    [
      'one successor with two access tokens',
      'two successors',
      [refresh(0, pair(1), pair(2)), refresh(5, pair(1), { ...pair(2), tokenId: 'fam_1.3' })],
    ],
    [
      'two refresh tokens of one generation that were both taken',
      'two of one generation',
      [refresh(0, pair(2), pair(3)), refresh(5, pair(2, 'shr_other'), pair(3))],
    ],
    [
      'a refresh after the theft was answered',
      'refreshed after its end',
      [refresh(0, pair(1), null, REUSED), refresh(5, pair(3), pair(4))],
    ],
    ['a refresh after the session was revoked', 'refreshed after its end', [login(0), revoke(10), refresh(20, pair(1), pair(2))]],
    [
      'a refresh after the user of its login was signed out',
      'refreshed after its end',
      [login(0), revoke(10, { scope: 'user' }), refresh(20, pair(1), pair(2))],
    ],
    ['a revocation acknowledged while its replica had no database', 'changed without the database', [away(0, 0, 100), revoke(10)]],
    ['a login, likewise', 'changed without the database', [away(0, 0, 100), login(10)]],
    ['a refresh, likewise', 'changed without the database', [away(0, 0, 100), refresh(10, pair(1), pair(2))]],
  ])('%s', (_what, rule, history) => {
    expect(rules(history)).toContain(rule);
  });
});

describe('not reported is', () => {
  it.each<[string, readonly Entry[]]>([
    ['a valid verdict before the revocation', [valid(900), revoke(1000)]],
    ['one in the time that the revocation gives itself', [revoke(1000), valid(1400)]],
    ['one that began before the acknowledgement and ended after it', [revoke(1000), valid(1000, { staleness: 0, end: 1010 })]],
    ['one of a replica without its database that says how old it is', [away(1, 0, 9000), revoke(1000), valid(6000, { staleness: 5500 })]],
    ['one of a replica that had its database back a moment ago', [away(1, 0, 3000), revoke(1000), valid(4000, { staleness: 3900 })]],
    ['one after a revocation that was never acknowledged', [revoke(1000, unanswered), valid(9000)]],
    ['one of a login that had seen the end of its user', [revoke(1000, { scope: 'user' }), valid(9000, { token: token(1, { rsq: 11 }) })]],
    ['one of the next token, where one was revoked alone', [revoke(1000, { scope: 'token' }), valid(9000, { token: token(2) })]],
    ['no answer, which is no verdict', [valid(1000, { verdict: null, reason: 'FEED_STALE' }), valid(1001)]],
    ['a login without an answer', [login(0, { issued: null })]],
    ['no answer after a revocation', [revoke(1000), valid(9000, { verdict: null, reason: 'STORE_UNAVAILABLE' })]],
    ['a refusal after a revocation that nobody acknowledged', [revoke(900, unanswered), refused(1000)]],
    ['a refusal after a refresh of which nothing is known', [refresh(900, pair(1), null), refused(1000)]],
    ['the refusal of an expired token', [refused(1000, { reason: 'TOKEN_EXPIRED' })]],
    ['the same pair for racers', [refresh(0, pair(1), pair(2)), refresh(0, pair(1), pair(2), { replica: 1 })]],
    ['a refresh that was under way when its session was revoked', [login(0), refresh(9, pair(1), pair(2), { end: 30 }), revoke(10)]],
    ['a refused retry of a token that was used before', [refresh(0, pair(1), pair(2)), refresh(20_000, pair(1), null, REUSED)]],
    [
      'another successor after the database forgot the first',
      [
        refresh(0, pair(1), pair(2)),
        { kind: 'lost', replica: 0, begin: 5, end: 6, familyId: 'fam_1' },
        refresh(7, pair(1), pair(2, 'shr_other')),
      ],
    ],
    ['a revocation that began before the database went', [away(0, 12, 100), revoke(10, { end: 20 })]],
    ['one of a replica that has its database, while another has not', [away(1, 0, 100), revoke(10)]],
  ])('%s', (_what, history) => {
    expect(rules(history)).toEqual([]);
  });

  it('anything in a history of a hub that keeps its word, whatever is asked when', () => {
    const moments = fc.array(fc.record({ at: fc.nat(30_000), age: fc.nat(900), replica: fc.nat(2) }), { maxLength: 60 });
    fc.assert(
      fc.property(fc.nat(30_000), moments, (ended, asked) => {
        const revoked = revoke(ended);
        // Each replica knows exactly what was acknowledged when its last poll was sent.
        const verdicts = asked.map(({ at, age, replica }) =>
          at - age > revoked.end ? refused(at, { staleness: age, replica }) : valid(at, { staleness: age, replica }),
        );
        const byPoll = verdicts.filter(
          (one) =>
            !verdicts.some(
              (other) => other.verdict === 'invalid' && other.replica === one.replica && other.end < one.begin && one.verdict === 'valid',
            ),
        );
        expect(rules([revoked, ...byPoll])).toEqual([]);
      }),
    );
  });
});
