// What a token is bound to, and what the other end of a connection has shown (RFC 7800): one rule for everybody who asks.

/** The key or identity that a token is bound to; '' = not by this method. Where several are named, all must be met (RFC 7800 §3.1). */
export interface Confirmation {
  /** SHA-256 of the certificate, base64url (`x5t#S256`, RFC 8705 §3.1). A renewed certificate is another one. */
  readonly x5tS256: string;
  /** SHA-256 of the public key (SubjectPublicKeyInfo), base64url: outlives a renewal that keeps the key. */
  readonly spkiSha256: string;
  /** The SPIFFE id of the certificate: outlives every renewal. */
  readonly spiffeId: string;
  /** RFC 7638 thumbprint of the DPoP key (`jkt`, RFC 9449 §6.1). */
  readonly jkt: string;
  /** It names a method that we cannot check. */
  readonly other: boolean;
}

/** What the other end has proven to hold; '' = nothing of that kind. */
export interface Shown {
  readonly certificate: string;
  readonly spki: string;
  readonly spiffeId: string;
  /** Of a DPoP proof that was checked. */
  readonly jkt: string;
}

export const NOTHING_SHOWN: Shown = { certificate: '', spki: '', spiffeId: '', jkt: '' };

/** Why the binding is not met, or null. A method that cannot be checked is one that is missing. */
export const unmet = (bound: Confirmation, shown: Shown): 'missing' | 'mismatch' | null => {
  if (bound.other) return 'missing';
  let mismatch = false;
  for (const [wanted, given] of [
    [bound.x5tS256, shown.certificate],
    [bound.spkiSha256, shown.spki],
    [bound.spiffeId, shown.spiffeId],
    [bound.jkt, shown.jkt],
  ]) {
    if (wanted === '') continue;
    if (given === '') return 'missing';
    if (wanted !== given) mismatch = true;
  }
  return mismatch ? 'mismatch' : null;
};
