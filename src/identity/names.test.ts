import { describe, expect, it } from '@jest/globals';
import { emailAddress, isLabel, nameKey, username } from './names.ts';

const violation = (work: () => unknown): string => {
  try {
    work();
    return 'accepted';
  } catch (thrown) {
    return (thrown as { violations: readonly { field: string }[] }).violations[0]?.field ?? '';
  }
};

describe('a login name', () => {
  it.each([
    ['Ann', 'ann'],
    ['ＡＮＮ', 'ann'],
    ['Cafe\u0301', 'caf\u00e9'],
    ['ﬁona', 'fiona'],
  ])('%s is found as %s', (given, key) => {
    expect(nameKey(given)).toBe(key);
  });

  it('has one key however often it is folded', () => {
    for (const name of ['İstanbul', 'ǅ', 'ẞ', 'K']) expect(nameKey(nameKey(name))).toBe(nameKey(name));
  });

  it.each(['', ' ann', 'a b', 'ann\u0000', '-ann', 'ann\u202e', 'x'.repeat(129)])('is not %j', (given) => {
    expect(violation(() => username(given, ''))).toBe('username');
  });

  it('may hold an @ only when it is the account’s own address', () => {
    expect(violation(() => username('bob@example.com', 'ann@example.com'))).toBe('username');
    expect(username('Ann@example.com', 'ann@example.com')).toBe('Ann@example.com');
  });
});

describe('an e-mail address', () => {
  it.each(['ann@example.com', 'admin@localhost', 'ünï@exämple.de', ''])('may be %j', (given) => {
    expect(emailAddress(given)).toBe(given);
  });
  it.each(['ann', '@example.com', 'ann@', 'a b@example.com', 'a@b@c', '<ann@example.com>'])('is not %j', (given) => {
    expect(violation(() => emailAddress(given))).toBe('email');
  });
});

describe('a label', () => {
  it.each(['a', 'default', 'team-a', '0'])('may be %j', (given) => expect(isLabel(given)).toBe(true));
  it.each(['', '-a', 'a-', 'A', 'a_b', 'a.b', 'a/b', 'x'.repeat(64)])('is not %j', (given) => expect(isLabel(given)).toBe(false));
});
