// Which key may be used with which algorithm: one algorithm a key, and none that is too weak.
import type { KeyObject } from 'node:crypto';
import type { Algorithm } from '../jws.ts';

/** RSA keys below this are refused (RFC 7518 §3.3 asks for it); ours are larger. */
export const MIN_RSA_BITS = 2048;

/** Does this key, either half of it, fit the algorithm? */
export const fits = (key: KeyObject, algorithm: Algorithm): boolean => {
  const details = key.asymmetricKeyDetails;
  switch (algorithm) {
    case 'ES256':
      return key.asymmetricKeyType === 'ec' && details?.namedCurve === 'prime256v1';
    case 'EdDSA':
      return key.asymmetricKeyType === 'ed25519';
    case 'PS256':
    case 'RS256':
      return key.asymmetricKeyType === 'rsa' && (details?.modulusLength ?? 0) >= MIN_RSA_BITS;
  }
};
