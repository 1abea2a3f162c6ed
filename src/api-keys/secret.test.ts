import { describe, expect, it } from '@jest/globals';
import { systemRandom } from '../base/random.ts';
import { displayPrefix, hashSecret, MAX_SECRET, makeSecret, readSecret } from './secret.ts';

const keys = { tag: Buffer.alloc(32, 1), hash: Buffer.alloc(32, 2) };
const { keyId, text } = makeSecret(keys, 'team-a', systemRandom);

describe('the text of an API key', () => {
  it('says where it belongs', () => {
    expect(readSecret(keys, text)).toEqual({ tenantId: 'team-a', keyId });
    expect(text.startsWith('shk_team-a_')).toBe(true);
  });

  it('fits its bound even with the longest tenant', () => {
    expect(makeSecret(keys, 'a'.repeat(63), systemRandom).text.length).toBeLessThanOrEqual(MAX_SECRET);
  });

  it('is refused when any one character is changed', () => {
    for (let at = 0; at < text.length; at += 1) {
      const other = text[at] === 'a' ? 'b' : 'a';
      expect(readSecret(keys, text.slice(0, at) + other + text.slice(at + 1))).toBeNull();
    }
  });

  it('is refused cut short, continued, in another case or made with other keys', () => {
    const foreign = makeSecret({ ...keys, tag: Buffer.alloc(32, 9) }, 'team-a', systemRandom).text;
    for (const wrong of ['', 'shk_', text.slice(0, -1), `${text}0`, `${text}\n`, text.toUpperCase(), ` ${text}`, foreign])
      expect(readSecret(keys, wrong)).toBeNull();
  });

  it('is refused with the right checksum and a made-up tag', () => {
    expect(readSecret(keys, text.slice(0, -16) + '0'.repeat(16))).toBeNull();
  });

  it('is stored under a key, and shown by a prefix that holds none of the secret part', () => {
    expect(hashSecret(keys, text)).not.toEqual(hashSecret({ ...keys, hash: Buffer.alloc(32, 3) }, text));
    expect(text.startsWith(displayPrefix('team-a', keyId))).toBe(true);
    expect(displayPrefix('team-a', keyId)).toHaveLength('shk_team-a_'.length + 6);
  });
});
