import { describe, expect, it } from '@jest/globals';
import { DecryptResponse, EncryptResponse } from '../gen/securityhub/v1/security_hub.ts';
import { decryptAnswer, encryptAnswer } from './answer.ts';
import type { EncryptionKey } from './key.ts';

const key: EncryptionKey = {
  tenantId: 'acme',
  id: 'ek_1',
  name: 'orders',
  purpose: '',
  algorithm: 'XAES-256-GCM',
  status: 'enabled',
  primaryVersion: 2,
  rotationPeriod: null,
  nextRotationAt: null,
  createdAt: 0,
};
const SIZES = [0, 1, 127, 128, 1024, 16_383, 16_384, 1 << 20];

describe('answers as bytes', () => {
  it.each(SIZES)('are those that the messages have: %i bytes', (size) => {
    const content = Buffer.alloc(size, 7);
    const said = { keyName: 'orders', keyId: 'ek_1' };
    for (const [version, algorithm] of [
      [1, 'XAES-256-GCM'],
      [2, 'XAES-256-GCM'],
      [2, 'FERNET'],
    ] as const)
      expect(
        encryptAnswer({ ciphertext: content, key, version, algorithm }).equals(
          EncryptResponse.encode({ ciphertext: content, ...said, keyVersion: version, algorithm }).finish(),
        ),
      ).toBe(true);
    for (const [version, needsRewrap] of [
      [1, true],
      [2, false],
    ] as const)
      expect(
        decryptAnswer({ plaintext: content, key, version, needsRewrap }).equals(
          DecryptResponse.encode({ plaintext: content, ...said, keyVersion: version, needsRewrap }).finish(),
        ),
      ).toBe(true);
  });

  it('say the new name of a key that was loaded anew', () => {
    const plaintext = Buffer.from('a');
    decryptAnswer({ plaintext, key, version: 1, needsRewrap: false });
    const renamed = decryptAnswer({ plaintext, key: { ...key, name: 'bills' }, version: 1, needsRewrap: false });
    expect(DecryptResponse.decode(renamed).keyName).toBe('bills');
  });
});
