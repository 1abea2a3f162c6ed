// One call, as every layer and handler sees it.
import type { Caller } from './caller.ts';
import type { Instant } from './time.ts';

export interface PeerCertificate {
  /** DER, leaf only. */
  readonly der: Buffer;
  /** SHA-256 of the DER, lower-case hex. */
  readonly sha256: string;
  /** SHA-256 of its public key (SubjectPublicKeyInfo), lower-case hex. */
  readonly spkiSha256: string;
  /** The one URI SAN, or null where there is none. */
  readonly spiffeId: string | null;
  /** Lower-case hex without leading zeros. */
  readonly serialNumber: string;
  readonly notBefore: Instant;
  readonly notAfter: Instant;
}

/** The other end of the socket. Addresses are transports, never identities. */
export interface Peer {
  readonly transport: 'tcp' | 'unix' | 'http' | 'local';
  readonly address: string;
  readonly loopback: boolean;
  /** Verified by the TLS handshake against our own authority; expiry and revocation are checked on every call. */
  readonly certificate: PeerCertificate | null;
  /** A certificate was shown that names nobody here, and why (OpenSSL's word for it); absent where none was shown. */
  readonly refusedCertificate?: string;
}

export interface Call {
  /** Full name, `securityhub.v1.SecurityHub/ValidateToken`. */
  readonly method: string;
  readonly caller: Caller;
  readonly peer: Peer;
  readonly requestId: string;
  readonly traceparent: string;
  readonly userAgent: string;
  /** The DPoP proof that came along (RFC 9449 §4.1), '' where there is none; several are one that does not hold. */
  readonly dpop: string;
  /** The address the caller used, as a DPoP proof must name it: `https://<authority>/<package>.<Service>/<Method>`. */
  readonly target: string;
  /** When the call arrived, frozen: all checks of one call see one instant. */
  readonly now: Instant;
  /** When nobody waits for the answer any more. */
  readonly deadline: Instant;
  /** Made on first use; aborts at the deadline and when the caller goes away. */
  readonly signal: AbortSignal;
}

/** Who pays for work: the caller where it is known by then, else whoever is at the other end. */
export interface Payer {
  readonly caller?: Caller;
  readonly peer: Peer;
}

export type MaybePromise<T> = T | Promise<T>;
