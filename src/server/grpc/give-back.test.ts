import { describe, expect, it } from '@jest/globals';
import { kib } from '../../base/bytes.ts';
import { giveBack } from './give-back.ts';

describe('giveBack', () => {
  it.each([
    ['large ones of their own are empty afterwards', () => new Uint8Array(kib(16)), 0],
    ['those behind a header as well', () => Buffer.from(new ArrayBuffer(kib(16) + 5), 5), 0],
    ['small ones stay', () => new Uint8Array(kib(16) - 1), kib(16) - 1],
    ['a part of shared memory stays', () => Buffer.from(new ArrayBuffer(kib(64)), 0, kib(32)), kib(32)],
    ['what other threads share stays', () => new Uint8Array(new SharedArrayBuffer(kib(16))), kib(16)],
  ])('%s', (_, make, left) => {
    const bytes = make();
    giveBack(bytes, 5);
    expect(bytes.length).toBe(left);
  });
});
