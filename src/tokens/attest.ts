// A statement of ours about who calls, for one upstream behind a gateway: a JWS that lives a minute and is no access token.
import { boundedMap } from '../base/bounded.ts';
import { Fault } from '../base/fault.ts';
import { type Instant, type Millis, seconds } from '../base/time.ts';
import type { Keyring } from './keys/keyring.ts';

/** Of its own (RFC 8725 §3.11): whoever takes access tokens refuses it, and the other way round. */
const STATEMENT_TYPE = 'subject+jwt';

export interface Statement {
  /** The upstream. */
  readonly audience: string;
  readonly subject: string;
  readonly subjectType: string;
  readonly tenantId: string;
  readonly roles: readonly string[];
  readonly scopes: readonly string[];
  readonly sessionId: string;
  readonly mfaVerified: boolean;
  /** When the credential behind it ends; null = not by itself. */
  readonly until: Instant | null;
}

const LIFE: Millis = seconds(60);
/** The same statement is signed again only so often. */
const REUSED: Millis = seconds(20);
const KEPT = 10_000;

const payloadOf = (issuer: string, { until, ...said }: Statement, now: Instant) => {
  const issuedAt = Math.floor(now / 1000);
  return {
    iss: issuer,
    aud: said.audience,
    sub: said.subject,
    subject_type: said.subjectType,
    tenant_id: said.tenantId,
    roles: said.roles,
    scope: said.scopes.join(' '),
    sid: said.sessionId,
    mfa: said.mfaVerified,
    iat: issuedAt,
    exp: Math.min(issuedAt + LIFE / 1000, until === null ? Number.POSITIVE_INFINITY : Math.ceil(until / 1000)),
  };
};

/** UNAVAILABLE / SIGNING_KEY_MISSING before the keys are loaded. */
export const createAttest = ({ keyring, issuer }: { readonly keyring: Pick<Keyring, 'signer'>; readonly issuer: string }) => {
  const kept = boundedMap<string, string>(KEPT);
  return async (statement: Statement, now: Instant): Promise<string> => {
    const signer = keyring.signer();
    if (signer === null) throw new Fault('UNAVAILABLE', 'SIGNING_KEY_MISSING', 'signing keys are not loaded yet', { retryAfter: 1000 });
    const key = JSON.stringify([signer.kid, statement]);
    const known = kept.get(key, now);
    if (known !== undefined) return known;
    const signed = await signer.sign(STATEMENT_TYPE, payloadOf(issuer, statement, now));
    kept.set(key, signed, now + REUSED);
    return signed;
  };
};
