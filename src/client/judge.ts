// The verdict on an access token inside the calling process, by the hub's own rules; what only the hub can know is left to it.
import { boundedMap } from '../base/bounded.ts';
import { scopeCovers } from '../base/scope.ts';
import { type Clock, type Instant, type Millis, minutes, seconds } from '../base/time.ts';
import type { DeepPartial, ValidateTokenRequest, ValidateTokenResponse } from '../gen/securityhub/v1/security_hub.ts';
import { type Claims as ShownClaims, type LiveSubject, type Risk, TokenType, Verdict } from '../gen/securityhub/v1/token.ts';
import { accessClaims } from '../hub/validate-token/claims.ts';
import { riskScore } from '../hub/verdict.ts';
import type { Freshness } from '../storage/freshness.ts';
import { MAX_TOKEN, type Refusal } from '../tokens/jws.ts';
import type { Keyring } from '../tokens/keys/keyring.ts';
import type { Mirror } from '../tokens/mirror.ts';
import { isPlain } from '../tokens/plain.ts';
import type { KeptClaims } from '../tokens/kept-claims.ts';
import { type Entry, type Examiner, examine, judged, MAX_GRACE } from '../tokens/verify.ts';

/** What the hub says this caller may judge. */
export interface Rules extends Omit<Examiner, 'keyring'> {
  readonly tenants: ReadonlySet<string>;
  /** Of which a token must name one, or any where `anyAudience`. */
  readonly audiences: readonly string[];
  readonly anyAudience: boolean;
}

export interface JudgeDeps {
  /** Never behind what the hub said. */
  readonly clock: Clock;
  readonly keyring: Keyring;
  readonly mirror: Mirror;
  readonly fresh: Pick<Freshness, 'blocked' | 'age'>;
  /** null until the hub has said. */
  rules(): Rules | null;
  /** Revocations up to this number are known. */
  cursor(): number;
  /** The caller shows a token or API key: nothing is registered for it, and a request without an audience is answered with a warning. */
  readonly bearer: boolean;
  readonly maxStaleness: Millis;
  readonly capacity: number;
}

/** At once; null where the hub must be asked. What it answers is shared and frozen. */
export type Judge = (request: DeepPartial<ValidateTokenRequest>) => ValidateTokenResponse | null;

/** A token of ours whose signature held. */
interface Known {
  readonly token: string;
  readonly entry: Entry;
  /** Limited by something that only the hub can judge. */
  readonly asks: boolean;
  readonly shown: ShownClaims;
  readonly subject: LiveSubject;
  readonly risk: Risk;
}

/** As the hub's own answers say. */
const FRESH: Millis = seconds(2);
const DEGRADED: Millis = seconds(10);
const REFUSALS = 4096;

/** Refusals that no hub would see differently. Others may be about somebody else's token, whom the hub trusts, or a newer hub's. */
const CERTAIN: ReadonlySet<string> = new Set(['TOKEN_MALFORMED', 'SIGNATURE_INVALID']);
/** API keys and refresh tokens; no JWS begins so. */
const OPAQUE = /^sh[a-z]_/;
/** Enough of a signature to find what may be the same token; whether it is says the whole. */
const TAIL = -24;

const NONE: readonly never[] = Object.freeze([]);
const none = <T>(): T[] => NONE as unknown as T[];
const UNCHECKED = Object.freeze([
  Object.freeze({ code: 'AUDIENCE_UNCHECKED', message: 'nobody said for whom the token must be meant' }),
]) as ValidateTokenResponse['warnings'];
const graced = (entry: Entry): Entry => ({ ...entry, inGrace: true });
const IN_GRACE = { code: 'TOKEN_EXPIRED_IN_GRACE', message: 'the token has expired and counts only by grace' };

const frozen = <T extends object>(value: T): T => {
  for (const inner of Object.values(value)) if (typeof inner === 'object' && inner !== null && !Buffer.isBuffer(inner)) frozen(inner);
  return Object.freeze(value);
};

const time = (millis: number): { seconds: number; nanos: number } => {
  const whole = Math.floor(millis / 1000);
  return { seconds: whole, nanos: Math.floor(millis - whole * 1000) * 1_000_000 };
};
const millis = (length: { readonly seconds?: number | undefined; readonly nanos?: number | undefined } | undefined): Millis =>
  length === undefined ? 0 : (length.seconds ?? 0) * 1000 + (length.nanos ?? 0) / 1e6;

export const createJudge = (deps: JudgeDeps): Judge & { readonly size: number } => {
  const { clock, keyring, mirror, fresh, bearer } = deps;
  // Only tokens whose signature held come in: nobody can push them out with anything but other good tokens.
  const known = boundedMap<string, Known>(deps.capacity);
  const refusals = boundedMap<string, Refusal>(REFUSALS);
  keyring.onChange((lost) => {
    // A new key changes nothing for tokens that others have signed.
    if (lost) known.clear();
    refusals.clear();
  });
  let of: Rules | null = null;

  const answer = (now: Instant, age: Millis, end: Instant | null): ValidateTokenResponse => {
    const degraded = age >= DEGRADED;
    const until = degraded ? now : now + FRESH;
    return {
      valid: false,
      verdict: Verdict.VERDICT_INVALID,
      reasons: none(),
      warnings: none(),
      tokenType: TokenType.TOKEN_TYPE_ACCESS,
      claims: undefined,
      subject: undefined,
      risk: undefined,
      stepUp: undefined,
      asOf: time(now - age),
      freshUntil: time(end !== null && end > now && end < until ? end : until),
      revocationSeq: deps.cursor(),
      policyRevision: 0,
      degraded,
      staleness: time(age),
    };
  };

  const refused = ({ reason, message }: Refusal, now: Instant, age: Millis): ValidateTokenResponse => {
    const said = answer(now, age, null);
    said.reasons = [{ code: reason, message }];
    return said;
  };

  const remember = (token: string, claims: KeptClaims, now: Instant): Known => {
    const shown = frozen(accessClaims(claims));
    const score = claims.riskScore || riskScore(claims.riskLevel);
    const subject: LiveSubject = {
      type: 'user',
      id: claims.subject,
      tenantId: claims.tenantId,
      // What it is now only the hub knows.
      roles: [],
      permissions: [],
      status: '',
      riskScore: score,
      attributes: undefined,
    };
    const risk: Risk = { score, level: claims.riskLevel, indicators: [...claims.riskIndicators] };
    const entry: Entry = { ok: true, claims, inGrace: false };
    const one: Known = { token, entry, asks: !isPlain(token), shown, subject: frozen(subject), risk: frozen(risk) };
    const end = claims.expiresAt + MAX_GRACE;
    if (end > now) known.set(token.slice(TAIL), one, end);
    return one;
  };

  /** The token as it stands, or why it is none; null: somebody else's, perhaps. */
  const look = (token: string, rules: Rules, now: Instant): Known | Refusal | null => {
    if (token.length > MAX_TOKEN) return null;
    const found = known.get(token.slice(TAIL), now);
    if (found !== undefined && found.token === token) return found;
    const before = refusals.get(token, now);
    if (before !== undefined) return before;
    const claims = examine(token, { keyring, issuer: rules.issuer, longest: rules.longest });
    if (!('reason' in claims)) return remember(token, claims, now);
    if (!CERTAIN.has(claims.reason)) return null;
    refusals.set(token, claims, now + minutes(1));
    return claims;
  };

  /** Is it meant for us, so that what it says is ours to see? Whatever else there is to say of that the hub says. */
  const fits = (audience: readonly string[], named: string, rules: Rules): boolean => {
    if (bearer || rules.anyAudience) return named === '' || audience.includes(named);
    if (named !== '') return rules.audiences.includes(named) && audience.includes(named);
    for (const name of rules.audiences) if (audience.includes(name)) return true;
    return false;
  };

  const judge = (request: DeepPartial<ValidateTokenRequest>): ValidateTokenResponse | null => {
    const { token, requiredScopes } = request;
    const rules = deps.rules();
    if (rules === null || token === undefined || token === '' || OPAQUE.test(token)) return null;
    if (request.certificateChain || (request.requiredPermissions !== undefined && request.requiredPermissions.length > 0)) return null;
    if (fresh.blocked() !== null || mirror.full) return null;
    const age = fresh.age();
    const grace = millis(request.grace);
    if (
      age >= deps.maxStaleness ||
      (request.maxStaleness !== undefined && age > millis(request.maxStaleness)) ||
      !(grace >= 0 && grace <= MAX_GRACE)
    )
      return null;
    if (rules !== of) {
      // Another issuer, or another longest life.
      known.clear();
      refusals.clear();
      of = rules;
    }
    const now = clock.now();
    const found = look(token, rules, now);
    if (found === null) return null;
    if ('reason' in found) return refused(found, now, age);
    const { claims } = found.entry;
    const named = request.audience ?? '';
    if (found.asks || !rules.tenants.has(claims.tenantId) || !fits(claims.audience, named, rules)) return null;
    const verified = judged(found.entry, now, grace, graced);
    if (!verified.ok) return Object.assign(refused(verified, now, age), { claims: found.shown });
    // Its limits are newer than what it says of them.
    if (mirror.outdated(claims)) return null;
    const revoked = mirror.refusal(claims);
    if (revoked !== null) return Object.assign(refused(revoked, now, age), { claims: found.shown, subject: found.subject });
    if (requiredScopes !== undefined) for (const scope of requiredScopes) if (!scopeCovers(claims.scopes, scope)) return null;

    const said = answer(now, age, claims.expiresAt);
    said.valid = true;
    said.verdict = Verdict.VERDICT_VALID;
    said.claims = found.shown;
    said.subject = found.subject;
    said.risk = found.risk;
    const unchecked = bearer && named === '';
    if (unchecked) said.warnings = UNCHECKED;
    if (verified.inGrace) said.warnings = unchecked ? [...UNCHECKED, IN_GRACE] : [IN_GRACE];
    return said;
  };

  return Object.defineProperty(judge, 'size', { get: () => known.size }) as Judge & { readonly size: number };
};
