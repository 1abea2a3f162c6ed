// A hub that answers by the token it is asked about, and what every guard must make of each: the same table for every framework.
import { Fault } from '../../src/base/fault.ts';
import type { Validating } from '../../src/client/guard.ts';
import { type DeepPartial, ValidateTokenRequest, ValidateTokenResponse } from '../../src/gen/securityhub/v1/security_hub.ts';

const good = ValidateTokenResponse.fromPartial({
  valid: true,
  verdict: 1,
  claims: { subject: 'usr_anna', tenantId: 'acme', scopes: ['orders:read'] },
  subject: { type: 'user', id: 'usr_anna', tenantId: 'acme', status: 'active', roles: ['member'] },
});
const bad = (code: string, stepUp?: object): ValidateTokenResponse =>
  ValidateTokenResponse.fromPartial({
    valid: false,
    verdict: stepUp === undefined ? 2 : 3,
    reasons: [{ code, message: `because of "${code}"` }],
    ...(stepUp === undefined ? {} : { stepUp }),
  });

/** A hub that answers by the token. */
const answers: Readonly<Record<string, () => ValidateTokenResponse>> = {
  good: () => good,
  bound: () => ValidateTokenResponse.fromPartial({ ...good, claims: { ...good.claims, confirmation: { jkt: 'thumbprint' } } }),
  often: () => bad('RATE_LIMITED'),
  replayed: () => bad('DPOP_PROOF_REPLAYED'),
  expired: () => bad('TOKEN_EXPIRED'),
  weak: () => bad('SCOPE_MISSING'),
  both: () => ValidateTokenResponse.fromPartial({ verdict: 2, reasons: [{ code: 'IP_MISMATCH' }, { code: 'PERMISSION_MISSING' }] }),
  stepup: () => bad('MFA_REQUIRED', { acrValues: ['aal2'], methods: ['totp'], maxAge: { seconds: 300, nanos: 0 } }),
  empty: () => ValidateTokenResponse.fromPartial({}),
  liar: () => ValidateTokenResponse.fromPartial({ valid: true, verdict: 1 }),
  away: () => {
    throw new Fault('UNAVAILABLE', 'HUB_UNREACHABLE', 'nobody there', { retryAfter: 2500 });
  },
  unknownSelf: () => {
    throw new Fault('UNAUTHENTICATED', 'TOKEN_EXPIRED', "the service's own");
  },
};

export const hub = () => {
  const asked: ValidateTokenRequest[] = [];
  const client: Validating = {
    validateToken: async (request: DeepPartial<ValidateTokenRequest>) => {
      const full = ValidateTokenRequest.fromPartial(request);
      asked.push(full);
      return (answers[full.token] ?? (() => bad('TOKEN_MALFORMED')))();
    },
  };
  return { client, asked };
};

/** What every guard must answer to which `authorization`. */
export const outcomes = [
  ['Bearer good', 200, ''],
  ['bearer good', 200, ''],
  ['Bearer  good', 200, ''],
  ['', 401, 'CREDENTIALS_MISSING'],
  ['Basic Z29vZA==', 401, 'CREDENTIALS_MALFORMED'],
  ['Bearer', 401, 'CREDENTIALS_MALFORMED'],
  ['Bearer good more', 401, 'CREDENTIALS_MALFORMED'],
  ['DPoP bound', 200, ''],
  ['Bearer bound', 401, 'BINDING_MISSING'],
  ['DPoP good', 401, 'BINDING_MISMATCH'],
  ['DPoP replayed', 401, 'DPOP_PROOF_REPLAYED'],
  ['Bearer expired', 401, 'TOKEN_EXPIRED'],
  ['Bearer stepup', 401, 'MFA_REQUIRED'],
  ['Bearer weak', 403, 'SCOPE_MISSING'],
  ['Bearer often', 429, 'RATE_LIMITED'],
  ['Bearer both', 401, 'IP_MISMATCH'],
  ['Bearer empty', 401, 'CLAIM_INVALID'],
  ['Bearer liar', 401, 'CLAIM_INVALID'],
  ['Bearer away', 503, 'VERDICT_UNAVAILABLE'],
  ['Bearer unknownSelf', 503, 'VERDICT_UNAVAILABLE'],
] as const;
