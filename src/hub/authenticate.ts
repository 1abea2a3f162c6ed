// Who is calling: an API key or access token in the header, else the certificate of the connection.
import type { ApiKeys } from '../api-keys/api-keys.ts';
import type { MaybePromise, PeerCertificate } from '../base/call.ts';
import type { Caller, TenantId, WorkloadEntry } from '../base/caller.ts';
import { Fault } from '../base/fault.ts';
import { andThen } from '../base/maybe.ts';
import type { Instant } from '../base/time.ts';
import type { Presented } from '../server/rpc/onion.ts';
import type { Feed } from '../storage/storage.ts';
import type { TokensDoor } from '../tokens/tokens.ts';

export interface Identified {
  readonly spiffeId: string;
  readonly tenantId: TenantId;
  readonly namespace: string;
  readonly name: string;
}

export interface AuthenticatePorts {
  readonly tokens: Pick<TokensDoor, 'verify' | 'revoked'>;
  readonly apiKeys: Pick<ApiKeys, 'verify'>;
  /** The identity of a certificate of ours as it stands now, or why it is refused. */
  readonly identify: (
    certificate: PeerCertificate,
    now: Instant,
  ) => MaybePromise<{ readonly ok: true; readonly identity: Identified } | { readonly ok: false; readonly reason: string }>;
  readonly tenant: (tenantId: TenantId) => MaybePromise<{ readonly status: string } | null>;
  readonly workload: (namespace: string, name: string) => MaybePromise<WorkloadEntry | null>;
  readonly feed: Pick<Feed, 'assertFresh'>;
  /** Audiences of which a caller's token must name one: ours. */
  readonly audiences: readonly string[];
}

export const API_KEY_PREFIX = 'shk_';
const SCHEME = /^bearer +/i;

const refused = (reason: string, message: string): Fault => new Fault('UNAUTHENTICATED', reason, message);

export const createAuthenticate = (ports: AuthenticatePorts) => {
  const { tokens, apiKeys, feed, audiences } = ports;

  const byToken = (token: string, { peer, now }: Presented): Caller => {
    const verified = tokens.verify(token, now);
    if (!verified.ok) throw refused(verified.reason, verified.message);
    const { claims } = verified;
    const revoked = tokens.revoked(claims);
    if (revoked !== null) throw refused(revoked.reason, revoked.message);
    if (!claims.audience.some((name) => audiences.includes(name)))
      throw refused('AUDIENCE_MISMATCH', 'the token is meant for somebody else');
    if (claims.ipAddress !== '' && claims.ipAddress !== peer.address) throw refused('IP_MISMATCH', 'the token is bound to another address');
    const bound = claims.confirmation;
    if (bound !== null) {
      if (peer.certificate === null) throw refused('BINDING_MISSING', 'the token is bound to a key that this connection does not show');
      const shown = Buffer.from(peer.certificate.sha256, 'hex').toString('base64url');
      if (bound.x5tS256 !== shown) throw refused('BINDING_MISMATCH', 'the token is bound to another key');
    }
    feed.assertFresh();
    return {
      kind: 'user',
      tenantId: claims.tenantId,
      userId: claims.subject,
      sessionId: claims.sessionId,
      tokenId: claims.tokenId,
      clientId: claims.clientId,
      scopes: claims.scopes,
      mfaVerified: claims.mfaVerified,
      expiresAt: claims.expiresAt,
    };
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
    if (!SCHEME.test(authorization)) throw refused('CREDENTIALS_MALFORMED', 'authorization must be: Bearer <access token or API key>');
    const credential = authorization.replace(SCHEME, '');
    return credential.startsWith(API_KEY_PREFIX) ? byApiKey(credential, now) : byToken(credential, presented);
  };
};
