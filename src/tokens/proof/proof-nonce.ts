// Nonces of DPoP proofs (RFC 9449 §8): a word for some minutes, the same on every replica, so that no proof is made long before it is used.
import { base64url, equalBytes, hmacSha256 } from '../../base/bytes.ts';
import { CLOCK_SKEW, type Instant, type Millis, minutes } from '../../base/time.ts';

/** For so long a nonce is given out; it counts for as long again. */
export const NONCE_TURN: Millis = minutes(5);

export interface ProofNonces {
  /** The one given out now. */
  at(now: Instant): string;
  /** Was it given out in this turn or in the one before, by a clock that differs from ours a little? */
  counts(nonce: string, now: Instant): boolean;
}

/** Nobody without the key can tell the next one; nothing is stored. */
export const createProofNonces = (key: Uint8Array): ProofNonces => {
  const ofTurn = (turn: number): string => base64url(hmacSha256(key, `dpop-nonce ${turn}`).subarray(0, 16));
  const turnAt = (now: Instant): number => Math.floor(now / NONCE_TURN);
  return {
    at: (now) => ofTurn(turnAt(now)),
    counts(nonce, now) {
      const given = Buffer.from(nonce);
      const turns = new Set([turnAt(now) - 1, turnAt(now), turnAt(now + CLOCK_SKEW)]);
      return [...turns].some((turn) => equalBytes(given, Buffer.from(ofTurn(turn))));
    },
  };
};
