import { describe, expect, it } from '@jest/globals';
import { createKeyLoader, type SigningKeysDeps } from './signing-keys.ts';
import type { StoredKey } from './key-life.ts';

const key = (kid: string): StoredKey =>
  ({ kid, algorithm: 'ES256', state: 'active', source: 'stored', publicJwk: { kid }, privateSealed: Buffer.alloc(0) }) as StoredKey;

/** A store that answers when the test says so. */
const setUp = () => {
  const asked: ((keys: readonly StoredKey[]) => void)[] = [];
  const replaced: string[] = [];
  const deps = {
    clock: { now: () => 0, monotonic: () => 0 },
    policy: { told: 0 },
    keys: { list: () => new Promise((resolve) => asked.push(resolve)) },
    jose: {
      importPublic: () => ({}),
      importPrivate: () => ({}),
      verificationKey: async () => ({}),
      signingKey: async () => ({ signer: { kid: 'k' } }),
    },
    sealer: { open: () => Buffer.alloc(0) },
    keyring: { replace: (keys: readonly unknown[]) => void replaced.push(`${keys.length} keys`) },
    files: () => null,
    device: null,
    warn: () => {},
  } as unknown as SigningKeysDeps;
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  return { loader: createKeyLoader(deps), asked, replaced, turn };
};

describe('loading the signing keys', () => {
  it('happens once at a time: what was read earlier never replaces what was read later', async () => {
    const { loader, asked, replaced, turn } = setUp();
    const loads = [loader.load(false), loader.load(false)];
    await turn();
    expect(asked).toHaveLength(1);
    asked[0]?.([key('k')]);
    await turn();
    asked[1]?.([key('k'), { ...key('l'), state: 'published' }]);
    await Promise.all(loads);
    expect(replaced).toEqual(['1 keys', '2 keys']);
  });

  it('goes on after one that failed', async () => {
    const { loader, asked, replaced, turn } = setUp();
    const failed = expect(loader.load(false)).rejects.toMatchObject({ reason: 'SIGNING_KEY_MISSING' });
    const next = loader.load(false);
    await turn();
    asked[0]?.([]);
    await failed;
    await turn();
    asked[1]?.([key('k')]);
    await next;
    expect(replaced).toEqual(['1 keys']);
  });
});
