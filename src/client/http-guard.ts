// What a guard reads of an HTTP request and how it refuses (RFC 6750 §3, RFC 9470 §3), whatever framework is around it.
import type { X509Certificate } from 'node:crypto';
import type { Fault } from '../base/fault.ts';
import type { DeepPartial } from '../gen/securityhub/v1/security_hub.ts';
import type { RequestContext } from '../gen/securityhub/v1/token.ts';
import { ALGORITHMS } from '../tokens/jws.ts';
import { authenticate, isDpop, type Outcome, type Presented, type Principal, type Requirement, type Validating } from './guard.ts';
import { NOTHING_SHOWN, type ShownCertificate, shownCertificate } from './shown-certificate.ts';

type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

/** As far as a socket matters; on TLS it can name its peer. */
export interface HttpSocket {
  readonly remoteAddress?: string | undefined;
  /** Somebody whom this server trusts vouches for the certificate. */
  readonly authorized?: boolean;
  getPeerX509Certificate?(): X509Certificate | undefined;
}

/** As far as a request matters: that of node:http, Express and, as `request.raw`, Fastify. */
export interface HttpRequest {
  readonly headers: Headers;
  /** Names and values by turns, as they came: what Node makes one of in `headers` is here still. */
  readonly rawHeaders?: readonly string[] | undefined;
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

/** Of the connection's certificate, once a connection. */
const shownOn = new WeakMap<HttpSocket, ShownCertificate>();
const peerShown = (socket: HttpSocket): ShownCertificate => {
  const known = shownOn.get(socket);
  if (known !== undefined) return known;
  const certificate = socket.getPeerX509Certificate?.();
  const shown = certificate === undefined ? NOTHING_SHOWN : shownCertificate(certificate, socket.authorized === true);
  shownOn.set(socket, shown);
  return shown;
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
    ...peerShown(request.socket),
    ...(proof === '' || origin === undefined
      ? {}
      : { dpopProof: proof.slice(0, 8192), httpMethod: request.method ?? '', httpUri: `${origin}${path}`.slice(0, 4096) }),
  };
};

/** Of two Node shows the first, and whoever stands in front may have looked at the other: shown joined they are no credential. */
const credentialsOf = ({ headers, rawHeaders = [] }: HttpRequest): string => {
  const shown = rawHeaders.filter((_value, at) => at % 2 === 1 && rawHeaders[at - 1]?.toLowerCase() === 'authorization');
  const credential = shown.length > 1 ? shown : headers['authorization'];
  return typeof credential === 'string' ? credential : (credential ?? []).join(', ');
};

const presentedBy = (request: HttpRequest, options: HttpGuardOptions): Presented => {
  const traceparent = text(request.headers['traceparent']);
  return {
    authorization: credentialsOf(request),
    context: contextOf(request, options),
    ...(traceparent === '' ? {} : { options: { traceparent } }),
  };
};

type Refused = Outcome & { readonly ok: false };

/** An answer that refuses. */
export interface Refusal {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: { readonly code: string; readonly reason: string; readonly message: string };
}

const quoted = (value: string): string => `"${value.replace(/[^ !#-[\]-~]/g, ' ')}"`;

/** RFC 9449 §7.1. */
const dpopChallenge = (fault: Fault): string => {
  const error = fault.reason.startsWith('DPOP_') ? 'invalid_dpop_proof' : 'invalid_token';
  return `DPoP error="${error}", error_description=${quoted(fault.message)}, algs="${ALGORITHMS.join(' ')}"`;
};

const challenge = ({ fault, verdict }: Refused, wanted: Requirement, dpop: boolean): string => {
  if (fault.reason === 'CREDENTIALS_MISSING') return 'Bearer';
  const said = `error_description=${quoted(fault.message)}`;
  if (fault.code === 'PERMISSION_DENIED')
    return `Bearer error="insufficient_scope", ${said}${wanted.scopes === undefined ? '' : `, scope=${quoted(wanted.scopes.join(' '))}`}`;
  const stepUp = verdict?.stepUp;
  if (stepUp === undefined && dpop) return dpopChallenge(fault);
  if (stepUp === undefined) return `Bearer error="invalid_token", ${said}`;
  const acr = stepUp.acrValues.length === 0 ? '' : `, acr_values=${quoted(stepUp.acrValues.join(' '))}`;
  const age = stepUp.maxAge === undefined ? '' : `, max_age="${stepUp.maxAge.seconds}"`;
  return `Bearer error="insufficient_user_authentication", ${said}${acr}${age}`;
};

const STATUS: Readonly<Record<string, number>> = { UNAUTHENTICATED: 401, PERMISSION_DENIED: 403, RESOURCE_EXHAUSTED: 429 };

const refusalOf = (outcome: Refused, wanted: Requirement, dpop: boolean): Refusal => {
  const { fault } = outcome;
  const status = STATUS[fault.code] ?? 503;
  const headers: Record<string, string> =
    status === 503 || status === 429
      ? { 'retry-after': String(Math.max(1, Math.ceil((fault.retryAfter ?? 1000) / 1000))) }
      : { 'www-authenticate': challenge(outcome, wanted, dpop) };
  return { status, headers, body: { code: fault.code, reason: fault.reason, message: fault.message } };
};

/** Who passes, or the answer to whoever does not. */
export const authenticateHttp = async (
  client: Validating,
  request: HttpRequest,
  wanted: Requirement,
  options: HttpGuardOptions,
): Promise<{ readonly ok: true; readonly principal: Principal | null } | { readonly ok: false; readonly refusal: Refusal }> => {
  const presented = presentedBy(request, options);
  const outcome = await authenticate(client, presented, wanted);
  return outcome.ok ? outcome : { ok: false, refusal: refusalOf(outcome, wanted, isDpop(presented)) };
};
