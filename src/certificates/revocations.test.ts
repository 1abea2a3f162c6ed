// The mirror of revoked certificates.
import { describe, expect, it } from '@jest/globals';
import { createRevocations } from './revocations.ts';

describe('revoked certificates', () => {
  it('are remembered to their end, and no news shortens it', () => {
    const revocations = createRevocations(10);
    revocations.apply('a1', 1000);
    revocations.apply('a1', 500);
    revocations.sweep(999, 100);
    expect(revocations.has('a1')).toBe(true);
    revocations.sweep(1000, 100);
    revocations.sweep(1000, 100);
    expect(revocations.has('a1')).toBe(false);
  });

  it('are looked through a bounded number at a time, all of them in the end', () => {
    const revocations = createRevocations(1000);
    for (let i = 0; i < 100; i += 1) revocations.apply(String(i), 10);
    for (let i = 0; i < 12; i += 1) revocations.sweep(20, 10);
    expect(revocations.size).toBe(0);
  });

  it('say when they are too many', () => {
    const revocations = createRevocations(2);
    revocations.apply('a', 10);
    expect(revocations.full).toBe(false);
    revocations.apply('b', 10);
    expect(revocations.full).toBe(true);
  });
});
