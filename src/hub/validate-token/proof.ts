// What was presented to ValidateToken, and whether it proves anything: access token, API key or certificate, each by its own capability.
import type { Call, MaybePromise, Payer } from '../../base/call.ts';
import { tenantsOf } from '../../base/caller.ts';
import { andThen } from '../../base/maybe.ts';
import type { Instant, Millis } from '../../base/time.ts';
import type { ValidateTokenRequest } from '../../gen/securityhub/v1/security_hub.ts';
import { TokenType } from '../../gen/securityhub/v1/token.ts';
import type { ForeignVerified, IssuersDoor } from '../../issuers/issuers.ts';
import type { TokensDoor, Verified } from '../../tokens/tokens.ts';
import { type ApiKeyProof, type CertificateProof, ofAccessToken, ofApiKey, ofCertificate, ofForeignToken, type Proven } from './proven.ts';
import type { Reason } from '../verdict.ts';

export interface ProofPorts {
  readonly tokens: Pick<TokensDoor, 'verify'>;
  readonly issuers: Pick<IssuersDoor, 'verify'>;
  readonly apiKeys: {
    verify(
      secret: string,
      now: Instant,
    ): MaybePromise<
      { readonly ok: true; readonly key: ApiKeyProof } | { readonly ok: false; readonly reason: string; readonly message?: string }
    >;
  };
  readonly certificates: {
    validate(
      chainPem: string,
      now: Instant,
      payer: Payer,
    ): MaybePromise<
      | { readonly ok: true; readonly identity: CertificateProof }
      | { readonly ok: false; readonly reason: string; readonly message?: string }
    >;
  };
}

export type Proof =
  | { readonly ok: true; readonly proven: Proven; readonly inGrace: boolean }
  /** `proven`: the signature held, and only time is against it. */
  | { readonly ok: false; readonly tokenType: TokenType; readonly reason: Reason; readonly proven: Proven | null };

const REFRESH_PREFIX = 'shr_';
/** API keys begin with three letters and a line that no JWS can have in its first segment's place. */
const API_KEY = /^sh[a-qs-z]_/;

const refused = (tokenType: TokenType, code: string, message: string, proven: Proven | null = null): Proof => ({
  ok: false,
  tokenType,
  reason: { code, message },
  proven,
});

const ofForeign = (verified: ForeignVerified): Proof =>
  verified.ok
    ? { ok: true, proven: ofForeignToken(verified.claims), inGrace: verified.inGrace }
    : refused(
        TokenType.TOKEN_TYPE_ACCESS,
        verified.reason,
        verified.message,
        verified.claims === null ? null : ofForeignToken(verified.claims),
      );

/** Why our own verifier refuses what another issuer may have made. */
const PERHAPS_FOREIGN = ['KEY_UNKNOWN', 'TOKEN_TYPE_WRONG', 'ALGORITHM_NOT_ALLOWED'];

const ofVerified = (verified: Verified): Proof =>
  verified.ok
    ? { ok: true, proven: ofAccessToken(verified.claims, verified.slot), inGrace: verified.inGrace }
    : refused(
        TokenType.TOKEN_TYPE_ACCESS,
        verified.reason,
        verified.message,
        verified.claims === null ? null : ofAccessToken(verified.claims, { made: null }),
      );

/** Answers at once for access tokens. */
export const createProve =
  (ports: ProofPorts) =>
  (
    request: Pick<ValidateTokenRequest, 'token' | 'certificateChain'>,
    call: Pick<Call, 'caller' | 'peer' | 'now'>,
    grace: Millis,
  ): MaybePromise<Proof> => {
    const { token } = request;
    const { caller, now } = call;
    if (request.certificateChain !== '')
      return andThen(ports.certificates.validate(request.certificateChain, now, call), (found) =>
        found.ok
          ? { ok: true, proven: ofCertificate(found.identity), inGrace: false }
          : refused(TokenType.TOKEN_TYPE_CERTIFICATE, found.reason, found.message ?? 'the certificate is not good'),
      );
    if (token === '') return refused(TokenType.TOKEN_TYPE_UNSPECIFIED, 'TOKEN_MALFORMED', 'no token was given');
    if (token.startsWith(REFRESH_PREFIX))
      return refused(TokenType.TOKEN_TYPE_REFRESH, 'TOKEN_TYPE_WRONG', 'a refresh token is no credential of a call');
    if (API_KEY.test(token))
      return andThen(ports.apiKeys.verify(token, now), (found) =>
        found.ok
          ? { ok: true, proven: ofApiKey(found.key), inGrace: false }
          : refused(TokenType.TOKEN_TYPE_API_KEY, found.reason, found.message ?? 'the API key is not good'),
      );
    const verified = ports.tokens.verify(token, now, grace, undefined, call);
    if (verified.ok || !PERHAPS_FOREIGN.includes(verified.reason)) return ofVerified(verified);
    return andThen(ports.issuers.verify(token, now, grace, tenantsOf(caller), call), (found) =>
      found === null ? ofVerified(verified) : ofForeign(found),
    );
  };
