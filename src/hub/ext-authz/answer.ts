// What Envoy is answered (ext_authz v3): headers set and removed, or 401, 403 and 429 with the reason. Pure.
import { HeaderValueOption_HeaderAppendAction as Append, type HeaderValueOption } from '../../gen/envoy/config/core/v3/base.ts';
import type { CheckResponse } from '../../gen/envoy/service/auth/v3/external_auth.ts';
import { StatusCode } from '../../gen/envoy/type/v3/http_status.ts';
import type { StepUp } from '../../gen/securityhub/v1/token.ts';
import type { Mode } from './route.ts';

/** Who calls, signed by us. */
const SUBJECT_HEADER = 'x-securityhub-subject';
/** In shadow mode, to the upstream: ALLOWED, or the reason of the refusal there would have been. */
const SHADOW_HEADER = 'x-securityhub-shadow';
/** To the client of a refused request. */
const REASON_HEADER = 'x-securityhub-reason';
const OURS = [SUBJECT_HEADER, SHADOW_HEADER, REASON_HEADER];

export interface Outcome {
  readonly kind: 'allowed' | 'unauthenticated' | 'denied' | 'limited' | 'error';
  readonly reason: string;
  readonly message: string;
  /** How the client may prove more (RFC 9470). */
  readonly stepUp?: StepUp;
  /** As what the credential should be shown. */
  readonly scheme?: 'Bearer' | 'DPoP';
  /** '' where nothing was decided. */
  readonly decisionId: string;
  /** '' where nobody is known, or no upstream was named. */
  readonly statement: string;
}

/** google.rpc.Code. */
const CODE = { allowed: 0, unauthenticated: 16, denied: 7, limited: 8, error: 14 } as const;

/** Over whatever came in under the same name. */
const set = (key: string, value: string): HeaderValueOption => ({
  header: { key, value, rawValue: Buffer.alloc(0) },
  appendAction: Append.OVERWRITE_IF_EXISTS_OR_ADD,
});

/** RFC 6750 §3.1, RFC 9449 §7.1, RFC 9470 §3. */
const challengeOf = ({ kind, reason, stepUp, scheme = 'Bearer' }: Outcome): string | null => {
  if (stepUp !== undefined) {
    const acr = stepUp.acrValues.length === 0 ? '' : `, acr_values="${stepUp.acrValues.join(' ')}"`;
    const age = stepUp.maxAge === undefined ? '' : `, max_age=${stepUp.maxAge.seconds}`;
    return `${scheme} error="insufficient_user_authentication"${acr}${age}`;
  }
  if (kind === 'unauthenticated') {
    if (reason === 'CREDENTIALS_MISSING') return 'Bearer';
    return `${scheme} error="${reason.startsWith('DPOP_') ? 'invalid_dpop_proof' : 'invalid_token'}"`;
  }
  return reason === 'SCOPE_MISSING' ? `${scheme} error="insufficient_scope"` : null;
};

/** Names that a server may take for one of ours: some read `_` as `-`. */
const spoofs = (names: readonly string[]): string[] =>
  names.filter((name) => !OURS.includes(name) && OURS.includes(name.replaceAll('_', '-')));

const go = (outcome: Outcome, mode: Mode, headerNames: readonly string[]): CheckResponse['httpResponse'] => {
  const headers = [
    ...(outcome.statement === '' ? [] : [set(SUBJECT_HEADER, outcome.statement)]),
    ...(mode === 'shadow' ? [set(SHADOW_HEADER, outcome.kind === 'allowed' ? 'ALLOWED' : outcome.reason)] : []),
  ];
  // Envoy removes after it has set, so what is set is not removed.
  const kept = headers.map(({ header }) => header?.key ?? '');
  const headersToRemove = [...OURS.filter((name) => !kept.includes(name)), ...spoofs(headerNames)];
  return { $case: 'okResponse', value: { headers, headersToRemove } };
};

const statusOf = ({ kind, stepUp }: Outcome): StatusCode => {
  if (kind === 'limited') return StatusCode.TooManyRequests;
  return kind === 'unauthenticated' || stepUp !== undefined ? StatusCode.Unauthorized : StatusCode.Forbidden;
};

const stop = (outcome: Outcome): CheckResponse['httpResponse'] => {
  const challenge = challengeOf(outcome);
  return {
    $case: 'deniedResponse',
    value: {
      status: { code: statusOf(outcome) },
      headers: [
        set(REASON_HEADER, outcome.reason),
        set('content-type', 'application/json'),
        set('cache-control', 'no-store'),
        ...(challenge === null ? [] : [set('www-authenticate', challenge)]),
      ],
      body: JSON.stringify({ reason: outcome.reason, message: outcome.message }),
    },
  };
};

export const answerOf = (outcome: Outcome, mode: Mode, headerNames: readonly string[]): CheckResponse => {
  const allowed = mode === 'shadow' || outcome.kind === 'allowed';
  return {
    status: { code: allowed ? 0 : CODE[outcome.kind], message: outcome.reason, details: [] },
    httpResponse: allowed ? go(outcome, mode, headerNames) : stop(outcome),
    dynamicMetadata: { mode, allowed: outcome.kind === 'allowed', reason: outcome.reason, decision_id: outcome.decisionId },
  };
};
