import { describe, expect, it } from '@jest/globals';
import { NOTHING_SHOWN } from '../base/possession.ts';
import { type Family, familyOfTokenId, judge, type Presented, tokenIdOf } from './family.ts';

const NOW = 1_000_000;
const CURRENT = Buffer.alloc(32, 3);
const PREVIOUS = Buffer.alloc(32, 2);
const OLDER = Buffer.alloc(32, 1);

const family: Family = {
  tenantId: 'acme',
  userId: 'usr_1',
  sessionId: 'ses_1',
  familyId: 'fam_1',
  clientId: 'app',
  role: 'user',
  scopes: [],
  audience: [],
  authMethod: 'password',
  mfaVerified: false,
  authTime: 0,
  riskLevel: 'low',
  deviceId: '',
  boundAddress: '',
  confirmation: null,
  generation: 3,
  access: { generation: 3, issuedAt: 0, expiresAt: 0, rsq: 0 },
  currentHash: CURRENT,
  previousHash: PREVIOUS,
  successorSalt: Buffer.alloc(16),
  rotatedAt: NOW - 1000,
  sender: 'anonymous',
  fingerprint: '',
  birthRsq: 0,
  idleExpiresAt: NOW + 1000,
  absoluteExpiresAt: NOW + 2000,
  revokedAt: null,
  revokedReason: '',
};
const bound = { x5tS256: '', spkiSha256: '', spiffeId: '', jkt: 'K', other: false };
const key = { ...NOTHING_SHOWN, jkt: 'K' };
const previous: Presented = { generation: 2, hash: PREVIOUS, sender: 'anonymous', deviceId: '', fingerprint: '', shown: NOTHING_SHOWN };
const current: Presented = { ...previous, generation: 3, hash: CURRENT };

describe('what a presented refresh token means', () => {
  it.each<[string, Partial<Family>, Presented, string]>([
    ['the one before, in its window', {}, previous, 'replay'],
    ['the one before, at the window’s last moment', { rotatedAt: NOW - 10_000 }, previous, 'replay'],
    ['the one before, after its window', { rotatedAt: NOW - 10_001 }, previous, 'reused'],
    ['the one before, from somebody else', {}, { ...previous, sender: 'service:acme:shop/orders' }, 'reused'],
    ['the one before, with another secret', {}, { ...previous, hash: OLDER }, 'reused'],
    ['the one before that, in the window', {}, { ...previous, generation: 1, hash: OLDER }, 'reused'],
    ['the one before, on another device', { deviceId: 'phone' }, previous, 'other_device'],
    ['the present one, on another device', { deviceId: 'phone' }, current, 'other_device'],
    ['the present one, with another fingerprint', { fingerprint: 'a' }, { ...current, fingerprint: 'b' }, 'other_device'],
    ['the present one of a bound family, without its key', { confirmation: bound }, current, 'unbound'],
    ['the present one of a bound family, with its key', { confirmation: bound, idleExpiresAt: NOW }, { ...current, shown: key }, 'idle'],
    [
      'the one before of a bound family, minutes later',
      { confirmation: bound, rotatedAt: NOW - 300_000 },
      { ...previous, shown: key },
      'replay',
    ],
    [
      'the one before of a bound family, later still',
      { confirmation: bound, rotatedAt: NOW - 300_001 },
      { ...previous, shown: key },
      'reused',
    ],
    ['the one before of a bound family, without its key', { confirmation: bound }, previous, 'reused'],
    ['the present one, idle too long', { idleExpiresAt: NOW }, current, 'idle'],
    ['the present one, at the session’s end', { absoluteExpiresAt: NOW }, current, 'expired'],
    ['the present one, with another secret', {}, { ...current, hash: OLDER }, 'unknown'],
    ['one that we have not made yet (a restored database)', {}, { ...current, generation: 4 }, 'unknown'],
    ['any of an ended family', { revokedAt: NOW, revokedReason: 'logout' }, current, 'ended'],
    ['any of a family that was ended as idle', { revokedAt: NOW, revokedReason: 'idle' }, current, 'idle'],
    ['an old one of an ended family', { revokedAt: NOW, revokedReason: 'reused' }, { ...previous, generation: 1 }, 'ended'],
  ])('%s', (_, over, presented, kind) => {
    expect(judge({ ...family, ...over }, presented, NOW).kind).toBe(kind);
  });

  it('says how far behind a reused token is', () => {
    expect(judge(family, { ...previous, generation: 1 }, NOW)).toEqual({ kind: 'reused', distance: 2 });
  });
});

describe('the id of an access token', () => {
  it('names its family', () => {
    const id = 'fam_0123456789abcdefghijAB';
    expect(familyOfTokenId(tokenIdOf(id, 12))).toBe(id);
    for (const other of ['', id, `${id}.0`, `${id}.x`, `${id}.1.2`, 'ses_0123456789abcdefghijAB.1', `${id}.1\n`])
      expect(familyOfTokenId(other)).toBeNull();
  });
});
