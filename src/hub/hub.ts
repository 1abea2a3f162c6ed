// The six calls joined: verdicts over what tokens, API keys, certificates, identity and authorization know.
import type { ApiKeys } from '../api-keys/api-keys.ts';
import type { Authorization } from '../authorization/authorization.ts';
import type { PeerCertificate } from '../base/call.ts';
import type { Millis } from '../base/time.ts';
import type { Identity } from '../identity/identity.ts';
import type { IssuersDoor } from '../issuers/issuers.ts';
import type { Platform } from '../server/platform.ts';
import type { Service } from '../server/rpc/define.ts';
import type { TokensDoor } from '../tokens/tokens.ts';
import { type AuthenticatePorts, createAuthenticate } from './authenticate.ts';
import { wireDecisions } from './check-permission/check-permission.wire.ts';
import { createExtAuthz, type ExtAuthzPorts } from './ext-authz/ext-authz.ts';
import { extAuthzService } from './ext-authz/ext-authz.rpc.ts';
import { type Handlers, hubService } from './hub.rpc.ts';
import { createNotice } from './notice.ts';
import { createPresent } from './present.ts';
import type { StandingOf } from './principal/standing.ts';
import { createValidateToken } from './validate-token/validate-token.ts';
import type { ProofPorts } from './validate-token/proof.ts';

export interface HubPorts {
  readonly tokens: TokensDoor;
  readonly apiKeys: Pick<ApiKeys, 'verify'>;
  readonly issuers: Pick<IssuersDoor, 'verify'>;
  readonly identity: Pick<Identity, 'tenant' | 'user' | 'userNamed' | 'workload'>;
  readonly authorization: Authorization;
  readonly certificates: ProofPorts['certificates'] & { identify: AuthenticatePorts['identify'] };
  readonly standing: StandingOf;
  readonly audiences: readonly string[];
  readonly decisionTtl: Millis;
  readonly extAuthzMode: ExtAuthzPorts['mode'];
  readonly encrypt: Handlers['encrypt'];
  readonly decrypt: Handlers['decrypt'];
  readonly issueServiceCert: Handlers['issueServiceCert'];
}

export const createHub = (platform: Pick<Platform, 'feed' | 'random' | 'metrics' | 'audit' | 'pager'>, ports: HubPorts) => {
  const { tokens, apiKeys, issuers, identity, authorization, certificates, standing, decisionTtl } = ports;
  const { tenant, user, userNamed, workload } = identity;
  const { holds } = authorization;
  const notice = createNotice(platform);
  const present = createPresent({ notice, tokens, apiKeys, issuers, certificates, tenant, holds, standing });
  const decisions = wireDecisions(platform, { authorization, standing, verify: present, tenant, userNamed, decisionTtl });
  const validateToken = createValidateToken({
    tokens,
    apiKeys,
    issuers,
    certificates,
    notice,
    feed: platform.feed,
    rights: decisions.liveRights,
    permits: authorization.permits,
    user,
    tenant,
    holds,
  });
  const service: Service = hubService({
    validateToken,
    checkPermission: decisions.checkPermission,
    batchCheck: decisions.batchCheck,
    encrypt: ports.encrypt,
    decrypt: ports.decrypt,
    issueServiceCert: ports.issueServiceCert,
  });
  const authenticate = createAuthenticate({
    tokens,
    notice,
    apiKeys,
    identify: (certificate: PeerCertificate, now) => certificates.identify(certificate, now),
    tenant,
    user,
    rights: authorization.rights,
    workload,
    feed: platform.feed,
    audiences: ports.audiences,
  });
  const { checkPermission } = decisions;
  const extAuthz = extAuthzService(
    createExtAuthz({ validateToken, checkPermission, attest: tokens.attest, holds, metrics: platform.metrics, mode: ports.extAuthzMode }),
  );
  const { enforceDataAccess, listResources, barred } = decisions;
  return { services: [service, extAuthz], authenticate, enforceDataAccess, listResources, barred };
};
