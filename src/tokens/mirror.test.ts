import { describe, expect, it } from '@jest/globals';
import { createMirror, type Marked, type Mirror, type Watermark } from './mirror.ts';

const MINUTE = 60_000;
const token = (over: Partial<Marked> = {}): Marked => ({
  tenantId: 'acme',
  clientId: 'app',
  subject: 'usr_anna',
  sessionId: 'ses_1',
  familyId: 'fam_1',
  tokenId: 'fam_1.1',
  rsq: 10,
  ...over,
});
const mark = (over: Partial<Watermark> = {}): Watermark => ({
  kind: 'session',
  tenantId: 'acme',
  key: 'ses_1',
  seq: 11,
  until: 10 * MINUTE,
  detail: 'revoked',
  ...over,
});
const reason = (mirror: Mirror, over: Partial<Marked> = {}): string | undefined => mirror.refusal(token(over))?.reason;
const mirrorWith = (...marks: readonly Partial<Watermark>[]): Mirror => {
  const mirror = createMirror(1000);
  for (const one of marks) mirror.apply(mark(one));
  return mirror;
};

describe('the mirror', () => {
  it.each([
    ['tenant', 'acme', 'suspended', 'TENANT_SUSPENDED'],
    ['tenant', '', 'suspended', 'TENANT_SUSPENDED'],
    ['client', 'app', 'revoked', 'TOKEN_REVOKED'],
    ['user', 'usr_anna', 'revoked', 'TOKEN_REVOKED'],
    ['user', 'usr_anna', 'suspended', 'SUBJECT_SUSPENDED'],
    ['user', '', 'revoked', 'TENANT_SUSPENDED'],
    ['session', 'ses_1', 'logout', 'SESSION_ENDED'],
    ['family', 'fam_1', 'reused', 'TOKEN_REVOKED'],
    ['token', 'fam_1.1', 'revoked', 'TOKEN_REVOKED'],
  ] as const)('refuses by %s "%s" (%s): %s', (kind, key, detail, expected) => {
    expect(reason(mirrorWith({ kind, key, detail }))).toBe(expected);
  });

  it('refuses everybody by a watermark of the installation, until its end', () => {
    const mirror = mirrorWith({ kind: 'tenant', tenantId: '', key: '', detail: 'recovered' });
    expect([reason(mirror), reason(mirror, { tenantId: 'other' }), reason(mirror, { rsq: 11 })]).toEqual([
      'SESSION_ENDED',
      'SESSION_ENDED',
      undefined,
    ]);
    mirror.sweep(11 * MINUTE, 100);
    expect(reason(mirror)).toBeUndefined();
  });

  it('compares places in the feed, never seconds: equal passes, one more refuses', () => {
    expect([reason(mirrorWith({ seq: 10 })), reason(mirrorWith({ seq: 11 }))]).toEqual([undefined, 'SESSION_ENDED']);
  });

  it('keeps to ids and tenants', () => {
    const mirror = mirrorWith({}, { kind: 'user', key: 'usr_olaf' });
    expect(reason(mirror, { sessionId: 'ses_2' })).toBeUndefined();
    expect(reason(mirror, { tenantId: 'other' })).toBeUndefined();
  });

  it('takes changes in any order, and the newest number counts', () => {
    const mirror = mirrorWith({ seq: 15 }, { seq: 11 });
    expect([reason(mirror, { rsq: 14 }), reason(mirror, { rsq: 15 })]).toEqual(['SESSION_ENDED', undefined]);
  });

  it('forgets the word of a suspension when a newer watermark is none', () => {
    const user = { kind: 'user', key: 'usr_anna' } as const;
    expect(reason(mirrorWith({ ...user, detail: 'suspended' }, { ...user, seq: 12, detail: 'revoked' }))).toBe('TOKEN_REVOKED');
    expect(reason(mirrorWith({ ...user, seq: 12, detail: 'suspended' }, { ...user, detail: 'revoked' }))).toBe('SUBJECT_SUSPENDED');
  });

  it('lets nothing leave before its end, and everything soon after', () => {
    const mirror = mirrorWith({});
    mirror.sweep(10 * MINUTE - 1, 100);
    expect([reason(mirror), mirror.size]).toEqual(['SESSION_ENDED', 1]);
    mirror.sweep(10 * MINUTE, 100);
    expect([reason(mirror), mirror.size]).toEqual([undefined, 0]);
  });

  it('keeps an id to the latest of its ends, whatever came last', () => {
    for (const marks of [
      [{ until: 30 * MINUTE }, { seq: 12 }],
      [{}, { seq: 12, until: 30 * MINUTE }],
      [{ seq: 12 }, { until: 30 * MINUTE }],
    ]) {
      const mirror = mirrorWith(...marks);
      mirror.sweep(20 * MINUTE, 100);
      expect([reason(mirror), mirror.size]).toEqual(['SESSION_ENDED', 1]);
      mirror.sweep(31 * MINUTE, 100);
      expect([reason(mirror), mirror.size]).toEqual([undefined, 0]);
    }
  });

  it('counts a change once, however often it is brought', () => {
    const mirror = mirrorWith({}, {}, {});
    expect(mirror.size).toBe(1);
    mirror.sweep(10 * MINUTE, 100);
    expect(mirror.size).toBe(0);
  });

  it('ignores news that end nothing', () => {
    expect(mirrorWith({ until: null }).size).toBe(0);
  });

  it('sweeps in slices', () => {
    const mirror = createMirror(1000);
    for (let n = 0; n < 100; n++) mirror.apply(mark({ key: `ses_${n}` }));
    expect([mirror.sweep(11 * MINUTE, 60), mirror.size]).toEqual([true, 40]);
    expect([mirror.sweep(11 * MINUTE, 60), mirror.size]).toEqual([false, 0]);
  });

  it('says when it is full, and forgets nothing for it', () => {
    const mirror = createMirror(2);
    mirror.apply(mark());
    expect(mirror.full).toBe(false);
    mirror.apply(mark({ key: 'ses_2' }));
    mirror.apply(mark({ key: 'ses_3' }));
    expect([mirror.full, mirror.size, reason(mirror)]).toEqual([true, 3, 'SESSION_ENDED']);
  });

  it('starts again from nothing when the feed is loaded again', () => {
    const mirror = mirrorWith({});
    mirror.clear();
    expect([mirror.size, reason(mirror)]).toEqual([0, undefined]);
  });
});
