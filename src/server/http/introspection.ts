// What introspection says of a token (RFC 7662 §2.2), from ValidateToken's answer. Pure.
import type { Timestamp } from '../../gen/google/protobuf/timestamp.ts';
import type { ValidateTokenResponse } from '../../gen/securityhub/v1/security_hub.ts';
import type { Actor } from '../../gen/securityhub/v1/token.ts';

const INACTIVE = { active: false } as const;

const seconds = (at: Timestamp | undefined): number | undefined => (at === undefined ? undefined : at.seconds);

/** Members that say nothing are left out. */
const said = (members: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    Object.entries(members).filter(([, value]) => value !== undefined && value !== '' && !(Array.isArray(value) && value.length === 0)),
  );

/** Who acts, nested through every hand it came (RFC 8693 §4.1). */
const acting = (actors: readonly Actor[]): Readonly<Record<string, unknown>> | undefined =>
  actors.reduceRight<Readonly<Record<string, unknown>> | undefined>(
    (act, { subject, issuer }) => said({ sub: subject, iss: issuer, act }),
    undefined,
  );

/**
 * Active is what ValidateToken calls valid. A bound token is active too, with its `cnf`: whoever asked compares that with the connection
 * it came over, which is not told here (RFC 8705 §3.2, RFC 9449 §6.2). Nothing is said of what the caller may not see.
 */
export const introspection = ({ valid, reasons, claims, subject }: ValidateTokenResponse): Readonly<Record<string, unknown>> => {
  const bound = claims?.confirmation !== undefined && reasons.length > 0 && reasons.every(({ code }) => code === 'BINDING_MISSING');
  if (claims === undefined || !(valid || bound)) return INACTIVE;
  const { confirmation, audience } = claims;
  const cnf = said({
    'x5t#S256': confirmation?.x5tS256,
    spki_sha256: confirmation?.spkiSha256,
    spiffe_id: confirmation?.spiffeId,
    jkt: confirmation?.jkt,
  });
  return {
    active: true,
    ...said({
      iss: claims.issuer,
      sub: claims.subject,
      aud: audience.length === 1 ? audience[0] : audience,
      exp: seconds(claims.expiresAt),
      nbf: seconds(claims.notBefore),
      iat: seconds(claims.issuedAt),
      jti: claims.tokenId,
      client_id: claims.clientId,
      scope: claims.scopes.join(' '),
      token_type: (confirmation?.jkt ?? '') === '' ? 'Bearer' : 'DPoP',
      tenant_id: claims.tenantId,
      subject_type: subject?.type,
      sid: claims.sessionId,
      acr: claims.acr,
      amr: claims.amr,
      auth_time: seconds(claims.authTime),
      act: acting(claims.actor),
    }),
    ...(Object.keys(cnf).length === 0 ? {} : { cnf }),
  };
};
