// Token exchange (RFC 8693): a service that acts for somebody gets a token that says so. Read from top to bottom: who asks, what is shown, what is left.
import type { Call, MaybePromise } from '../base/call.ts';
import { type Caller, type KnownCaller, known, subjectOf, tenantOf } from '../base/caller.ts';
import { eventOf } from '../base/event.ts';
import { badField, Fault } from '../base/fault.ts';
import { type Confirmation, NOTHING_SHOWN, type Shown, unmet } from '../base/possession.ts';
import { scopeAllows } from '../base/scope.ts';
import type { Millis } from '../base/time.ts';
import { type BindDeps, confirmationFor, type PeerContext, peerShown, shownBy } from './bind.ts';
import type { Claims } from './claims.ts';
import { type Actor, narrowLife, narrowScopes } from './delegation.ts';
import { FIRST_PARTY, generationOfTokenId, tokenIdOf } from './family.ts';
import { issue, type Tokens } from './issue.ts';
import { type KeptClaims, spreadable } from './kept-claims.ts';
import type { RefreshDeps } from './refresh.ts';
import type { Verifier } from './verify.ts';

export interface Exchange {
  readonly subjectToken: string;
  /** '' = the caller itself acts. */
  readonly actorToken: string;
  /** '' = as the subject token. */
  readonly audience: string;
  /** None = as the subject token. */
  readonly scopes: readonly string[];
  /** 0 = as long as an access token lives. */
  readonly ttl: Millis;
  /** As `confirmationFor` knows it. */
  readonly binding: string;
  /** What the subject token's own presenter showed, and from where. */
  readonly context: (PeerContext & { readonly ipAddress: string }) | undefined;
}

export interface ExchangeDeps extends RefreshDeps, BindDeps {
  readonly verifier: Verifier;
  /** Most parties in a chain; 0 = nobody exchanges. */
  readonly maxActors: number;
  holds(caller: Caller, permission: string): MaybePromise<boolean>;
}

const PERMISSION = 'token:exchange';

/** A registered workload whose entry lists the call; anybody else needs the permission. */
const assertMay = async (deps: ExchangeDeps, caller: KnownCaller): Promise<void> => {
  if (deps.maxActors === 0)
    throw new Fault('FAILED_PRECONDITION', 'EXCHANGE_OFF', 'this installation exchanges no tokens: TOKEN_EXCHANGE_DEPTH is 0');
  if (caller.kind === 'workload' || (await deps.holds(caller, PERMISSION))) return;
  throw new Fault('PERMISSION_DENIED', 'PERMISSION_MISSING', `needs ${PERMISSION}`, { meta: { permission: PERMISSION } });
};

/** Good now: signature, time, revocation, tenant and user. INVALID_ARGUMENT with the token's own reason, the field named. */
const assertGood = async (deps: ExchangeDeps, field: string, text: string, call: Call): Promise<KeptClaims> => {
  const verified = deps.verifier.verify(text, call.now, 0, undefined, call);
  if (!verified.ok) throw badField(field, verified.message, verified.reason);
  const { claims } = verified;
  // Of a tenant that the caller may not name nothing is told.
  tenantOf(call.caller, claims.tenantId);
  const [tenant, user] = [await deps.tenant(claims.tenantId), await deps.user(claims.tenantId, claims.subject)];
  const revoked = deps.mirror.refusal(claims);
  if (revoked !== null) throw badField(field, revoked.message, revoked.reason);
  if (tenant?.status !== 'active') throw badField(field, 'the tenant is not active', 'TENANT_SUSPENDED');
  if (user?.status !== 'active') throw badField(field, 'the subject is not active', 'SUBJECT_SUSPENDED');
  if (claims.rsq < Math.max(tenant.watermark, user.watermark)) throw badField(field, 'the session has ended', 'SESSION_ENDED');
  return claims;
};

const assertBound = (field: string, confirmation: Confirmation, shown: Shown): void => {
  const problem = unmet(confirmation, shown);
  if (problem === 'missing') throw badField(field, 'is bound to a key that was not shown', 'BINDING_MISSING');
  if (problem === 'mismatch') throw badField(field, 'is bound to another key', 'BINDING_MISMATCH');
};

/** The subject token is measured by whoever showed it to the caller; a user's own by this very connection. */
const subjectShown = async (deps: ExchangeDeps, asked: Exchange, claims: Claims, call: Call): Promise<Shown> => {
  const { caller } = call;
  if (caller.kind === 'user') return { ...peerShown(call), jkt: caller.tokenId === claims.tokenId ? (caller.jkt ?? '') : '' };
  if (caller.kind !== 'workload' || call.peer.certificate === null || asked.context === undefined) return NOTHING_SHOWN;
  const { context } = asked;
  const shown = peerShown(call, context);
  if (claims.confirmation?.jkt === '' || context.dpopProof === '') return shown;
  if (context.httpUri === '') throw badField('context.http_uri', 'is needed to check a DPoP proof');
  const request = { method: context.httpMethod || 'POST', uri: context.httpUri, token: asked.subjectToken };
  const checked = await deps.checkProof(context.dpopProof, request, 'exchange', call.now, call);
  if (!checked.ok) throw badField('context.dpop_proof', checked.message, checked.reason);
  return { ...shown, jkt: checked.jkt };
};

const assertPresented = async (deps: ExchangeDeps, asked: Exchange, claims: Claims, call: Call): Promise<void> => {
  if (claims.confirmation !== null) assertBound('subject_token', claims.confirmation, await subjectShown(deps, asked, claims, call));
  if (claims.ipAddress === '') return;
  const said = asked.context?.ipAddress ?? '';
  const address = said !== '' && (await deps.holds(call.caller, 'context:assert')) ? said : call.peer.address;
  if (claims.ipAddress !== address) throw badField('subject_token', 'is bound to another address', 'IP_MISMATCH');
};

const actorOf = (caller: KnownCaller): Actor => ({
  subject: caller.kind === 'workload' ? caller.spiffeId : subjectOf(caller).id,
  issuer: '',
});

/** A workload uses only what was meant for it: else whoever is shown a token could pass it on to act for, or as, its subject. */
const assertMeant = (field: string, caller: KnownCaller, claims: Claims): void => {
  if (caller.kind !== 'workload' || caller.entry?.anyAudience === true) return;
  if (!claims.audience.some((name) => caller.entry?.audiences.includes(name)))
    throw badField(field, 'is meant for somebody else', 'AUDIENCE_MISMATCH');
};

/**
 * The audience only narrows: one of the subject token's, or one that the workload is registered for, as itself (`audiences`) or as a
 * caller of others (`exchange_audiences`).
 */
const audienceOf = (caller: KnownCaller, claims: Claims, asked: string): readonly string[] => {
  const entry = caller.kind === 'workload' ? caller.entry : null;
  if (asked === '') return claims.audience;
  const registered = entry === null ? [] : [...entry.audiences, ...(entry.exchangeAudiences ?? [])];
  if (claims.audience.includes(asked) || registered.includes(asked) || entry?.anyAudience === true) return [asked];
  throw new Fault(
    'PERMISSION_DENIED',
    'AUDIENCE_FORBIDDEN',
    'audience: neither the subject token nor the caller’s entry (exchange_audiences) has it',
  );
};

/** Scope tokens of RFC 6749 §3.3. */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/;

const scopesOf = (claims: Claims, asked: readonly string[]): readonly string[] => {
  const bad = asked.findIndex((scope) => !SCOPE.test(scope));
  if (bad >= 0) throw badField(`scopes[${bad}]`, 'must be a scope: printable ASCII without blanks, quotes and backslashes');
  const scopes = narrowScopes(claims.scopes, asked);
  if ('uncovered' in scopes)
    throw new Fault('PERMISSION_DENIED', 'SCOPE_MISSING', `the subject token does not cover the scope ${scopes.uncovered.slice(0, 128)}`);
  return scopes;
};

const chainOf = (deps: ExchangeDeps, claims: Claims, actor: Actor): Claims['delegation'] => {
  const actors = [actor, ...(claims.delegation?.actors ?? [])];
  if (actors.length > deps.maxActors)
    throw new Fault(
      'FAILED_PRECONDITION',
      'DELEGATION_TOO_DEEP',
      `at most ${deps.maxActors} parties may act one for another (TOKEN_EXCHANGE_DEPTH)`,
    );
  return {
    actors,
    parents: [claims.tokenId, ...(claims.delegation?.parents ?? [])],
    clients: [...new Set([claims.clientId, ...(claims.delegation?.clients ?? [])])],
  };
};

/** Who requested the token (RFC 8693 §4.3): ended as such, it loses what it got by exchange too. */
const clientOf = (caller: KnownCaller): string =>
  caller.kind === 'workload' ? `${caller.namespace}/${caller.name}` : caller.kind === 'user' ? caller.clientId : FIRST_PARTY;

/** What was bound stays bound: unless something else is asked, to the actor's SPIFFE id. */
const bindingOf = (asked: Exchange, claims: Claims, own: Shown): Confirmation | null => {
  const confirmation = confirmationFor(asked.binding, own);
  if (confirmation !== null || (claims.confirmation === null && claims.ipAddress === '')) return confirmation;
  return confirmationFor('spiffe', own);
};

/**
 * Whose token the caller shows as that of who acts (RFC 8693 §2.1): it proves an identity only where it was meant for the caller, by
 * whoever it is bound to, and where its subject acts for itself.
 */
const actingOf = async (deps: ExchangeDeps, asked: Exchange, subject: Claims, own: Shown, call: Call): Promise<Claims | null> => {
  if (asked.actorToken === '') return null;
  const field = 'actor_token';
  const acting = await assertGood(deps, field, asked.actorToken, call);
  if (acting.tenantId !== subject.tenantId)
    throw new Fault('PERMISSION_DENIED', 'TENANT_FORBIDDEN', 'actor_token: is of another tenant than the subject token');
  assertMeant(field, known(call.caller), acting);
  if (acting.delegation !== null) throw badField(field, 'was exchanged: who holds it acts for its subject, and is not its subject');
  if (acting.confirmation !== null) assertBound(field, acting.confirmation, own);
  if (acting.ipAddress !== '' && acting.ipAddress !== call.peer.address)
    throw badField(field, 'is bound to another address', 'IP_MISMATCH');
  return acting;
};

/** The new token carries the subject, session, family and `rsq` of the one it is made from: whatever ends that one ends this one too. */
export const exchangeToken =
  (deps: ExchangeDeps) =>
  async (asked: Exchange, call: Call): Promise<Tokens> => {
    const caller = known(call.caller);
    await assertMay(deps, caller);
    const subject = await assertGood(deps, 'subject_token', asked.subjectToken, call);
    assertMeant('subject_token', caller, subject);
    const audience = audienceOf(caller, subject, asked.audience);
    const scopes = scopesOf(subject, asked.scopes);
    const own = await shownBy(deps)(undefined, call);
    const acting = await actingOf(deps, asked, subject, own, call);
    const delegation = chainOf(deps, subject, acting === null ? actorOf(caller) : { subject: acting.subject, issuer: '' });
    const confirmation = bindingOf(asked, subject, own);
    const end = Math.min(subject.expiresAt, acting?.expiresAt ?? Number.POSITIVE_INFINITY);
    const life = narrowLife(deps.clock.now(), end, deps.accessLife, asked.ttl);
    if (life === null)
      throw badField(end < subject.expiresAt ? 'actor_token' : 'subject_token', 'has less than a second to live', 'TOKEN_EXPIRED');
    // Last, because a proof counts once.
    await assertPresented(deps, asked, subject, call);

    const claims: Claims = {
      ...spreadable(subject),
      ...life,
      notBefore: life.issuedAt,
      // Its own id, in the family of the session.
      tokenId: `${tokenIdOf(subject.familyId, generationOfTokenId(subject.tokenId))}.${deps.random.id('x').slice(2)}`,
      clientId: clientOf(caller),
      audience,
      scopes,
      permissions: subject.permissions.filter((permission) => scopeAllows(scopes, permission)),
      ipAddress: '',
      confirmation,
      delegation,
    };
    await deps.write(subject.tenantId, async () => ({
      result: null,
      events: [
        eventOf(call, subject.tenantId, 'token.exchanged', `token:${claims.tokenId}`, {
          sessionId: subject.sessionId,
          details: {
            subject: subject.subject,
            parent: subject.tokenId,
            actors: delegation?.actors.map((one) => one.subject),
            audience,
            scopes,
            expires_at: new Date(life.expiresAt).toISOString(),
          },
        }),
      ],
    }));
    return issue(deps.keyring, claims, '');
  };
