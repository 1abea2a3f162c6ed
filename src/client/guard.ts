// Who is calling a service of ours: the same answer for every kind of server, before each says it in its own way.
import { type Code, Fault } from '../base/fault.ts';
import type { Millis } from '../base/time.ts';
import type { DeepPartial, ValidateTokenRequest, ValidateTokenResponse } from '../gen/securityhub/v1/security_hub.ts';
import { type Claims, type LiveSubject, type RequestContext, Verdict } from '../gen/securityhub/v1/token.ts';
import type { CallOptions } from './options.ts';

/** A caller whose credential is good, here, now, for this. */
export interface Principal {
  /** `user`, `service`, `api_key`. */
  readonly type: string;
  readonly id: string;
  readonly tenantId: string;
  readonly scopes: readonly string[];
  readonly claims: Claims;
  /** Roles and rights as they are now; only where the hub itself gave the verdict. */
  readonly live: LiveSubject | undefined;
  readonly verdict: ValidateTokenResponse;
}

/** What a route or method asks of its caller. */
export interface Requirement {
  /** Name of this service, which the token must be meant for. Default: what is registered for it. */
  readonly audience?: string;
  /** All of them, held now. The hub decides. */
  readonly permissions?: readonly string[];
  readonly scopes?: readonly string[];
  /** Whoever shows no credential passes as nobody; a bad one is refused all the same. */
  readonly optional?: boolean;
  readonly maxStaleness?: Millis;
}

/** What every caller must bring, or what this one must; null = anybody passes, and nothing is looked at. */
export type Requirements<R> = Requirement | ((request: R) => Requirement | null);

/** As far as a guard knows a client. */
export interface Validating {
  validateToken(request: DeepPartial<ValidateTokenRequest>, options?: CallOptions): Promise<ValidateTokenResponse>;
}

/** How a credential came in. */
export interface Presented {
  /** The `authorization` header; '' = none. */
  readonly authorization: string;
  readonly context: DeepPartial<RequestContext>;
  readonly options?: CallOptions;
}

export type Outcome =
  | { readonly ok: true; readonly principal: Principal | null }
  /** UNAUTHENTICATED, PERMISSION_DENIED and RESOURCE_EXHAUSTED are about the caller; anything else is our own trouble, and says so. */
  | { readonly ok: false; readonly fault: Fault; readonly verdict: ValidateTokenResponse | null };

/** Two headers arrive joined by a comma, which no credential holds. */
const CREDENTIAL = /^(?:bearer|dpop) +([!-+\--~]+) *$/i;
const DPOP = /^dpop /i;

/** Was it shown as one that is bound to a DPoP key? */
export const isDpop = ({ authorization }: Pick<Presented, 'authorization'>): boolean => DPOP.test(authorization);
/** About rights, not about the credential: showing another one of the same kind would not help. */
const RIGHTS = new Set(['PERMISSION_MISSING', 'SCOPE_MISSING']);

const codeOf = ({ reasons }: ValidateTokenResponse): Code => {
  // A good credential, used too often: another login would only hide that.
  if (reasons[0]?.code === 'RATE_LIMITED') return 'RESOURCE_EXHAUSTED';
  return reasons.length > 0 && reasons.every(({ code }) => RIGHTS.has(code)) ? 'PERMISSION_DENIED' : 'UNAUTHENTICATED';
};

const refuse = (fault: Fault, verdict: ValidateTokenResponse | null = null): Outcome => ({ ok: false, fault, verdict });
const unauthenticated = (reason: string, message: string): Outcome => refuse(new Fault('UNAUTHENTICATED', reason, message));

const requestOf = (token: string, { context }: Presented, wanted: Requirement): DeepPartial<ValidateTokenRequest> => ({
  token,
  audience: wanted.audience ?? '',
  requiredPermissions: [...(wanted.permissions ?? [])],
  requiredScopes: [...(wanted.scopes ?? [])],
  context,
  ...(wanted.maxStaleness === undefined ? {} : { maxStaleness: durationOf(wanted.maxStaleness) }),
});

/** A length of time as the contract spells it. */
export const durationOf = (length: Millis): { seconds: number; nanos: number } => ({
  seconds: Math.floor(length / 1000),
  nanos: Math.round((length % 1000) * 1e6),
});

/** RFC 9449 §7.1 and §7.2: what is bound to a DPoP key comes under that scheme, and nothing else does. */
const wrongScheme = (claims: Claims, presented: Presented): Outcome | null => {
  const bound = claims.confirmation !== undefined && claims.confirmation.jkt !== '';
  if (bound === isDpop(presented)) return null;
  return bound
    ? unauthenticated('BINDING_MISSING', 'the token is bound to a DPoP key: send "authorization: DPoP <token>" and a proof')
    : unauthenticated('BINDING_MISMATCH', 'the token is bound to no DPoP key: send it as Bearer');
};

const judged = (verdict: ValidateTokenResponse, presented: Presented): Outcome => {
  const { claims, subject } = verdict;
  if (verdict.valid && verdict.verdict === Verdict.VERDICT_VALID && claims !== undefined && subject !== undefined) {
    const wrong = wrongScheme(claims, presented);
    if (wrong !== null) return wrong;
    const { type, id, tenantId } = subject;
    // A verdict given here knows whose token it is, not what they may do now.
    const live = subject.status === '' ? undefined : subject;
    return { ok: true, principal: { type, id, tenantId, scopes: claims.scopes, claims, live, verdict } };
  }
  const [first] = verdict.reasons;
  const message = first?.message ?? 'the credential is not good';
  return refuse(new Fault(codeOf(verdict), first?.code ?? 'CLAIM_INVALID', message), verdict);
};

/** Whatever keeps us from a verdict is never held against the caller: neither passed, nor told that its credential is bad. */
const withoutVerdict = (cause: unknown): Outcome => {
  const known = cause instanceof Fault ? cause : null;
  const retryAfter = known?.retryAfter ?? 1000;
  const meta = known === null || known.reason === '' ? {} : { reason: known.reason };
  return refuse(new Fault('UNAVAILABLE', 'VERDICT_UNAVAILABLE', 'no verdict on the credential could be had', { retryAfter, meta, cause }));
};

/** Never rejects. */
export const authenticate = async (client: Validating, presented: Presented, wanted: Requirement): Promise<Outcome> => {
  if (presented.authorization === '')
    return wanted.optional === true
      ? { ok: true, principal: null }
      : unauthenticated('CREDENTIALS_MISSING', 'this call needs a credential');
  const token = CREDENTIAL.exec(presented.authorization)?.[1];
  if (token === undefined) return unauthenticated('CREDENTIALS_MALFORMED', 'authorization must be: Bearer <access token or API key>');
  try {
    return judged(await client.validateToken(requestOf(token, presented, wanted), presented.options), presented);
  } catch (cause) {
    return withoutVerdict(cause);
  }
};

const principals = new WeakMap<object, Principal>();

export const remember = (request: object, principal: Principal | null): void => {
  if (principal !== null) principals.set(request, principal);
};

/** The caller of a request (Express, Fastify, node:http) or call (grpc-js) that passed a guard; null = nobody, where that is allowed. */
export const principalOf = (request: object): Principal | null => {
  const { metadata } = request as { readonly metadata?: unknown };
  const call = typeof metadata === 'object' && metadata !== null ? principals.get(metadata) : undefined;
  return principals.get(request) ?? call ?? null;
};

export const wantedOf = <R>(requirements: Requirements<R>, request: R): Requirement | null =>
  typeof requirements === 'function' ? requirements(request) : requirements;
