// Which deadlines are further away than a timer can keep.
import { describe, expect, it } from '@jest/globals';
import { isForever } from './timeouts.ts';

describe('grpc-timeout', () => {
  it.each([
    ['1n', false],
    ['99999999u', false],
    ['99999999m', false],
    ['2147483S', false],
    ['2147484S', true],
    ['99999999S', true],
    ['35791M', false],
    ['35792M', true],
    ['596H', false],
    ['597H', true],
    ['99999999H', true],
    ['0H', false],
    // Malformed: grpc-js says so.
    ['999999999H', false],
    ['-1H', false],
    ['1e9H', false],
    ['H', false],
    ['', false],
  ])('%s: beyond a timer %s', (timeout, expected) => {
    expect(isForever(timeout)).toBe(expected);
  });
});
