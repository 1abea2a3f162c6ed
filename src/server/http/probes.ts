// Probes, metrics and public keys: the routes that hold no secret and need none.
import { hash } from 'node:crypto';
import type { MaybePromise } from '../../base/call.ts';
import { INTROSPECTION, REVOCATION } from './oauth.ts';
import { type HttpRoute, json } from './route.ts';

export interface ProbePorts {
  /** What is missing before calls can be answered, a sentence each; empty when nothing is. */
  readonly missing: () => readonly string[];
  readonly metrics: { readonly contentType: string; text(): Promise<string> };
}

export interface PublicPorts {
  /** The JWK Set as JSON text, and for how many seconds it may be kept. */
  readonly jwks: () => MaybePromise<{ readonly json: string; readonly maxAge: number }>;
  readonly issuer: string;
  /** Of the keys there are. */
  readonly algorithms: () => readonly string[];
  /** Of DPoP proofs that are accepted; left out: none are. */
  readonly proofAlgorithms?: readonly string[];
  /** Are introspection and revocation served here? */
  readonly oauth: boolean;
}

const JWKS = '/.well-known/jwks.json';
/** An API key as the secret, or an access token or API key as the bearer (RFC 8414 §2); a client certificate needs no name here. */
const AUTH_METHODS = ['client_secret_basic', 'Bearer'];

/** `/livez` answers while the event loop turns; `/readyz` 503 until nothing is missing. */
export const probeRoutes = ({ missing, metrics }: ProbePorts): readonly HttpRoute[] => [
  { method: 'GET', path: '/livez', exposure: 'probe', handle: () => json(200, { status: 'alive' }) },
  {
    method: 'GET',
    path: '/readyz',
    exposure: 'probe',
    handle: () => {
      const lacking = missing();
      return lacking.length === 0 ? json(200, { status: 'ready' }) : json(503, { status: 'not ready', missing: lacking });
    },
  },
  {
    method: 'GET',
    path: '/metrics',
    exposure: 'probe',
    handle: async () => ({
      status: 200,
      headers: { 'content-type': metrics.contentType, 'cache-control': 'no-store' },
      body: await metrics.text(),
    }),
  },
];

/** Is one of these tags the current one? Weak comparison (RFC 9110 §13.1.2). */
const unchanged = (header: string, tag: string): boolean =>
  header.split(',').some((one) => one.trim() === '*' || one.trim().replace(/^W\//, '') === tag);

/** Verification keys, and where they are (OpenID Connect Discovery 1.0 §3, RFC 8414 §2): nothing that is not so. */
export const publicRoutes = ({ jwks, issuer, algorithms, proofAlgorithms = [], oauth }: PublicPorts): readonly HttpRoute[] => {
  const base = issuer.replace(/\/$/, '');
  const keySet: HttpRoute = {
    method: 'GET',
    path: JWKS,
    exposure: 'public',
    handle: async (request) => {
      const keys = await jwks();
      const etag = `"${hash('sha256', keys.json, 'base64url').slice(0, 27)}"`;
      const headers = { 'cache-control': `public, max-age=${keys.maxAge}`, etag };
      return unchanged(request.header('if-none-match'), etag)
        ? { status: 304, headers, body: '' }
        : json(200, keys.json, { ...headers, 'content-type': 'application/jwk-set+json' });
    },
  };
  // An issuer that is no address has no place where its document could be.
  if (!/^https?:\/\//.test(issuer)) return [keySet];
  const discovery = (path: string): HttpRoute => ({
    method: 'GET',
    path,
    exposure: 'public',
    handle: () =>
      json(
        200,
        {
          issuer,
          jwks_uri: `${base}${JWKS}`,
          response_types_supported: [],
          grant_types_supported: [],
          subject_types_supported: ['public'],
          id_token_signing_alg_values_supported: algorithms(),
          // RFC 9449 §5.1, RFC 8705 §3.3.
          dpop_signing_alg_values_supported: proofAlgorithms,
          tls_client_certificate_bound_access_tokens: true,
          ...(oauth
            ? {
                introspection_endpoint: `${base}${INTROSPECTION}`,
                introspection_endpoint_auth_methods_supported: AUTH_METHODS,
                revocation_endpoint: `${base}${REVOCATION}`,
                revocation_endpoint_auth_methods_supported: AUTH_METHODS,
              }
            : {}),
        },
        { 'cache-control': 'public, max-age=3600' },
      ),
  });
  // Behind the issuer's path (OpenID Connect), in front of it (RFC 8414 §3.1).
  const inFront = new URL(issuer).pathname.replace(/\/$/, '');
  return [keySet, discovery('/.well-known/openid-configuration'), discovery(`/.well-known/oauth-authorization-server${inFront}`)];
};
