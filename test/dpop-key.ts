// A client's DPoP key, as the client has it: makes proofs with jose.
import { createHash, randomUUID } from 'node:crypto';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT } from 'jose';

export interface DpopKey {
  readonly jkt: string;
  /** A fresh proof for `POST uri`, now; `over` replaces payload members. */
  proof(uri: string, token?: string, over?: Readonly<Record<string, unknown>>): Promise<string>;
}

export const dpopKey = async (now: () => number = Date.now): Promise<DpopKey> => {
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const jwk = await exportJWK(publicKey);
  return {
    jkt: await calculateJwkThumbprint(jwk, 'sha256'),
    proof: (htu, token, over = {}) =>
      new SignJWT({
        jti: randomUUID(),
        htm: 'POST',
        htu,
        iat: Math.floor(now() / 1000),
        ...(token === undefined ? {} : { ath: createHash('sha256').update(token).digest('base64url') }),
        ...over,
      })
        .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk })
        .sign(privateKey),
  };
};
