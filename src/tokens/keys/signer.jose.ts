// Signing keys made, printed and used with jose: key pairs, RFC 7638 thumbprints, JWKs, compact JWS.
import { createPrivateKey, createPublicKey, generateKeyPair as generate, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { calculateJwkThumbprint, exportJWK, SignJWT } from 'jose';
import { Fault } from '../../base/fault.ts';
import { fits, MIN_RSA_BITS } from './fits.ts';
import type { Algorithm } from '../jws.ts';
import type { PublicJwk, Signer, VerificationKey } from './keyring.ts';

const generateKeyPair = promisify(generate);

const NEW_RSA_BITS = 3072;

/** A fresh private key. EC and Ed25519 take microseconds; RSA takes its time, away from the event loop. */
export const makePrivateKey = async (algorithm: Algorithm): Promise<KeyObject> => {
  switch (algorithm) {
    case 'ES256':
      return (await generateKeyPair('ec', { namedCurve: 'P-256' })).privateKey;
    case 'EdDSA':
      return (await generateKeyPair('ed25519')).privateKey;
    case 'PS256':
    case 'RS256':
      return (await generateKeyPair('rsa', { modulusLength: NEW_RSA_BITS })).privateKey;
  }
};

/** The fault names what would fit. */
const assertFits = (key: KeyObject, algorithm: Algorithm): void => {
  if (!fits(key, algorithm))
    throw new Fault(
      'FAILED_PRECONDITION',
      'SIGNING_KEY_UNFIT',
      `the signing key does not fit JWT_ALGORITHM=${algorithm}: ES256 needs P-256, EdDSA Ed25519, PS256 and RS256 an RSA key of ${MIN_RSA_BITS} bits or more`,
    );
};

export const verificationKey = async (publicKey: KeyObject, algorithm: Algorithm): Promise<VerificationKey> => {
  assertFits(publicKey, algorithm);
  const jwk = await exportJWK(publicKey);
  const kid = await calculateJwkThumbprint(jwk, 'sha256');
  const members = Object.entries({ ...jwk, kid, alg: algorithm, use: 'sig' }).filter((entry) => typeof entry[1] === 'string');
  return { kid, algorithm, key: publicKey, jwk: Object.fromEntries(members) as PublicJwk };
};

/** Both halves of a private key: what signs, and what verifies. */
export const signingKey = async (
  privateKey: KeyObject,
  algorithm: Algorithm,
): Promise<{ readonly signer: Signer; readonly verification: VerificationKey }> => {
  const verification = await verificationKey(createPublicKey(privateKey), algorithm);
  const { kid } = verification;
  return {
    verification,
    signer: {
      kid,
      algorithm,
      sign: (typ, payload) => new SignJWT(payload).setProtectedHeader({ alg: algorithm, typ, kid }).sign(privateKey),
    },
  };
};

export const exportPrivate = (key: KeyObject): Buffer => key.export({ type: 'pkcs8', format: 'der' });
export const importPrivate = (der: Buffer): KeyObject => createPrivateKey({ key: der, type: 'pkcs8', format: 'der' });
export const importPublic = (jwk: PublicJwk): KeyObject => createPublicKey({ key: jwk, format: 'jwk' });
