// What Envoy asks (ext_authz v3), as a question of ours: who shows what, and which action on which resource method, path and route mean. Pure.
import { hash } from 'node:crypto';
import { badField } from '../../base/fault.ts';
import type { CheckRequest } from '../../gen/envoy/service/auth/v3/external_auth.ts';
import type { RequestContext } from '../../gen/securityhub/v1/token.ts';

export type Mode = 'enforce' | 'shadow';

/** What stands in `authorization`; `scheme`: as what it was shown. */
export type Shown =
  | { readonly ok: true; readonly token: string; readonly scheme: 'Bearer' | 'DPoP' }
  | { readonly ok: false; readonly reason: string; readonly message: string };

export interface Target {
  readonly action: string;
  readonly type: string;
  readonly id: string;
}

export interface GatewayRequest {
  readonly mode: Mode;
  readonly shown: Shown;
  /** null: method and path mean nothing, or more than one thing. */
  readonly target: Target | null;
  /** Whom tokens must be meant for; '' = as registered for the gateway. */
  readonly audience: string;
  /** Whom the statement about the subject is for; '' = none is made. */
  readonly upstream: string;
  readonly environment: string;
  readonly tokenContext: Partial<RequestContext>;
  /** Of the request that came to Envoy, which made one where the client's does not count; '' where there is none. */
  readonly requestId: string;
  /** What conditions may ask about the call. */
  readonly context: Readonly<Record<string, string>>;
  /** Lower-case names of the headers as they came. */
  readonly headerNames: readonly string[];
}

type Texts = Readonly<Record<string, string>>;
const at = (texts: Texts, name: string): string => (Object.hasOwn(texts, name) ? (texts[name] ?? '') : '');

const ACTIONS: Texts = { GET: 'read', HEAD: 'read', OPTIONS: 'read', POST: 'write', PUT: 'write', PATCH: 'write', DELETE: 'delete' };
const TYPE = /^[a-z][a-z0-9_.-]{0,63}$/;
const PLACE = /^\{([1-9]\d?)\}$/;
const LONGEST_ID = 512;
/** What may stand in a log line; `http.id` is Envoy's own number of the stream, which nobody else knows. */
const REQUEST_ID = /^[\w.~:/+=@-]{1,128}$/;

/** One that every server reads alike: no dots to resolve, nothing encoded that could part it, no parameters, no empty segments inside. */
const plainSegment = (segment: string): string | null => {
  let text: string;
  try {
    text = decodeURIComponent(segment);
  } catch {
    return null;
  }
  return text === '' || text === '.' || text === '..' || /[/\\;%\p{Cc}]/u.test(text) ? null : text;
};

/** null where it could be read in more than one way. */
const segmentsOf = (path: string): readonly string[] | null => {
  if (!path.startsWith('/')) return null;
  const parts = path.slice(1).split('/');
  if (parts.at(-1) === '') parts.pop();
  const plain = parts.map(plainSegment);
  return plain.includes(null) ? null : (plain as string[]);
};

/** What the route says; `{n}` is the n-th segment of the path. undefined: it needs the path, and the path does not give it. */
const filled = (said: string, segments: readonly string[] | null): string | undefined => {
  const place = PLACE.exec(said);
  return place === null ? said : segments?.[Number(place[1]) - 1];
};

const readTarget = (method: string, path: string, says: Texts): Target | null => {
  const segments = segmentsOf(path);
  const action = Object.hasOwn(says, 'action') ? at(says, 'action') : at(ACTIONS, method);
  const type = filled(at(says, 'resource_type') || '{1}', segments);
  // A path that ends before its id speaks of the type as a whole; one that cannot be read speaks of nothing.
  const wanted = Object.hasOwn(says, 'resource_id') ? at(says, 'resource_id') : '{2}';
  const id = filled(wanted, segments) ?? (segments === null ? undefined : '');
  if (action === '' || type === undefined || !TYPE.test(type) || id === undefined || id.length > LONGEST_ID) return null;
  return { action, type, id };
};

/** Exactly one credential, as RFC 6750 §2.1 and RFC 9449 §7.1 have it; several headers come joined by commas. */
const readShown = (header: string): Shown => {
  if (header === '') return { ok: false, reason: 'CREDENTIALS_MISSING', message: 'the request shows no credential' };
  const [, scheme = '', token] = /^(bearer|dpop) +([^\s,]+)$/i.exec(header) ?? [];
  return token === undefined
    ? { ok: false, reason: 'CREDENTIALS_MALFORMED', message: 'authorization must be Bearer (or DPoP) and one credential' }
    : { ok: true, token, scheme: /^dpop$/i.test(scheme) ? 'DPoP' : 'Bearer' };
};

/** Lower-case hex of the DER behind Envoy's URL-encoded PEM; '' for none. */
const thumbprintOf = (certificate: string): string => {
  let pem: string;
  try {
    pem = decodeURIComponent(certificate);
  } catch {
    return '';
  }
  const body = /-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/.exec(pem)?.[1];
  return body === undefined ? '' : hash('sha256', Buffer.from(body, 'base64'), 'hex');
};

const modeOf = (says: Texts, mode: Mode): Mode => {
  const said = at(says, 'mode');
  if (said === '') return mode;
  if (said === 'enforce' || said === 'shadow') return said;
  throw badField('attributes.context_extensions', 'mode must be enforce or shadow');
};

/** With `encode_raw_headers` they come as a list. */
const headersOf = ({
  headers,
  headerMap,
}: {
  headers: Texts;
  headerMap: { headers: { key: string; value: string; rawValue: Uint8Array }[] } | undefined;
}) => {
  const all = new Map(Object.entries(headers));
  for (const { key, value, rawValue } of headerMap?.headers ?? []) {
    const text = rawValue.length > 0 ? Buffer.from(rawValue).toString('utf8') : value;
    const name = key.toLowerCase();
    all.set(name, all.has(name) ? `${all.get(name)},${text}` : text);
  }
  return all;
};

/** INVALID_ARGUMENT / REQUEST_INVALID for what is the gateway's own mistake. */
export const readGatewayRequest = ({ attributes }: CheckRequest, mode: Mode): GatewayRequest => {
  const http = attributes?.request?.http;
  if (attributes === undefined || http === undefined)
    throw badField('attributes.request.http', 'is required: only HTTP is authorized here');
  const { source, destination, contextExtensions: says } = attributes;
  const headers = headersOf(http);
  const header = (name: string, longest: number): string => (headers.get(name) ?? '').slice(0, longest);
  const [path = ''] = http.path.split(/[?#]/, 1);
  const principal = source?.principal ?? '';
  const requestId = REQUEST_ID.exec(header('x-request-id', 129))?.[0] ?? '';
  const address = source?.address?.address;
  return {
    mode: modeOf(says, mode),
    shown: readShown(headers.get('authorization') ?? ''),
    target: readTarget(http.method, path, says),
    audience: at(says, 'audience'),
    upstream: at(says, 'upstream') || (destination?.principal ?? ''),
    environment: at(says, 'environment'),
    tokenContext: {
      ipAddress: address?.$case === 'socketAddress' ? address.value.address : '',
      userAgent: header('user-agent', 1024),
      requestId,
      origin: header('origin', 512),
      endpoint: `${http.method} ${path}`.slice(0, 512),
      peerCertificateSha256: thumbprintOf(source?.certificate ?? ''),
      peerSpiffeId: principal.startsWith('spiffe://') ? principal : '',
      dpopProof: header('dpop', 8192),
      httpMethod: http.method,
      httpUri: `${http.scheme}://${http.host}${path}`,
    },
    requestId,
    context: { method: http.method, path, host: http.host },
    headerNames: [...headers.keys()],
  };
};
