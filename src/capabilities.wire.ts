// Joins the doors of all capabilities: what one needs of another is handed to it here, as a port.
import { wireApiKeys } from './api-keys/api-keys.wire.ts';
import { wireAuthorization } from './authorization/authorization.wire.ts';
import { tenantsOf } from './base/caller.ts';
import { andThen } from './base/maybe.ts';
import { wireCertificates } from './certificates/certificates.wire.ts';
import { decryptHandler, encryptHandler } from './encryption/encryption.rpc.ts';
import { wireEncryption } from './encryption/encryption.wire.ts';
import { createHub } from './hub/hub.ts';
import { createStanding } from './hub/principal/standing.ts';
import { createTerms } from './hub/subject-terms.ts';
import { mightOf } from './identity/identity.ts';
import { wireIdentity } from './identity/identity.wire.ts';
import { wireIssuers } from './issuers/issuers.wire.ts';
import type { Config } from './server/config/schema.ts';
import { knownHost } from './server/http/hosts.ts';
import type { Platform } from './server/platform.ts';
import { wireTokens } from './tokens/tokens.wire.ts';

/** Of somebody who is not there. */
const NO_LIMITS = { also: [], cap: null, scopes: [] };

/** @param methods what may be called, known once everything is joined. */
export const wireCapabilities = (platform: Platform, config: Config, methods: () => ReadonlySet<string>) => {
  const { server } = config;

  // The doors know one another by ports; those that stand further down are called through, never copied.
  const rights = wireAuthorization(platform, config.authorization, {
    subjects: {
      known: (tenantId, subject) => andThen(standing(tenantId, subject), (found) => found !== null),
      active: (tenantId, userIds) => identity.door.activeUsers(tenantId, userIds),
      acts: (tenantId, subject) => andThen(standing(tenantId, subject), (found) => found?.active === true),
      limits: (tenantId, subject) => andThen(standing(tenantId, subject), (found) => found?.limits ?? NO_LIMITS),
      page: (tenantId, kind, after, limit) => identity.door.subjectIds(tenantId, kind, after, limit),
      barred: (...asked) => hub.barred(...asked),
      nameOf: (tenantId, { type, id }) =>
        type === 'user' ? andThen(identity.door.user(tenantId, id), (user) => user?.username ?? '') : '',
    },
    watermarkUntil: () => tokens.door.watermarkUntil(),
    enforceDataAccess: (request, call) => hub.enforceDataAccess(request, call),
    listResources: (request, call) => hub.listResources(request, call),
  });
  const authorization = rights.door;
  const tokens = wireTokens(platform, config.tokens, {
    user: (tenantId, userId) => identity.door.user(tenantId, userId),
    tenant: (tenantId) => identity.door.tenant(tenantId),
    rights: authorization.rights,
    holds: authorization.holds,
    isWorkload: (tenantId, key) => {
      const [namespace = '', name = ''] = key.split('/', 2);
      return andThen(identity.door.workload(namespace, name), (entry) => entry?.tenantId === tenantId);
    },
    knownHost: (authority) => knownHost(authority, server.httpHosts),
    terms: (tenantId, userId) => terms(tenantId, userId),
    foreign: {
      read: (token, { caller, peer, now }) =>
        andThen(issuers.door.verify(token, now, 0, tenantsOf(caller), { caller, peer }), (found) => found?.claims ?? null),
      knows: (tenantId, id) => issuers.door.knows(tenantId, id),
    },
  });
  const identity = wireIdentity(
    platform,
    config.identity,
    { trustDomain: config.certificates.trustDomain, longestTokenLife: tokens.longest },
    {
      authorization,
      tokens: tokens.door,
      methodNames: methods,
      endService: (...one) => certificates.door.endService(...one),
    },
  );
  const apiKeys = wireApiKeys(platform, config.apiKeys, { authorization, identity: identity.door });
  const terms = createTerms({
    ...identity.door,
    rights: authorization.rights,
    cursor: () => platform.feed.cursor(),
    limitsSeq: tokens.door.limitsSeq,
  });
  const issuers = wireIssuers(
    platform,
    config.issuers,
    { ownIssuer: config.tokens.issuer, longest: tokens.longestLife },
    { ...authorization, jws: tokens.jws, namespaceOwner: (namespace) => identity.door.namespaceOwner(namespace) },
  );
  const standing = createStanding({
    user: identity.door.user,
    workload: identity.door.workload,
    apiKey: apiKeys.door.usable,
    foreign: issuers.door.knows,
  });
  const encryption = wireEncryption(platform, config.encryption, {
    holds: authorization.holds,
    defaultKeyName: (tenantId) => andThen(identity.door.tenant(tenantId), (tenant) => tenant?.defaultKeyName ?? ''),
  });
  const certificates = wireCertificates(
    platform,
    { ...config.certificates, serviceName: server.serviceName },
    {
      ...identity.door,
      holds: authorization.holds,
      outranks: (caller, tenantId, { namespace, service }) =>
        andThen(identity.door.workload(namespace, service), (entry) =>
          authorization.outranks(
            caller,
            tenantId,
            { type: 'service', id: `${namespace}/${service}` },
            entry === null ? [] : mightOf(entry),
          ),
        ),
    },
  );
  const hub = createHub(platform, {
    tokens: tokens.door,
    apiKeys: apiKeys.door,
    issuers: issuers.door,
    identity: identity.door,
    authorization,
    certificates: certificates.door,
    standing,
    audiences: config.tokens.audience.split(','),
    decisionTtl: config.authorization.decisionTtl,
    extAuthzMode: config.hub.extAuthzMode,
    encrypt: encryptHandler(encryption.door),
    decrypt: decryptHandler(encryption.door),
    issueServiceCert: certificates.issueServiceCert,
  });
  return {
    identity: identity.door,
    apiKeys: apiKeys.door,
    tokens,
    certificates,
    holds: authorization.holds,
    authenticate: hub.authenticate,
    services: [hub, identity, tokens, apiKeys, issuers, rights, encryption, certificates].flatMap(({ services }) => services),
    /** Why calls cannot be answered yet, a sentence each. */
    notReady: () => [tokens.door.notReady(), certificates.notReady()].filter((reason) => reason !== null),
    /** Loads or makes the keys. Once the stores are migrated, before anything listens. */
    async start(): Promise<void> {
      await tokens.start();
      await certificates.start();
    },
    /** Writes what waits, ends the threads. */
    async close(): Promise<void> {
      await Promise.all([rights.close(), identity.close(), apiKeys.close(), certificates.close()]);
    },
  };
};
