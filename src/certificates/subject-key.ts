// The key to certify: from a signing request whose signature proves that the sender holds it. Pure.
import { verify } from 'node:crypto';
import { badField, type Fault } from '../base/fault.ts';
import { type PublicKey, publicKeyOf } from './public-key.ts';
import { type Codec, SIGNATURE_HASH, type SigningRequest } from './x509.ts';

export interface ProvenKey {
  readonly key: PublicKey;
  readonly request: SigningRequest;
}

const invalid = (why: string): Fault => badField('csr', why, 'CSR_INVALID');

/** PEM or DER → the proven key. INVALID_ARGUMENT / CSR_INVALID or KEY_WEAK otherwise. RFC 2986 §4.2: the signature is the proof of possession. */
export const provenKey = (codec: Pick<Codec, 'parseRequest'>, csr: Uint8Array): ProvenKey => {
  const request = codec.parseRequest(csr);
  if (request === null) throw invalid('is not a certificate signing request (PKCS #10, PEM or DER, at most 16 KiB)');
  const judged = publicKeyOf(request.spki);
  if (!judged.ok) throw judged.problem === 'weak' ? badField('csr', judged.why, 'KEY_WEAK') : invalid(judged.why);
  const algorithm = SIGNATURE_HASH[request.signatureAlgorithm];
  if (algorithm === undefined || algorithm.key !== judged.key.type)
    throw invalid('must be signed with ECDSA or RSA (PKCS #1 v1.5) over SHA-256, SHA-384 or SHA-512');
  if (!verify(algorithm.hash, request.info, judged.key.key, request.signature)) throw invalid('its signature does not fit its key');
  return { key: judged.key, request };
};
