// A public key as the messages print it.
import type { Jwk } from '../../gen/securityhub/v1/token.ts';
import type { PublicJwk } from '../tokens.ts';

export const jwkMessage = (jwk: PublicJwk): Jwk => ({
  kty: jwk['kty'] ?? '',
  crv: jwk['crv'] ?? '',
  x: jwk['x'] ?? '',
  y: jwk['y'] ?? '',
  n: jwk['n'] ?? '',
  e: jwk['e'] ?? '',
  kid: jwk.kid,
  alg: jwk.alg,
  use: jwk['use'] ?? '',
});
