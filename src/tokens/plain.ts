// Which tokens can be judged by whoever knows only keys, time, audiences and revocations.
import { strictJsonObject } from './strict-json.ts';

/**
 * Claims that limit a token in nothing but time, audience, scope and revocation. What is not here may limit it, or will one day: a device
 * that may have to be shown, an address, a key, hours, and `consent_version`, which stands in every token of a subject that anything limits.
 */
const PLAIN: ReadonlySet<string> = new Set(
  `iss sub aud exp nbf iat jti client_id tenant_id sid fam rsq lsq
   role permissions scope
   mfa risk_level risk_score risk_indicators auth_method auth_time acr amr`.split(/\s+/),
);

/** Of a token whose signature held: says it nothing that we do not understand here? */
export const isPlain = (token: string): boolean => {
  const payload = strictJsonObject(Buffer.from(token.split('.')[1] ?? '', 'base64url'));
  return payload !== null && Object.keys(payload).every((name) => PLAIN.has(name));
};
