// What capabilities ask of the master key: seal a private thing at rest, derive a key for a keyed hash.

export interface Sealer {
  /** Ciphertext bound to `purpose` and `context`; opens only with both. Any replica with the same master key can open it. */
  seal(purpose: string, context: string, plaintext: Uint8Array): Buffer;
  /** Throws FAILED_PRECONDITION / MASTER_KEY_MISMATCH when it does not open. */
  open(purpose: string, context: string, sealed: Uint8Array): Buffer;
  /** 32 bytes that only holders of the master key can derive; the same for the same purpose everywhere. */
  derive(purpose: string): Buffer;
}
