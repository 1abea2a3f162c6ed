import { describe, expect, it } from '@jest/globals';
import { normalisePassword, parseRecord, passwordProblem, printRecord } from './password.ts';

const policy = { minLength: 12, requireSpecial: true };

describe('a new password', () => {
  const cases = [
    { password: 'correct horse battery', names: ['ann'], problem: null },
    { password: 'short-1', names: [], problem: 'must have at least 12 characters' },
    { password: 'onlyletters1234', names: [], problem: 'must hold a character that is neither a letter nor a digit' },
    { password: 'Ann@Example.COM', names: ['ann', 'ann@example.com'], problem: 'must not be the name of the account' },
    { password: 'ａｎｎ@ｅｘａｍｐｌｅ.com', names: ['ann@example.com'], problem: 'must not be the name of the account' },
    { password: '🔑'.repeat(12), names: [], problem: null },
    { password: 'é'.repeat(6), names: [], problem: 'must have at least 12 characters' },
    { password: '-'.repeat(257), names: [], problem: 'must not be longer than 256 bytes' },
    { password: 'x'.repeat(1025), names: [], problem: 'must not be longer than 256 bytes' },
    { password: '\uFDFA'.repeat(20), names: [], problem: 'must not be longer than 256 bytes' },
  ];
  it.each(cases)('$password → $problem', ({ password, names, problem }) => {
    expect(passwordProblem(policy, password, names)).toBe(problem);
  });

  it('may do without special characters where the policy says so', () => {
    expect(passwordProblem({ minLength: 12, requireSpecial: false }, 'onlyletters1234', [])).toBeNull();
  });

  it('is one password whether typed composed or decomposed', () => {
    expect(normalisePassword('cafe\u0301')).toBe(normalisePassword('caf\u00e9'));
  });
});

describe('a password record', () => {
  const record = { parameters: { memory: 19456, passes: 2, lanes: 1 }, salt: Buffer.alloc(16, 1), hash: Buffer.alloc(32, 2) };

  it('is printed as a PHC string and read back', () => {
    const text = printRecord(record);
    expect(text).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    expect(parseRecord(text)).toEqual(record);
  });

  it.each(['', '$argon2i$v=19$m=1,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAA', '$2b$12$abc', `${printRecord(record)}$`])('is not %j', (text) => {
    expect(parseRecord(text)).toBeNull();
  });
});
