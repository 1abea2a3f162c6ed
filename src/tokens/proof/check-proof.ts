// Checking a DPoP proof: its signature, the request it was made for, and that it is seen for the first time.
import type { KeyObject } from 'node:crypto';
import { boundedMap } from '../../base/bounded.ts';
import type { Payer } from '../../base/call.ts';
import { base64url, sha256 } from '../../base/bytes.ts';
import { lengthPrefixed } from '../../base/canonical.ts';
import { Fault, unavailable } from '../../base/fault.ts';
import { CLOCK_SKEW, type Instant, minutes } from '../../base/time.ts';
import type { Cache } from '../../storage/storage.ts';
import type { Refusal } from '../jws.ts';
import { importProofKey } from './proof-key.ts';
import type { ProofNonces } from './proof-nonce.ts';
import { type Proof, PROOF_LIFE, proofProblem, type ProvenRequest, readProof } from './proof.ts';
import { signatureHolds } from '../signature.ts';

/**
 * What a proof is used for. Each use counts once: whoever answers one inbound request may ask for a verdict, a decision and an exchange with
 * the proof that came with it, and the same proof in a second inbound request is refused by the first of them.
 */
export type ProofUse = 'call' | 'verdict' | 'decision' | 'exchange';

export type CheckProof = (
  proof: string,
  request: ProvenRequest,
  use: ProofUse,
  now: Instant,
  /** Who caused the check: no cache spares it. */
  payer: Payer,
) => Promise<{ readonly ok: true; readonly jkt: string } | ({ readonly ok: false } & Refusal)>;

export interface CheckProofDeps {
  readonly cache: Pick<Cache, 'remember'>;
  /** Asked for before a signature is checked; throws where the payer has used its part up. */
  readonly pay: (payer: Payer) => void;
  /** The nonces that proofs for the hub itself must carry; null where none are asked for. */
  readonly nonces: ProofNonces | null;
}

const KEYS = 10_000;
const refused = (reason: string, message: string) => ({ ok: false, reason, message }) as const;

/** RFC 9449 §8, §9: the refusal brings the nonce that the next proof needs. */
const nonceNeeded = (nonces: ProofNonces, now: Instant): Fault =>
  new Fault('UNAUTHENTICATED', 'USE_DPOP_NONCE', 'the proof must carry the nonce that comes with this answer', {
    meta: { dpop_nonce: nonces.at(now) },
  });

/**
 * UNAVAILABLE / DPOP_UNAVAILABLE while nobody can say whether a proof was seen before: an outage is no verdict.
 * UNAUTHENTICATED / USE_DPOP_NONCE for a proof to the hub itself without a nonce of these minutes.
 */
export const createCheckProof = ({ cache, pay, nonces }: CheckProofDeps): CheckProof => {
  // By thumbprint, which nobody can choose for another key.
  const keys = boundedMap<string, KeyObject>(KEYS);

  const keyOf = ({ jkt, jwk }: Proof, now: Instant): KeyObject | null => {
    const known = keys.get(jkt, now);
    if (known !== undefined) return known;
    const key = importProofKey(jwk);
    if (key !== null) keys.set(jkt, key, now + minutes(60));
    return key;
  };

  const seen = async ({ jkt, id, issuedAt }: Proof, use: ProofUse, now: Instant) => {
    const key = `dpop:${base64url(sha256(lengthPrefixed([use, jkt, id])))}`;
    try {
      // Longer than it can count; and from before anybody with a fast clock could have used it.
      return await cache.remember(key, issuedAt + PROOF_LIFE + CLOCK_SKEW - now, issuedAt - CLOCK_SKEW);
    } catch (cause) {
      if (cause instanceof Fault && cause.code === 'UNAVAILABLE')
        throw unavailable('DPOP_UNAVAILABLE', 'nobody can say now whether a proof was used before: the cache does not answer', cause);
      throw cause;
    }
  };

  return async (text, request, use, now, payer) => {
    const proof = readProof(text);
    if ('reason' in proof) return refused(proof.reason, proof.message);
    const problem = proofProblem(proof, request, now);
    if (problem !== null) return refused(problem.reason, problem.message);
    if (request.ours === true && nonces !== null && !nonces.counts(proof.nonce, now)) throw nonceNeeded(nonces, now);
    pay(payer);
    const key = keyOf(proof, now);
    if (key === null || !signatureHolds(proof.algorithm, key, proof.signed, proof.signature))
      return refused('DPOP_PROOF_INVALID', 'the signature of the proof does not hold');
    switch (await seen(proof, use, now)) {
      case 'first':
        return { ok: true, jkt: proof.jkt };
      case 'again':
        return refused('DPOP_PROOF_REPLAYED', 'the proof was used before: make a new one for each request');
      case 'forgotten':
        return refused('DPOP_PROOF_EXPIRED', 'the proof is older than the memory of used ones: make a new one');
    }
  };
};
