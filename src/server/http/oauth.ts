// Introspection (RFC 7662) and revocation (RFC 7009) for services that speak those: forms in, the same onion behind, RFC 6749 errors out.
import { Fault, toFault } from '../../base/fault.ts';
import { LogoutRequest } from '../../gen/securityhub/v1/authentication.ts';
import { ValidateTokenRequest, ValidateTokenResponse } from '../../gen/securityhub/v1/security_hub.ts';
import { RevokeTokenRequest } from '../../gen/securityhub/v1/token.ts';
import type { Invoker } from '../rpc/invoke.ts';
import { readForm } from './form.ts';
import { introspection } from './introspection.ts';
import { type HttpRequest, type HttpRoute, json, type Reply } from './route.ts';

export const INTROSPECTION = '/oauth2/introspect';
export const REVOCATION = '/oauth2/revoke';

const VALIDATE = '/securityhub.v1.SecurityHub/ValidateToken';
const REVOKE = '/securityhub.v1.TokenService/RevokeToken';
const LOGOUT = '/securityhub.v1.AuthenticationService/Logout';
const REFRESH_PREFIX = 'shr_';
const API_KEY = /^sh[a-qs-z]_/;

/** RFC 6749 §5.2: no quotes, no backslashes, nothing beyond ASCII. */
const described = (text: string): string => text.replaceAll(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, '?').slice(0, 300);

const refusal = (status: number, error: string, description: string, headers: Readonly<Record<string, string>> = {}): Reply =>
  json(status, { error, error_description: described(description) }, headers);

const retry = ({ retryAfter = 1000 }: Fault): Readonly<Record<string, string>> => ({
  'retry-after': String(Math.max(1, Math.ceil(retryAfter / 1000))),
});

/** A Fault in the words of RFC 6749 §5.2; what is ours to mend says when to try again (RFC 7009 §2.2.1). */
const faultReply = (fault: Fault, basic: boolean): Reply => {
  const text = `${fault.reason}: ${fault.message}`;
  switch (fault.code) {
    case 'UNAUTHENTICATED':
      return refusal(401, 'invalid_client', text, { 'www-authenticate': basic ? 'Basic realm="security-hub"' : 'Bearer' });
    case 'PERMISSION_DENIED':
      return refusal(403, 'unauthorized_client', text);
    case 'INVALID_ARGUMENT':
      return refusal(400, 'invalid_request', text);
    case 'RESOURCE_EXHAUSTED':
      return refusal(429, 'temporarily_unavailable', text, retry(fault));
    case 'INTERNAL':
      return refusal(500, 'server_error', text);
    default:
      return refusal(503, 'temporarily_unavailable', text, retry(fault));
  }
};

/** `client_secret_basic` (RFC 6749 §2.3.1): the secret is an API key; the id in front of it is not looked at. */
const credentialOf = (header: string): string => {
  if (!/^basic +[^\s,]+$/i.test(header)) return header;
  const text = Buffer.from(header.replace(/^basic +/i, ''), 'base64').toString('utf8');
  let secret = '';
  try {
    secret = decodeURIComponent(text.slice(text.indexOf(':') + 1).replaceAll('+', ' '));
  } catch {
    // No secret at all is what follows.
  }
  if (!API_KEY.test(secret)) throw new Fault('UNAUTHENTICATED', 'CREDENTIALS_MALFORMED', 'the client secret must be an API key');
  return `Bearer ${secret}`;
};

type Form = ReadonlyMap<string, string>;

/** Where the token was shown (RFC 7662 §2.1: further context to the query), for those whose word on it is believed. */
const contextOf = (form: Form) => ({
  ipAddress: form.get('ip_address') ?? '',
  userAgent: form.get('user_agent') ?? '',
  deviceId: form.get('device_id') ?? '',
  deviceFingerprint: form.get('device_fingerprint') ?? '',
});

export interface OAuthDeps {
  readonly invoker: Pick<Invoker, 'invoke'>;
}

export const oauthRoutes = ({ invoker }: OAuthDeps): readonly HttpRoute[] => {
  const call = async (path: string, bytes: Uint8Array, request: HttpRequest): Promise<Buffer> => {
    const authorization = credentialOf(request.header('authorization'));
    const header = (name: string): string =>
      name === 'authorization' ? authorization : name === 'x-request-id' ? request.requestId : request.header(name);
    const onCancel = (listener: () => void): void => request.onCancel(listener);
    return invoker.invoke(path, bytes, { peer: request.peer, deadline: Number.POSITIVE_INFINITY, header, onCancel });
  };

  const route = (path: string, answer: (token: string, request: HttpRequest, form: Form) => Promise<Reply>): HttpRoute => ({
    method: 'POST',
    path,
    exposure: 'guarded',
    async handle(request) {
      const type = request.header('content-type').split(';', 1)[0]?.trim().toLowerCase();
      const form = type === 'application/x-www-form-urlencoded' ? readForm(request.body) : null;
      const token = form?.get('token') ?? '';
      if (form === null)
        return refusal(400, 'invalid_request', 'the body must be a form (application/x-www-form-urlencoded), each parameter once');
      if (token === '') return refusal(400, 'invalid_request', 'the parameter token is missing');
      try {
        return await answer(token, request, form);
      } catch (thrown) {
        return faultReply(toFault(thrown), /^basic/i.test(request.header('authorization')));
      }
    },
  });

  /** Whoever shows a refresh token and no credential of its own ends its session: the token is the credential. */
  const revoke = (token: string, request: HttpRequest): Promise<Buffer> => {
    const nobody = request.header('authorization') === '' && request.peer.certificate === null;
    return nobody && token.startsWith(REFRESH_PREFIX)
      ? call(LOGOUT, LogoutRequest.encode(LogoutRequest.fromPartial({ refreshToken: token })).finish(), request)
      : call(REVOKE, RevokeTokenRequest.encode(RevokeTokenRequest.fromPartial({ token })).finish(), request);
  };

  return [
    route(INTROSPECTION, async (token, request, form) => {
      const bytes = ValidateTokenRequest.encode(ValidateTokenRequest.fromPartial({ token, context: contextOf(form) })).finish();
      return json(200, introspection(ValidateTokenResponse.decode(await call(VALIDATE, bytes, request))));
    }),
    route(REVOCATION, async (token, request) => {
      if (API_KEY.test(token)) return refusal(400, 'unsupported_token_type', 'API keys are revoked by RevokeApiKey');
      try {
        await revoke(token, request);
      } catch (thrown) {
        const fault = toFault(thrown);
        // RFC 7009 §2.2: an invalid token is one that needs no revoking.
        const gone = fault.code === 'INVALID_ARGUMENT' || fault.code === 'NOT_FOUND' || fault.reason === 'REFRESH_TOKEN_INVALID';
        if (!gone) throw fault;
      }
      return { status: 200, headers: { 'cache-control': 'no-store' }, body: '' };
    }),
  ];
};
