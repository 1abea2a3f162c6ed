// Probes, metrics and public keys: the routes that hold no secret and need none.
import type { MaybePromise } from '../../base/call.ts';
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
  readonly algorithms: readonly string[];
}

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

/** Verification keys, and where they are (OpenID Connect Discovery 1.0 §3, RFC 8414 §2: no endpoint that we do not have). */
export const publicRoutes = ({ jwks, issuer, algorithms }: PublicPorts): readonly HttpRoute[] => [
  {
    method: 'GET',
    path: '/.well-known/jwks.json',
    exposure: 'public',
    handle: async () => {
      const keys = await jwks();
      return json(200, keys.json, { 'content-type': 'application/jwk-set+json', 'cache-control': `public, max-age=${keys.maxAge}` });
    },
  },
  {
    method: 'GET',
    path: '/.well-known/openid-configuration',
    exposure: 'public',
    handle: () => {
      const document = {
        issuer,
        jwks_uri: `${issuer.replace(/\/$/, '')}/.well-known/jwks.json`,
        response_types_supported: [],
        subject_types_supported: ['public'],
        id_token_signing_alg_values_supported: algorithms,
      };
      return json(200, document, { 'cache-control': 'public, max-age=3600' });
    },
  },
];
