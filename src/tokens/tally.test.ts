import { describe, expect, it } from '@jest/globals';
import { type Alike, createTally } from './tally.ts';

const alike = (over: Partial<Alike>): Alike => ({
  authMethod: 'password',
  deviceType: '',
  mfaVerified: false,
  bound: false,
  count: 1,
  users: [],
  ...over,
});

describe('sessions added up', () => {
  it('are counted by what they are, and each user once', () => {
    const tally = createTally(1);
    tally.add(alike({ count: 3, users: [1, 2, 1] }));
    tally.add(alike({ authMethod: 'sso', deviceType: '__proto__', mfaVerified: true, bound: true, count: 2, users: [2] }));
    expect(tally.total()).toEqual({
      active: 5,
      users: 2,
      mfaVerified: 2,
      bound: 2,
      byAuthMethod: { password: 3, sso: 2 },
      byDeviceType: { '': 3, ['__proto__']: 2 },
    });
  });

  it.each([
    ['as many times those in the sample', 8, 1000, [1, 2, 3], 24],
    ['as many as sessions at most', 8, 20, [1, 2, 3], 20],
    ['one where none of the sample was among them', 8, 5, [], 1],
    ['none where there are no sessions', 8, 0, [], 0],
  ])('have %s for users', (_, share, count, users, wanted) => {
    const tally = createTally(share);
    tally.add(alike({ count, users }));
    expect(tally.total().users).toBe(wanted);
  });
});
