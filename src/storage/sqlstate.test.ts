import { describe, expect, it } from '@jest/globals';
import { fromDatabase, isRetryable } from './sqlstate.ts';

const thrown = (code: string, message = '', constraint = ''): Error => Object.assign(new Error(message), { code, constraint });

describe('a database error', () => {
  it.each([
    ['a refused connection', thrown('ECONNREFUSED')],
    ['a broken connection', thrown('08006')],
    ['a pooler without servers', thrown('08P01')],
    ['too many connections', thrown('53300')],
    ['a shutdown', thrown('57P01')],
    ['a start-up', thrown('57P03')],
    ['a statement that took too long', thrown('57014')],
    ['a standby', thrown('25006')],
    ['a full pool', new Error('timeout exceeded when trying to connect')],
    ['silence', new Error('Query read timeout')],
    ['a lost connection', new Error('Connection terminated unexpectedly')],
  ])('that means %s is UNAVAILABLE', (_what, error) => {
    expect(fromDatabase(error)).toMatchObject({ code: 'UNAVAILABLE', reason: 'STORE_UNAVAILABLE', cause: error });
  });

  it.each([
    ['a unique violation', thrown('23505')],
    ['a syntax error', thrown('42601')],
    ['a refused row', thrown('42501')],
  ])('that means %s stays what it is', (_what, error) => {
    expect(fromDatabase(error)).toBe(error);
  });

  it('is worth another try when the transaction lost a race', () => {
    expect([thrown('40001'), thrown('40P01'), thrown('23505')].map(isRetryable)).toEqual([true, true, false]);
  });
});
