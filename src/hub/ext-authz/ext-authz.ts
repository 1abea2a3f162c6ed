// Envoy's ext_authz: ValidateToken and CheckPermission for one HTTP request, and a signed word about its subject for the upstream.
import type { Call, MaybePromise } from '../../base/call.ts';
import { type Caller, known, lacks } from '../../base/caller.ts';
import { Fault } from '../../base/fault.ts';
import type { CheckRequest, CheckResponse } from '../../gen/envoy/service/auth/v3/external_auth.ts';
import { Resource } from '../../gen/securityhub/v1/authorization.ts';
import {
  CheckPermissionRequest,
  CheckPermissionResponse,
  ValidateTokenRequest,
  ValidateTokenResponse,
} from '../../gen/securityhub/v1/security_hub.ts';
import { RequestContext } from '../../gen/securityhub/v1/token.ts';
import type { Platform } from '../../server/platform.ts';
import { note } from '../../server/rpc/live-call.ts';
import type { TokensDoor } from '../../tokens/tokens.ts';
import { answerOf, type Outcome } from './answer.ts';
import { type GatewayRequest, type Mode, readGatewayRequest, type Shown, type Target } from './route.ts';

export interface ExtAuthzPorts {
  validateToken(request: ValidateTokenRequest, call: Call): MaybePromise<ValidateTokenResponse | Uint8Array>;
  checkPermission(request: CheckPermissionRequest, call: Call): MaybePromise<CheckPermissionResponse | Uint8Array>;
  readonly attest: TokensDoor['attest'];
  holds(caller: Caller, permission: string): MaybePromise<boolean>;
  readonly metrics: Platform['metrics'];
  /** Where the route names none. */
  readonly mode: Mode;
}

const CHECK = 'authz:check';

/** Known and in good order, but not let in: to log in again would not help. */
const FORBIDDEN = new Set(['DENIED_TENANT', 'SUBJECT_SUSPENDED', 'TENANT_SUSPENDED', 'OUTSIDE_ACCESS_WINDOW']);

/** Another credential would not help, and neither would this one now. */
const kindOf = (reason: string): Outcome['kind'] =>
  reason === 'RATE_LIMITED' ? 'limited' : FORBIDDEN.has(reason) ? 'denied' : 'unauthenticated';

type Good = Shown & { readonly ok: true };
const boundByProof = ({ claims }: ValidateTokenResponse): boolean => (claims?.confirmation?.jkt ?? '') !== '';

const refused = (kind: Outcome['kind'], reason: string, message: string, over: Partial<Outcome> = {}): Outcome => ({
  kind,
  reason,
  message,
  decisionId: '',
  statement: '',
  ...over,
});

/** RFC 9449 §7.1 and §7.2: what is bound to a DPoP key comes under that scheme, and nothing else does. */
const wrongScheme = (verdict: ValidateTokenResponse, { scheme }: Good): Outcome | null => {
  const bound = boundByProof(verdict);
  if (bound === (scheme === 'DPoP')) return null;
  return bound
    ? refused('unauthenticated', 'BINDING_MISSING', 'the token is bound to a DPoP key: send "authorization: DPoP <token>" and a proof', {
        scheme: 'DPoP',
      })
    : refused('unauthenticated', 'BINDING_MISMATCH', 'the token is bound to no DPoP key: send it as Bearer');
};

const opened = <T>(message: { decode(bytes: Uint8Array): T }, answer: T | Uint8Array): T =>
  ArrayBuffer.isView(answer) ? message.decode(answer as Uint8Array) : (answer as T);

export const createExtAuthz = (ports: ExtAuthzPorts) => {
  const counted = (mode: Mode, outcome: string) =>
    ports.metrics.counter('securityhub_ext_authz_total', 'Requests that Envoy asked about, by what was decided.', { mode, outcome });
  const counters = new Map(
    (['enforce', 'shadow'] as const).flatMap((mode) =>
      ['allowed', 'unauthenticated', 'denied', 'limited', 'error'].map((kind) => [`${mode}/${kind}`, counted(mode, kind)] as const),
    ),
  );

  const validate = async (token: string, { audience, tokenContext }: GatewayRequest, call: Call): Promise<ValidateTokenResponse> => {
    const context = RequestContext.fromPartial(tokenContext);
    return opened(ValidateTokenResponse, await ports.validateToken(ValidateTokenRequest.fromPartial({ token, audience, context }), call));
  };

  /** The resource is the subject's tenant's: a gateway of many tenants walls nobody off, the upstream is told whose request it is. */
  const check = async (
    token: string,
    target: Target,
    tenantId: string,
    asked: GatewayRequest,
    call: Call,
  ): Promise<CheckPermissionResponse | Fault> => {
    const request = CheckPermissionRequest.fromPartial({
      principal: { $case: 'token', value: token },
      tokenContext: asked.tokenContext,
      action: target.action,
      resource: Resource.fromPartial({ type: target.type, id: target.id, tenantId }),
      environment: asked.environment,
      context: asked.context,
    });
    try {
      return opened(CheckPermissionResponse, await ports.checkPermission(request, call));
    } catch (thrown) {
      // Nothing is allowed on a type that nobody declared.
      if (thrown instanceof Fault && thrown.code === 'NOT_FOUND') return thrown;
      throw thrown;
    }
  };

  const attested = async (verdict: ValidateTokenResponse, { upstream }: GatewayRequest, call: Call): Promise<string> => {
    const { subject, claims } = verdict;
    if (upstream === '' || subject === undefined) return '';
    const expires = claims?.expiresAt;
    return ports.attest(
      {
        audience: upstream,
        subject: subject.id,
        subjectType: subject.type,
        tenantId: subject.tenantId,
        roles: subject.roles,
        scopes: claims?.scopes ?? [],
        sessionId: claims?.sessionId ?? '',
        mfaVerified: claims?.mfaVerified ?? false,
        until: expires === undefined ? null : expires.seconds * 1000,
      },
      call.now,
    );
  };

  const judge = async (asked: GatewayRequest, call: Call): Promise<Outcome> => {
    const { shown, target } = asked;
    if (!shown.ok) return refused('unauthenticated', shown.reason, shown.message);
    const verdict = await validate(shown.token, asked, call);
    const scheme = boundByProof(verdict) ? 'DPoP' : shown.scheme;
    if (!verdict.valid) {
      const { code = 'TOKEN_MALFORMED', message = '' } = verdict.reasons[0] ?? {};
      return refused(kindOf(code), code, message, { scheme, ...(verdict.stepUp && { stepUp: verdict.stepUp }) });
    }
    const wrong = wrongScheme(verdict, shown);
    if (wrong !== null) return wrong;
    // In shadow mode the upstream is told who calls, whatever was decided.
    const statement = asked.mode === 'shadow' ? await attested(verdict, asked, call) : '';
    if (target === null) return refused('denied', 'ROUTE_UNMAPPED', 'method and path name no action on one resource', { statement });
    const answer = await check(shown.token, target, verdict.subject?.tenantId ?? '', asked, call);
    if (answer instanceof Fault) return refused('denied', answer.reason, answer.message, { statement });
    const { allowed, reasonCode, reason, decisionId, stepUp } = answer;
    if (!allowed) return refused('denied', reasonCode, reason, { scheme, decisionId, statement, ...(stepUp && { stepUp }) });
    return {
      kind: 'allowed',
      reason: reasonCode,
      message: reason,
      decisionId,
      statement: statement || (await attested(verdict, asked, call)),
    };
  };

  /** In shadow mode nothing stands in anybody's way, not even our own trouble; the gateway's own mistakes are still told. */
  const judged = async (asked: GatewayRequest, call: Call): Promise<Outcome> => {
    try {
      return await judge(asked, call);
    } catch (thrown) {
      if (asked.mode === 'enforce' || !(thrown instanceof Fault)) throw thrown;
      return refused('error', thrown.reason, thrown.message);
    }
  };

  /**
   * UNAVAILABLE where nothing can be decided: Envoy refuses then, unless it is told otherwise. PERMISSION_DENIED for callers that are
   * no gateway: what is signed here lets a request through.
   */
  return async (request: CheckRequest, call: Call): Promise<CheckResponse> => {
    const caller = known(call.caller);
    if (caller.kind !== 'workload' && !(await ports.holds(caller, CHECK))) throw lacks(caller, CHECK);
    const asked = readGatewayRequest(request, ports.mode);
    const { mode, target } = asked;
    const outcome = await judged(asked, call);
    counters.get(`${mode}/${outcome.kind}`)?.inc(1);
    note(call, {
      type: mode === 'shadow' ? 'gateway.shadowed' : 'gateway.checked',
      resource: target === null ? '' : `${target.type}:${target.id}`,
      action: target?.action ?? '',
      result: outcome.kind === 'allowed' ? 'success' : 'failure',
      reason: outcome.reason,
      details: { mode, decision_id: outcome.decisionId },
      ...(asked.requestId === '' ? {} : { requestId: asked.requestId }),
    });
    return answerOf(outcome, mode, asked.headerNames);
  };
};
