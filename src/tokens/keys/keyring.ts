// The keys that verify, and the one that signs: a bounded map in memory, replaced as a whole.
import type { KeyObject } from 'node:crypto';
import type { Instant } from '../../base/time.ts';
import type { Algorithm } from '../jws.ts';

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

export interface KeyRevocation {
  readonly key: string;
  readonly seq: number;
  readonly until: Instant;
  readonly detail: string;
}

/** As watermarks are told: it belongs to no tenant. */
export interface RevokedKey extends KeyRevocation {
  readonly kind: 'signing_key';
  readonly tenantId: '';
}

export interface Keyring {
  /** Map look-up only: nothing a token says about its key leads anywhere else. */
  get(kid: string): VerificationKey | undefined;
  signer(): Signer | null;
  jwks(): Jwks;
  /** null: nothing may sign for now. */
  replace(keys: readonly VerificationKey[], signer: Signer | null): void;
  /** Never believed again, whatever `replace` brings; at once, without asking any store. */
  revoke(revocation: KeyRevocation): void;
  /** The revocations that must still be remembered, none with a higher number than `upTo`. */
  revoked(now: Instant, upTo: number): readonly RevokedKey[];
  /** Called after the set of accepted keys has changed; `lost`: one is believed no longer. */
  onChange(listener: (lost: boolean) => void): void;
}

export const createKeyring = (): Keyring => {
  let given: readonly VerificationKey[] = [];
  let keys: ReadonlyMap<string, VerificationKey> = new Map();
  let signer: Signer | null = null;
  let jwks: Jwks = { keys: [] };
  const revoked = new Map<string, KeyRevocation>();
  const listeners: ((lost: boolean) => void)[] = [];

  const set = (next: readonly VerificationKey[]): void => {
    const believed = next.filter((key) => !revoked.has(key.kid));
    given = next;
    if (believed.length === keys.size && believed.every((key) => keys.has(key.kid))) return;
    const before = keys;
    keys = new Map(believed.map((key) => [key.kid, key]));
    // Another object only where the set is another: whoever watches compares.
    jwks = { keys: believed.map((key) => key.jwk) };
    const lost = [...before.keys()].some((kid) => !keys.has(kid));
    for (const listener of listeners) listener(lost);
  };
  const usable = (one: Signer | null): Signer | null => (one === null || revoked.has(one.kid) ? null : one);

  return {
    get: (kid) => keys.get(kid),
    signer: () => signer,
    jwks: () => jwks,
    replace(next, nextSigner) {
      signer = usable(nextSigner);
      set(next);
    },
    revoke(revocation) {
      revoked.set(revocation.key, revocation);
      signer = usable(signer);
      set(given);
    },
    revoked(now, upTo) {
      // Forgotten only here, where nobody asks for it any more; the key itself is retired by then.
      for (const [kid, { until }] of revoked) if (until <= now) revoked.delete(kid);
      return [...revoked.values()].map((one) => ({ ...one, kind: 'signing_key', tenantId: '', seq: Math.min(one.seq, upTo) }));
    },
    onChange: (listener) => void listeners.push(listener),
  };
};
