// The key to certify: from a signing request whose signature proves that the sender holds it, or made here.
import { verify } from 'node:crypto';
import { badField, Fault } from '../base/fault.ts';
import type { KeyMaker, KeyWish, Subject } from './issuance.ts';
import { type PublicKey, publicKeyOf } from './public-key.ts';
import { type Codec, pem, SIGNATURE_HASH, type SigningRequest } from './x509.ts';

interface ProvenKey {
  readonly key: PublicKey;
  readonly request: SigningRequest;
}

const invalid = (why: string): Fault => badField('csr', why, 'CSR_INVALID');

/** PEM or DER → the proven key. INVALID_ARGUMENT / CSR_INVALID or KEY_WEAK otherwise. RFC 2986 §4.2: the signature is the proof of possession. */
const provenKey = (codec: Pick<Codec, 'parseRequest'>, csr: Uint8Array): ProvenKey => {
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

const NO_KEYS_HERE = 'the hub makes no private keys here: send a certificate signing request (or set CERT_ALLOW_GENERATED_KEYS=true)';

export interface SubjectDeps {
  readonly codec: Pick<Codec, 'parseRequest'>;
  readonly keys: KeyMaker;
  /** May private keys be made here at all? */
  readonly mayGenerate: boolean;
}

/** FAILED_PRECONDITION / KEY_GENERATION_DISABLED where a key is wished for and none may be made. */
export const createSubject =
  ({ codec, keys, mayGenerate }: SubjectDeps) =>
  async ({ csr, generate }: KeyWish): Promise<Subject> => {
    if (csr.length > 0 === (generate !== null)) throw badField('csr', 'give either csr or generate_key');
    if (generate === null) {
      const { key, request } = provenKey(codec, csr);
      return { key, request, privateKeyPem: '' };
    }
    if (!mayGenerate) throw new Fault('FAILED_PRECONDITION', 'KEY_GENERATION_DISABLED', NO_KEYS_HERE);
    const made = await keys.make(generate);
    const judged = publicKeyOf(made.spki);
    if (!judged.ok) throw new Fault('INTERNAL', 'INTERNAL', 'a key of our own making is not good', { cause: judged.why });
    return { key: judged.key, request: null, privateKeyPem: pem('PRIVATE KEY', made.pkcs8) };
  };
