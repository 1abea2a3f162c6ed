// ValidateToken: is this credential good, here, now, for this? Warm it answers at once, without SQL, without Redis, from bytes made before.
import type { Subject } from '../authorization/authorization.ts';
import type { Call, MaybePromise } from '../base/call.ts';
import type { Caller, TenantId } from '../base/caller.ts';
import { badField } from '../base/fault.ts';
import { andThen, isPromise } from '../base/maybe.ts';
import { type Instant, type Millis, seconds } from '../base/time.ts';
import type { Duration } from '../gen/google/protobuf/duration.ts';
import type { ValidateTokenRequest } from '../gen/securityhub/v1/security_hub.ts';
import { type LiveSubject, Verdict } from '../gen/securityhub/v1/token.ts';
import type { Feed } from '../storage/storage.ts';
import type { Standing, TokensDoor } from '../tokens/tokens.ts';
import { type Guards, guardsOf, type Limited, MFA_REQUIRED } from './guards.ts';
import type { Notice } from './notice.ts';
import { createProvenKey, type ProvenKey } from './possession.ts';
import { presenterOf, shownFingerprint } from './presenter.ts';
import { emptyResponse, encodeStill, encodeWarning, type Moment, type Still, withMoment } from './validate-token-answer.ts';
import { createProve, type Proof, type ProofPorts, type Proven, shownClaims } from './validate-token-proof.ts';
import {
  type AudienceRule,
  audienceFits,
  audienceRule,
  type Credential,
  holdsNow,
  type LiveRights,
  type Reason,
  riskScore,
  useProblems,
} from './verdict.ts';
import { weighUse, type Weighed } from './weigh-use.ts';

export interface ValidateTokenPorts extends ProofPorts {
  readonly tokens: Pick<TokensDoor, 'verify' | 'revoked' | 'checkProof' | 'fingerprintOf'>;
  readonly feed: Pick<Feed, 'assertFresh' | 'age' | 'applied' | 'cursor'>;
  /** Live rights: of a user, a service (`<namespace>/<name>`) or an API key. */
  rights(tenantId: TenantId, subject: Subject): MaybePromise<LiveRights>;
  user(tenantId: TenantId, userId: string): MaybePromise<(Standing & Limited) | null>;
  tenant(tenantId: TenantId): MaybePromise<(Standing & Limited) | null>;
  readonly notice: Notice;
  /** Does the caller hold this permission now? */
  holds(caller: Caller, permission: string): MaybePromise<boolean>;
}

/** News reaches every replica within this; nobody may keep an answer longer. */
const FRESH: Millis = seconds(2);
const DEGRADED: Millis = seconds(10);
const MAX_GRACE: Millis = seconds(60);

const millis = (duration: Duration | undefined): Millis => (duration === undefined ? 0 : duration.seconds * 1000 + duration.nanos / 1e6);

const IN_GRACE: Reason = { code: 'TOKEN_EXPIRED_IN_GRACE', message: 'the token has expired and counts only by grace' };
const UNCHECKED: Reason = { code: 'AUDIENCE_UNCHECKED', message: 'nobody said for whom the token must be meant' };
const WRONG_AUDIENCE: Reason = { code: 'AUDIENCE_MISMATCH', message: 'the token is meant for somebody else' };
const WRONG_TENANT: Reason = { code: 'DENIED_TENANT', message: 'the credential belongs to a tenant that this caller may not ask about' };
const SUSPENDED: Reason = { code: 'SUBJECT_SUSPENDED', message: 'the subject is not active' };
const TENANT_SUSPENDED: Reason = { code: 'TENANT_SUSPENDED', message: 'the tenant is not active' };
const ENDED: Reason = { code: 'SESSION_ENDED', message: 'the session has ended' };

/** What is true of the subject now; loaded, or at hand. */
interface Facts {
  readonly tenant: (Standing & Limited) | null;
  /** null also where the kind has no user behind it that could be suspended. */
  readonly user: (Standing & Limited) | null;
  readonly rights: LiveRights;
  /** null where nothing more is to be looked at: API keys, certificates, tenants without limits. */
  readonly guards: Guards | null;
  /** How many changes had been applied before they were asked for. */
  readonly applied: number;
}

/** What the caller may see of this credential. */
interface Sight {
  readonly tenant: boolean;
  readonly audience: boolean;
  /** Claims of a token for somebody else are shown to `token:inspect` only. */
  readonly inspect: boolean;
}

const SEES_ALL: Sight = { tenant: true, audience: true, inspect: false };
const ACTIVE: Standing = { status: 'active', watermark: 0 };
const NO_LIMITS: Limited = {};
const NO_ROLES: readonly never[] = [];
const NOTHING: readonly Reason[] = [];

const withGuards = (facts: Omit<Facts, 'guards'>, { session }: Proven): Facts => ({
  ...facts,
  guards:
    session === null
      ? null
      : guardsOf(session.restrictions, facts.tenant ?? NO_LIMITS, facts.rights.constraints ?? NO_ROLES, facts.user ?? NO_LIMITS),
});

const sooner = (end: Instant | null, weighed: Weighed | null): Instant | null =>
  weighed === null || weighed.until === Number.POSITIVE_INFINITY ? end : Math.min(weighed.until, end ?? weighed.until);

/** Tenants a caller may ask about, without any look-up. */
const reaches = (caller: Caller, tenantId: TenantId): boolean =>
  caller.kind !== 'anonymous' &&
  (caller.tenantId === tenantId || (caller.kind === 'workload' && caller.entry?.tenants.includes(tenantId) === true));

const standingProblem = ({ tenant, user }: Facts, proven: Proven): Reason | null => {
  if (tenant === null || tenant.status !== 'active') return TENANT_SUSPENDED;
  if (user === null || user.status !== 'active') return SUSPENDED;
  const { marked } = proven;
  // The row's own watermark: a session whose login saw less than this is over.
  return marked !== null && (marked.rsq < tenant.watermark || marked.rsq < user.watermark) ? ENDED : null;
};

/** What is held, cut to what the scopes cover: a held pattern wider than a scope shows as that scope. */
const cappedPermissions = (credential: Credential, rights: LiveRights): string[] => {
  const held = [...rights.permissions, ...(credential.scopes ?? []).filter((scope) => scope.includes(':'))];
  return [...new Set(held.filter((permission) => holdsNow(credential, rights, permission)))];
};

const liveSubject = ({ credential, subjectType }: Proven, facts: Facts): LiveSubject => ({
  type: subjectType,
  id: credential.subject,
  tenantId: credential.tenantId,
  roles: [...facts.rights.roles],
  permissions: cappedPermissions(credential, facts.rights),
  status: facts.user?.status ?? 'unknown',
  riskScore: credential.riskScore || riskScore(credential.riskLevel),
  attributes: undefined,
});

/** A valid answer without its moment, kept as long as the same rights are in force. */
interface Kept {
  readonly rights: LiveRights;
  readonly still: Still;
  /** Good until then, or until the next change is applied. */
  readonly facts: Facts;
  readonly until: Instant;
}

/** Facts are put together anew at least this often, so that what bounds the caches bounds them too. */
const FACTS_KEPT: Millis = seconds(10);

export const createValidateToken = (ports: ValidateTokenPorts) => {
  const prove = createProve(ports);
  const provenKey = createProvenKey(ports, 'verdict');
  const kept = new WeakMap<Proven['source'], Kept>();
  const warnings = { unchecked: encodeWarning(UNCHECKED), grace: encodeWarning(IN_GRACE) };
  const bothWarnings = warnings.unchecked + warnings.grace;

  const factsOf = (proven: Proven, now: Instant): MaybePromise<Facts> => {
    const { credential, subjectType, roles, source } = proven;
    const known = kept.get(source);
    if (known !== undefined && now < known.until && known.facts.applied === ports.feed.applied()) return known.facts;
    const applied = ports.feed.applied();
    const { tenantId, subject } = credential;
    const tenant = ports.tenant(tenantId);
    const user = subjectType === 'user' && roles === undefined ? ports.user(tenantId, subject) : ACTIVE;
    const rights = ports.rights(tenantId, { type: subjectType, id: subject, ...(roles === undefined ? {} : { roles }) });
    if (isPromise(tenant) || isPromise(user) || isPromise(rights))
      return Promise.all([tenant, user, rights]).then(([t, u, r]) => withGuards({ tenant: t, user: u, rights: r, applied }, proven));
    return withGuards({ tenant, user, rights, applied }, proven);
  };

  const sightOf = (credential: Credential, rule: AudienceRule, caller: Caller): MaybePromise<Sight> => {
    const tenant = reaches(caller, credential.tenantId);
    const audience = audienceFits(rule, credential.audience);
    if (tenant && audience) return SEES_ALL;
    if (!tenant)
      return andThen(ports.holds(caller, 'installation:tenants'), (across) =>
        across ? { tenant: true, audience, inspect: !audience } : { tenant, audience, inspect: false },
      );
    return andThen(ports.holds(caller, 'token:inspect'), (inspect) => ({ tenant, audience, inspect }));
  };

  const momentOf = (now: Instant, expiresAt: Instant | null, rights: LiveRights | null): Moment => {
    const staleness = ports.feed.age();
    const degraded = staleness >= DEGRADED;
    let freshUntil = degraded ? now : now + FRESH;
    if (expiresAt !== null && expiresAt > now && expiresAt < freshUntil) freshUntil = expiresAt;
    if (rights !== null && rights.validUntil !== null && rights.validUntil < freshUntil) freshUntil = rights.validUntil;
    return {
      asOf: now - staleness,
      freshUntil,
      revocationSeq: ports.feed.cursor(),
      policyRevision: rights?.revision ?? 0,
      degraded,
      staleness,
    };
  };

  const invalid = (
    proof: Proof,
    reasons: readonly Reason[],
    sight: Sight | null,
    facts: Facts | null,
    now: Instant,
    weighed: Weighed | null = null,
  ): Buffer => {
    const { proven } = proof;
    const stepUp = weighed !== null && reasons.length === 1 && reasons[0] === MFA_REQUIRED ? weighed.stepUp : null;
    const shown = proven !== null && sight !== null && sight.tenant && (sight.audience || sight.inspect);
    const still = encodeStill({
      ...emptyResponse(),
      verdict: stepUp === null ? Verdict.VERDICT_INVALID : Verdict.VERDICT_STEP_UP_REQUIRED,
      stepUp: stepUp ?? undefined,
      reasons: reasons.map((reason) => ({ ...reason })),
      tokenType: proof.ok ? proof.proven.tokenType : proof.tokenType,
      claims: shown ? shownClaims(proven) : undefined,
      subject: shown && facts !== null ? liveSubject(proven, facts) : undefined,
    });
    return withMoment(still, '', momentOf(now, sooner(null, weighed), facts?.rights ?? null));
  };

  const validStill = (proven: Proven, facts: Facts, now: Instant): Still => {
    const found = kept.get(proven.source);
    // The rights object is replaced whenever anything in it changes.
    if (found !== undefined && found.facts === facts) return found.still;
    const { rights } = facts;
    const until = Math.min(now + FACTS_KEPT, rights.validUntil ?? Number.POSITIVE_INFINITY);
    const fresh = { rights, facts, until };
    if (found !== undefined && found.rights === rights) {
      kept.set(proven.source, { ...fresh, still: found.still });
      return found.still;
    }
    const { riskLevel, riskScore: score, riskIndicators } = proven.credential;
    const still = encodeStill({
      ...emptyResponse(),
      valid: true,
      verdict: Verdict.VERDICT_VALID,
      tokenType: proven.tokenType,
      claims: shownClaims(proven),
      subject: liveSubject(proven, facts),
      risk: { score: score || riskScore(riskLevel), level: riskLevel, indicators: [...(riskIndicators ?? [])] },
    });
    kept.set(proven.source, { ...fresh, still });
    return still;
  };

  /** After the last wait: everything that may have changed meanwhile is asked now. */
  const conclude = (
    request: ValidateTokenRequest,
    call: Call,
    proof: Proof & { readonly ok: true },
    rule: AudienceRule,
    sight: Sight,
    facts: Facts,
    trusted: boolean,
    key: ProvenKey,
  ): Buffer => {
    const { proven, inGrace } = proof;
    ports.feed.assertFresh(millis(request.maxStaleness));
    // Whose token this is says nothing to those who may not ask.
    if (!sight.tenant) return invalid(proof, [WRONG_TENANT], sight, null, call.now);
    if (!sight.audience) return invalid(proof, [WRONG_AUDIENCE], sight, null, call.now);
    const ended = proven.marked === null ? null : ports.tokens.revoked(proven.marked);
    const standing = ended === null ? standingProblem(facts, proven) : { code: ended.reason, message: ended.message };
    if (ended !== null && proven.marked !== null) ports.notice.ended(proven.marked, ended.reason, call);
    const fingerprint = shownFingerprint(proven.credential, request.context, ports.tokens.fingerprintOf);
    const presenter = presenterOf(request.context, call, trusted, proven.credential.confirmation !== null, key, fingerprint);
    const problems = useProblems(
      proven.credential,
      presenter,
      { permissions: request.requiredPermissions, scopes: request.requiredScopes },
      facts.rights,
    );
    const weighed =
      facts.guards === null || proven.session === null
        ? null
        : weighUse(facts.guards, proven.session, presenter, request.requiredPermissions, call.now);
    if (standing !== null || problems !== null || (weighed !== null && (weighed.problems.length > 0 || weighed.stepUp !== null))) {
      const against = new Set([...(standing === null ? [] : [standing]), ...(problems ?? []), ...(weighed?.problems ?? [])]);
      // A better proof is asked for only where nothing else is in the way.
      return invalid(proof, against.size === 0 ? [MFA_REQUIRED] : [...against], sight, facts, call.now, weighed);
    }
    const used = proven.session === null ? null : proven.marked;
    const noticed = used === null ? null : ports.notice.use(used, facts.tenant?.policy ?? null, request.context, trusted, call);
    if (noticed !== null && noticed.problem !== null) return invalid(proof, [noticed.problem], sight, facts, call.now, weighed);
    const unchecked = rule.kind === 'unchecked' && proven.credential.audience !== null;
    const warning = unchecked ? (inGrace ? bothWarnings : warnings.unchecked) : inGrace ? warnings.grace : '';
    const more = noticed?.warning ? [noticed.warning, ...(weighed?.warnings ?? [])] : (weighed?.warnings ?? NOTHING);
    const said = more.length === 0 ? warning : warning + more.map(encodeWarning).join('');
    return withMoment(
      validStill(proven, facts, call.now),
      said,
      momentOf(call.now, sooner(proven.credential.expiresAt, weighed), facts.rights),
    );
  };

  const judgeRefused = (
    request: ValidateTokenRequest,
    call: Call,
    rule: AudienceRule,
    proof: Proof & { readonly ok: false },
  ): MaybePromise<Buffer> => {
    if (proof.reason.code === 'SIGNATURE_INVALID') ports.notice.forged(call);
    const sight = proof.proven === null ? null : sightOf(proof.proven.credential, rule, call.caller);
    return andThen(sight, (seen) => {
      ports.feed.assertFresh(millis(request.maxStaleness));
      return invalid(proof, seen === null || seen.tenant ? [proof.reason] : [WRONG_TENANT], seen, null, call.now);
    });
  };

  const judge = (
    request: ValidateTokenRequest,
    call: Call,
    rule: AudienceRule,
    proof: Proof & { readonly ok: true },
    key: ProvenKey,
    again: boolean,
  ): MaybePromise<Buffer> => {
    const { credential, session, marked } = proof.proven;
    const sight = sightOf(credential, rule, call.caller);
    const facts = factsOf(proof.proven, call.now);
    // Asked only where it decides: a token bound to an address, or to a device that must be shown, or a session seen somewhere new.
    const asked =
      credential.ipAddress !== '' ||
      (!isPromise(facts) && facts.guards?.device === true) ||
      (session !== null && marked !== null && ports.notice.isNews(marked, request.context, call.now));
    const trusted = asked && ports.holds(call.caller, 'context:assert');
    if (!isPromise(sight) && !isPromise(facts) && !isPromise(trusted))
      return conclude(request, call, proof, rule, sight, facts, trusted, key);
    const loaded = Promise.all([sight, facts, trusted]);
    // What was at hand before the wait may be old now: once loaded, all is asked again in one go.
    if (again) return loaded.then(() => judge(request, call, rule, proof, key, false));
    return loaded.then(([s, f, t]) => conclude(request, call, proof, rule, s, f, t, key));
  };

  /** The answer, encoded. No promise where everything is at hand. */
  return (request: ValidateTokenRequest, call: Call): MaybePromise<Buffer> => {
    if (request.token !== '' && request.certificateChain !== '')
      throw badField('certificate_chain', 'give a token or a certificate_chain, not both');
    const grace = millis(request.grace);
    if (!(grace >= 0 && grace <= MAX_GRACE)) throw badField('grace', 'must be from 0 to 60 s');
    const rule = audienceRule(call.caller, request.audience);
    const proof = prove(request, call, grace);
    const weigh = (found: Proof): MaybePromise<Buffer> => {
      if (!found.ok) return judgeRefused(request, call, rule, found);
      const key = provenKey(found.proven, request.token, request.context, call);
      return isPromise(key)
        ? key.then((proven) => judge(request, call, rule, found, proven, true))
        : judge(request, call, rule, found, key, true);
    };
    return isPromise(proof) ? proof.then(weigh) : weigh(proof);
  };
};
