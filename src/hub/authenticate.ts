// Who is calling: an API key or access token in the header, else the certificate of the connection.
import type { ApiKeys } from '../api-keys/api-keys.ts';
import type { MaybePromise, Peer, PeerCertificate } from '../base/call.ts';
import type { Caller, SecondFactor, TenantId, WorkloadEntry } from '../base/caller.ts';
import type { Constraints } from '../base/constraints.ts';
import { Fault } from '../base/fault.ts';
import { andThen } from '../base/maybe.ts';
import type { Instant } from '../base/time.ts';
import type { Presented } from '../server/rpc/onion.ts';
import type { Feed } from '../storage/storage.ts';
import type { KeptClaims, TokensDoor } from '../tokens/tokens.ts';
import { guardsOf, hours, lackingFactor, type Limited, OUTSIDE, provedUntil } from './guards.ts';
import type { Notice } from './notice.ts';
import { shownByPeer } from './presenter.ts';
import { bindingProblem, isSameAddress } from './verdict.ts';

export interface Identified {
  readonly spiffeId: string;
  readonly tenantId: TenantId;
  readonly namespace: string;
  readonly name: string;
}

export interface AuthenticatePorts {
  readonly tokens: Pick<TokensDoor, 'verify' | 'revoked' | 'digestOf' | 'checkProof' | 'checkAuthority'>;
  readonly notice: Pick<Notice, 'forged' | 'ended'>;
  readonly apiKeys: Pick<ApiKeys, 'verify'>;
  /** The identity of a certificate of ours as it stands now, or why it is refused. */
  readonly identify: (
    certificate: PeerCertificate,
    now: Instant,
  ) => MaybePromise<{ readonly ok: true; readonly identity: Identified } | { readonly ok: false; readonly reason: string }>;
  readonly tenant: (tenantId: TenantId) => MaybePromise<({ readonly status: string } & Limited) | null>;
  readonly user: (tenantId: TenantId, userId: string) => MaybePromise<Limited | null>;
  readonly rights: (
    tenantId: TenantId,
    subject: { readonly type: string; readonly id: string },
  ) => MaybePromise<{ readonly constraints: readonly Constraints[] }>;
  readonly workload: (namespace: string, name: string) => MaybePromise<WorkloadEntry | null>;
  readonly feed: Pick<Feed, 'assertFresh' | 'applied'>;
  /** Audiences of which a caller's token must name one: ours. */
  readonly audiences: readonly string[];
}

const REFRESH_TOKEN_PREFIX = 'shr_';
const SCHEME = /^(?:bearer|dpop) +/i;
const DPOP = /^dpop /i;
const API_KEY = /^bearer +shk_/i;

/** What a connection showed last, and who that was. */
interface Shown {
  readonly authorization: string;
  readonly token: string;
  readonly digest: string;
  claims: KeptClaims | null;
  caller: UserCaller | null;
  /** The caller as it is by so many changes, and until then. */
  applied: number;
  until: Instant;
}

type UserCaller = Extract<Caller, { kind: 'user' }>;

const callerOf = (claims: KeptClaims, factor: SecondFactor | null): UserCaller => ({
  kind: 'user',
  tenantId: claims.tenantId,
  userId: claims.subject,
  sessionId: claims.sessionId,
  tokenId: claims.tokenId,
  clientId: claims.clientId,
  scopes: claims.scopes,
  mfaVerified: claims.mfaVerified,
  authMethod: claims.authMethod,
  riskLevel: claims.riskLevel,
  riskScore: claims.riskScore,
  expiresAt: claims.expiresAt,
  ...(claims.delegation === null ? {} : { delegated: true }),
  ...(factor === null ? {} : { secondFactor: factor }),
});

/** Nobody is known yet. */
const sourceOf = ({ peer, requestId }: Presented) => ({ caller: { kind: 'anonymous' } as const, method: '', peer, requestId });

const NO_LIMITS: Limited = {};

interface Limits {
  readonly caller: UserCaller;
  readonly applied: number;
  readonly until: Instant;
}

const refused = (reason: string, message: string): Fault => new Fault('UNAUTHENTICATED', reason, message);

export const createAuthenticate = (ports: AuthenticatePorts) => {
  const { tokens, notice, apiKeys, feed, audiences } = ports;

  // A connection mostly shows the same token call after call: comparing it with its own last one costs less than hashing it again.
  // Only the digest and the look of the caller are kept; whether the token is still good is asked each time.
  const lately = new WeakMap<Peer, Shown>();

  const firstShownOn = (peer: Peer, authorization: string): Shown => {
    const token = authorization.replace(SCHEME, '');
    const shown: Shown = { authorization, token, digest: tokens.digestOf(token), claims: null, caller: null, applied: -1, until: 0 };
    lately.set(peer, shown);
    return shown;
  };

  const checkBinding = (claims: KeptClaims, peer: Peer, jkt: string): void => {
    if (claims.ipAddress !== '' && !isSameAddress(claims.ipAddress, peer.address))
      throw refused('IP_MISMATCH', 'the token is bound to another address');
    if (claims.confirmation === null) return;
    const problem = bindingProblem(claims.confirmation, { shown: shownByPeer(peer, jkt), badProof: null });
    if (problem !== null) throw refused(problem.code, problem.message);
  };

  /** The caller under the limits of its tenant, roles and account as they are now, and until when it is that. */
  const limited = (claims: KeptClaims, known: UserCaller | null, now: Instant): MaybePromise<Limits> => {
    const { tenantId, subject } = claims;
    const applied = feed.applied();
    return andThen(ports.tenant(tenantId), (tenant) =>
      andThen(ports.user(tenantId, subject), (user) =>
        andThen(ports.rights(tenantId, { type: 'user', id: subject }), ({ constraints }) => {
          // After the last wait: what was revoked meanwhile counts.
          const revoked = tokens.revoked(claims);
          if (revoked !== null) throw refused(revoked.reason, revoked.message);
          feed.assertFresh();
          const guards = guardsOf(claims.restrictions, tenant ?? NO_LIMITS, constraints, user ?? NO_LIMITS);
          if (guards === null) return { caller: known ?? callerOf(claims, null), applied, until: Number.POSITIVE_INFINITY };
          const { open, until } = hours(guards, now);
          if (!open) throw refused(OUTSIDE.code, OUTSIDE.message);
          const [outdated] = guards.outdatedBlocks ? guards.outdated : [];
          if (outdated !== undefined) throw refused(outdated.code, outdated.message);
          const factor = lackingFactor(guards, claims, now);
          const proof = guards.factor === null || factor !== null ? Number.POSITIVE_INFINITY : provedUntil(claims, guards.factor);
          // The same object as long as the same is true: what is found out about a caller is kept beside it.
          const same = known !== null && (known.secondFactor ?? null) === factor;
          return { caller: same ? known : callerOf(claims, factor), applied, until: Math.min(until, proof) };
        }),
      ),
    );
  };

  /** RFC 9449 §7.1: a token bound to a DPoP key comes with the scheme DPoP and a proof for this very call. */
  const byProof = async (token: string, claims: KeptClaims, presented: Presented): Promise<Caller> => {
    const { authorization, dpop, peer, now } = presented;
    if (dpop === '' || !DPOP.test(authorization))
      throw refused('BINDING_MISSING', 'the token is bound to a DPoP key: send "authorization: DPoP <token>" and a proof as "dpop"');
    tokens.checkAuthority(presented);
    const request = { method: 'POST', uri: presented.target, token, ours: true } as const;
    // Its token is good: it pays by itself, whoever else comes from its address.
    const checked = await tokens.checkProof(dpop, request, 'call', now, { caller: callerOf(claims, null), peer });
    if (!checked.ok) throw refused(checked.reason, checked.message);
    checkBinding(claims, peer, checked.jkt);
    // Asked after the proof was remembered: what was revoked meanwhile counts.
    return { ...(await limited(claims, null, now)).caller, jkt: checked.jkt };
  };

  const byToken = (presented: Presented, shown: Shown): MaybePromise<Caller> => {
    const { authorization, peer, now } = presented;
    const verified = tokens.verify(shown.token, now, 0, shown.digest, presented);
    if (!verified.ok && verified.reason === 'SIGNATURE_INVALID') notice.forged(sourceOf(presented));
    if (!verified.ok)
      throw shown.token.startsWith(REFRESH_TOKEN_PREFIX)
        ? refused('TOKEN_TYPE_WRONG', 'a refresh token is no credential of a call')
        : refused(verified.reason, verified.message);
    const { claims } = verified;
    const revoked = tokens.revoked(claims);
    if (revoked !== null) {
      notice.ended(claims, revoked.reason, sourceOf(presented));
      throw refused(revoked.reason, revoked.message);
    }
    feed.assertFresh();
    if (shown.claims === claims && shown.applied === feed.applied() && now < shown.until && shown.caller !== null) return shown.caller;
    if (!claims.audience.some((name) => audiences.includes(name)))
      throw refused('AUDIENCE_MISMATCH', 'the token is meant for somebody else');
    if (claims.confirmation !== null && claims.confirmation.jkt !== '') return byProof(shown.token, claims, presented);
    if (DPOP.test(authorization)) throw refused('BINDING_MISMATCH', 'the token is bound to no DPoP key: send it as Bearer');
    checkBinding(claims, peer, '');
    const known = shown.claims === claims ? shown.caller : null;
    return andThen(limited(claims, known, now), ({ caller, applied, until }) => {
      Object.assign(shown, { claims, caller, applied, until });
      return caller;
    });
  };

  const byApiKey = (secret: string, now: Instant): MaybePromise<Caller> =>
    andThen(apiKeys.verify(secret, now), (verified) => {
      if (!verified.ok) throw refused(verified.reason, 'the API key is not good');
      feed.assertFresh();
      const { tenantId, keyId, ownerId, permissions, scopes } = verified.key;
      return { kind: 'api_key', tenantId, keyId, ownerId, permissions, scopes };
    });

  const byCertificate = (certificate: PeerCertificate, now: Instant): MaybePromise<Caller> =>
    andThen(ports.identify(certificate, now), (found) => {
      if (!found.ok) throw refused(found.reason, 'the certificate of this connection is not good');
      const { spiffeId, tenantId, namespace, name } = found.identity;
      return andThen(ports.tenant(tenantId), (tenant) => {
        if (tenant?.status !== 'active') throw refused('TENANT_SUSPENDED', 'the tenant is suspended');
        return andThen(ports.workload(namespace, name), (entry) => {
          feed.assertFresh();
          return { kind: 'workload', tenantId, spiffeId, namespace, name, entry };
        });
      });
    });

  /** UNAUTHENTICATED with the credential's own reason; UNAVAILABLE where nothing can be known. A header counts before the certificate. */
  return (presented: Presented): MaybePromise<Caller> => {
    const { authorization, peer, now } = presented;
    if (authorization === '') return peer.certificate === null ? { kind: 'anonymous' } : byCertificate(peer.certificate, now);
    const last = lately.get(peer);
    if (last?.authorization === authorization) return byToken(presented, last);
    // Two headers arrive joined by a comma: which of them was meant nobody knows.
    if (!SCHEME.test(authorization) || authorization.includes(','))
      throw refused(
        'CREDENTIALS_MALFORMED',
        'authorization must be one credential: Bearer <access token or API key>, or DPoP <access token>',
      );
    if (!API_KEY.test(authorization)) return byToken(presented, firstShownOn(peer, authorization));
    return byApiKey(authorization.replace(SCHEME, ''), now);
  };
};
