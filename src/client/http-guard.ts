// What a guard reads of an HTTP request and how it refuses (RFC 6750 §3, RFC 9470 §3), whatever framework is around it.
import { createHash } from 'node:crypto';
import type { Fault } from '../base/fault.ts';
import type { DeepPartial, ValidateTokenResponse } from '../gen/securityhub/v1/security_hub.ts';
import type { RequestContext } from '../gen/securityhub/v1/token.ts';
import { authenticate, type Outcome, type Presented, type Requirement, type Validating } from './guard.ts';

type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

/** As far as a socket matters; on TLS it can name its peer. */
export interface HttpSocket {
  readonly remoteAddress?: string | undefined;
  getPeerX509Certificate?():
    | { readonly raw: Uint8Array; readonly publicKey: { export(as: { type: 'spki'; format: 'der' }): Buffer } }
    | undefined;
}

/** As far as a request matters: that of node:http, Express and, as `request.raw`, Fastify. */
export interface HttpRequest {
  readonly headers: Headers;
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  /** Express keeps the whole path here. */
  readonly originalUrl?: string | undefined;
  /** Express and Fastify: the client's address, as far as the framework was told to believe proxies. */
  readonly ip?: string | undefined;
  readonly socket: HttpSocket;
}

export interface HttpGuardOptions {
  /** `https://api.example.com`: what a DPoP proof must name, before the path. Without it such proofs cannot be checked. */
  readonly origin?: string;
  /** Security headers: `false` sends none; names replace or (with `false`) drop single ones. */
  readonly headers?: false | Readonly<Record<string, string | false>>;
}

/** What an API should say to browsers, whether they were meant to call it or not (OWASP REST security cheat sheet). */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'strict-transport-security': 'max-age=31536000; includeSubDomains',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  'x-permitted-cross-domain-policies': 'none',
  'cache-control': 'no-store',
};

export const securityHeaders = ({ headers }: HttpGuardOptions): Readonly<Record<string, string>> => {
  if (headers === false) return {};
  const own = Object.entries({ ...SECURITY_HEADERS, ...headers }).filter((entry): entry is [string, string] => entry[1] !== false);
  return Object.fromEntries(own);
};

const text = (value: string | readonly string[] | undefined): string => (typeof value === 'string' ? value : (value?.[0] ?? ''));
/** Twice the same header is a riddle nobody should solve. */
const only = (value: string | readonly string[] | undefined): string =>
  typeof value === 'string' ? value : value?.length === 1 ? (value[0] ?? '') : '';

interface PeerKeys {
  readonly peerCertificateSha256: string;
  readonly peerSpkiSha256: string;
}
const NO_KEYS: PeerKeys = { peerCertificateSha256: '', peerSpkiSha256: '' };
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Of the connection's certificate, once a connection. */
const keysOn = new WeakMap<HttpSocket, PeerKeys>();
const peerKeys = (socket: HttpSocket): PeerKeys => {
  const known = keysOn.get(socket);
  if (known !== undefined) return known;
  const certificate = socket.getPeerX509Certificate?.();
  const keys =
    certificate === undefined
      ? NO_KEYS
      : {
          peerCertificateSha256: sha256(certificate.raw),
          peerSpkiSha256: sha256(certificate.publicKey.export({ type: 'spki', format: 'der' })),
        };
  keysOn.set(socket, keys);
  return keys;
};

const contextOf = (request: HttpRequest, { origin }: HttpGuardOptions): DeepPartial<RequestContext> => {
  const { headers } = request;
  const path = (request.originalUrl ?? request.url ?? '').replace(/[?#].*$/s, '');
  const proof = only(headers['dpop']);
  return {
    ipAddress: request.ip ?? request.socket.remoteAddress ?? '',
    userAgent: text(headers['user-agent']).slice(0, 1024),
    requestId: text(headers['x-request-id']).slice(0, 128),
    origin: text(headers['origin']).slice(0, 512),
    endpoint: `${request.method ?? ''} ${path}`.slice(0, 512),
    ...peerKeys(request.socket),
    ...(proof === '' || origin === undefined
      ? {}
      : { dpopProof: proof.slice(0, 8192), httpMethod: request.method ?? '', httpUri: `${origin}${path}`.slice(0, 4096) }),
  };
};

const presentedBy = (request: HttpRequest, options: HttpGuardOptions): Presented => {
  const traceparent = text(request.headers['traceparent']);
  return {
    authorization: only(request.headers['authorization']),
    context: contextOf(request, options),
    ...(traceparent === '' ? {} : { options: { traceparent } }),
  };
};

export const authenticateHttp = (
  client: Validating,
  request: HttpRequest,
  wanted: Requirement,
  options: HttpGuardOptions,
): Promise<Outcome> => authenticate(client, presentedBy(request, options), wanted);

/** An answer that refuses. */
export interface Refusal {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: { readonly code: string; readonly reason: string; readonly message: string };
}

const quoted = (value: string): string => `"${value.replace(/[^ !#-[\]-~]/g, ' ')}"`;

const challenge = (fault: Fault, verdict: ValidateTokenResponse | null, wanted: Requirement): string => {
  if (fault.reason === 'CREDENTIALS_MISSING') return 'Bearer';
  const said = `error_description=${quoted(fault.message)}`;
  if (fault.code === 'PERMISSION_DENIED')
    return `Bearer error="insufficient_scope", ${said}${wanted.scopes === undefined ? '' : `, scope=${quoted(wanted.scopes.join(' '))}`}`;
  const stepUp = verdict?.stepUp;
  if (stepUp === undefined) return `Bearer error="invalid_token", ${said}`;
  const acr = stepUp.acrValues.length === 0 ? '' : `, acr_values=${quoted(stepUp.acrValues.join(' '))}`;
  const age = stepUp.maxAge === undefined ? '' : `, max_age="${stepUp.maxAge.seconds}"`;
  return `Bearer error="insufficient_user_authentication", ${said}${acr}${age}`;
};

const STATUS: Readonly<Record<string, number>> = { UNAUTHENTICATED: 401, PERMISSION_DENIED: 403 };

export const refusalOf = ({ fault, verdict }: Outcome & { readonly ok: false }, wanted: Requirement): Refusal => {
  const status = STATUS[fault.code] ?? 503;
  const headers: Record<string, string> =
    status === 503
      ? { 'retry-after': String(Math.max(1, Math.ceil((fault.retryAfter ?? 1000) / 1000))) }
      : { 'www-authenticate': challenge(fault, verdict, wanted) };
  return { status, headers, body: { code: fault.code, reason: fault.reason, message: fault.message } };
};
