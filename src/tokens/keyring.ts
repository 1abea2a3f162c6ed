// The keys that verify, and the one that signs: a bounded map in memory, replaced as a whole.
import type { KeyObject } from 'node:crypto';
import type { Algorithm } from './jws.ts';

/** pending → published → active → retiring → retired. Every state but the first and the last is believed; one key is active. */
export type KeyState = 'pending' | 'published' | 'active' | 'retiring' | 'retired';

export const isAccepted = (state: KeyState): boolean => state !== 'pending' && state !== 'retired';

/** RFC 7517 members of a public key; `kid`, `alg` and `use` are always there. */
export type PublicJwk = Readonly<Record<string, string>> & { readonly kid: string; readonly alg: string };

export interface Jwks {
  readonly keys: readonly PublicJwk[];
}

/** One key, one algorithm (RFC 8725 §3.1): the record decides, never a token's header. */
export interface VerificationKey {
  readonly kid: string;
  readonly algorithm: Algorithm;
  readonly key: KeyObject;
  readonly jwk: PublicJwk;
}

export interface Signer {
  readonly kid: string;
  readonly algorithm: Algorithm;
  /** A JWS in compact serialisation with this `typ`. */
  sign(type: string, payload: Readonly<Record<string, unknown>>): Promise<string>;
}

export interface Keyring {
  /** Map look-up only: nothing a token says about its key leads anywhere else. */
  get(kid: string): VerificationKey | undefined;
  signer(): Signer | null;
  jwks(): Jwks;
  replace(keys: readonly VerificationKey[], signer: Signer): void;
  /** Called after the set of accepted keys has changed. */
  onChange(listener: () => void): void;
}

export const createKeyring = (): Keyring => {
  let keys: ReadonlyMap<string, VerificationKey> = new Map();
  let signer: Signer | null = null;
  let jwks: Jwks = { keys: [] };
  const listeners: (() => void)[] = [];
  return {
    get: (kid) => keys.get(kid),
    signer: () => signer,
    jwks: () => jwks,
    replace(next, nextSigner) {
      const same = next.length === keys.size && next.every((key) => keys.has(key.kid));
      keys = new Map(next.map((key) => [key.kid, key]));
      jwks = { keys: next.map((key) => key.jwk) };
      signer = nextSigner;
      if (!same) for (const listener of listeners) listener();
    },
    onChange: (listener) => void listeners.push(listener),
  };
};
