// What is asked for when a certificate is issued, and what is answered.
import type { MaybePromise } from '../base/call.ts';
import type { Instant, Millis } from '../base/time.ts';
import type { WhoFor } from './entitle.ts';
import type { PublicKey } from './public-key.ts';
import type { SigningRequest } from './x509.ts';

export type KeyType = 'ecdsa-p256' | 'ecdsa-p384' | 'rsa-2048' | 'rsa-3072';

/** DER, both. */
export interface MadeKey {
  readonly spki: Buffer;
  readonly pkcs8: Buffer;
}

/** Port: makes keys without holding the event loop. */
export interface KeyMaker {
  make(type: KeyType): MaybePromise<MadeKey>;
}

export type Attestation =
  | { readonly kind: 'join_token'; readonly token: string }
  | { readonly kind: 'expired_certificate'; readonly pem: string }
  | { readonly kind: 'kubernetes_token' };

/** The key to certify, or the wish for one. */
export interface KeyWish {
  /** PEM or DER; empty = none. */
  readonly csr: Uint8Array;
  readonly generate: KeyType | null;
}

export interface IssueRequest extends WhoFor, KeyWish {
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
  /** null: the service's own. */
  readonly ttl: Millis | null;
  readonly attestation: Attestation | null;
  readonly idempotencyKey: string;
}

export interface Issued {
  /** Leaf first, then intermediates. */
  readonly certificatePem: string;
  /** PKCS #8; '' unless it was made here and now. Never stored. */
  readonly privateKeyPem: string;
  readonly trustBundlePem: string;
  readonly spiffeId: string;
  readonly serialNumber: string;
  readonly notBefore: Instant;
  readonly notAfter: Instant;
  readonly renewAt: Instant;
  /** This idempotency key had made it before. */
  readonly replayed: boolean;
}

/** The key to certify, with the request that proved it or the private key made here. */
export interface Subject {
  readonly key: PublicKey;
  readonly request: SigningRequest | null;
  readonly privateKeyPem: string;
}

export type Names = Pick<IssueRequest, 'dnsNames' | 'ipAddresses'>;
