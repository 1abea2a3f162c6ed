import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { systemRandom } from '../base/random.ts';
import { createSealer } from './sealer.ts';

const master = randomBytes(32);
const sealer = createSealer(master, systemRandom);
const secret = Buffer.from('a private key');
const mismatch = expect.objectContaining({ code: 'FAILED_PRECONDITION', reason: 'MASTER_KEY_MISMATCH' });
const thrown = (work: () => unknown): unknown => {
  try {
    return work();
  } catch (error) {
    return error;
  }
};

describe('the sealer', () => {
  it('opens what another replica with the same master key sealed', () =>
    expect(createSealer(master, systemRandom).open('p', 'c', sealer.seal('p', 'c', secret))).toEqual(secret));
  it('never gives the same bytes twice', () => expect(sealer.seal('p', 'c', secret)).not.toEqual(sealer.seal('p', 'c', secret)));
  it('opens nothing under another purpose', () =>
    expect(thrown(() => sealer.open('q', 'c', sealer.seal('p', 'c', secret)))).toEqual(mismatch));
  it('opens nothing in another context', () =>
    expect(thrown(() => sealer.open('p', 'd', sealer.seal('p', 'c', secret)))).toEqual(mismatch));
  it('opens nothing under another master key', () =>
    expect(thrown(() => createSealer(randomBytes(32), systemRandom).open('p', 'c', sealer.seal('p', 'c', secret)))).toEqual(mismatch));
  it('opens nothing with one bit changed, wherever it stands', () => {
    const sealed = sealer.seal('p', 'c', secret);
    for (let i = 0; i < sealed.length; i += 1) {
      const changed = Buffer.from(sealed);
      changed[i] = (changed[i] ?? 0) ^ 1;
      expect(thrown(() => sealer.open('p', 'c', changed))).toEqual(mismatch);
    }
  });
  it('opens nothing cut short', () => expect(thrown(() => sealer.open('p', 'c', Buffer.from([1, 2])))).toEqual(mismatch));
  it('derives the same 32 bytes for a purpose everywhere, others for another', () => {
    expect(sealer.derive('a')).toEqual(createSealer(master, systemRandom).derive('a'));
    expect(sealer.derive('a')).toHaveLength(32);
    expect(sealer.derive('a')).not.toEqual(sealer.derive('b'));
  });
  it('has a check value of its own for each master key', () =>
    expect(sealer.checkValue).not.toEqual(createSealer(randomBytes(32), systemRandom).checkValue));
});
