// What the outage table asks: every call, by its case, of a hub that was warmed with one set of things and has never seen the others.
import { get } from 'node:https';
import { ApiKeyServiceService as ApiKeys } from '../../src/gen/securityhub/v1/api_key.ts';
import { AuditServiceService as Audit } from '../../src/gen/securityhub/v1/audit.ts';
import { AuthenticationServiceService as Authentication } from '../../src/gen/securityhub/v1/authentication.ts';
import {
  AuthorizationServiceService as Authorization,
  Effect,
  Group,
  Resource,
  ResourceType,
  Role,
  Subject,
} from '../../src/gen/securityhub/v1/authorization.ts';
import { CertificateServiceService as Certificates, KeyType } from '../../src/gen/securityhub/v1/certificate.ts';
import { EncryptionServiceService as Encryption } from '../../src/gen/securityhub/v1/encryption.ts';
import {
  type BatchCheckResponse,
  PermissionCheck,
  SecurityHubService as Hub,
  type ValidateTokenResponse,
} from '../../src/gen/securityhub/v1/security_hub.ts';
import { TenantServiceService as Tenants } from '../../src/gen/securityhub/v1/tenant.ts';
import { type Tokens, TokenServiceService as TokenService } from '../../src/gen/securityhub/v1/token.ts';
import { UserServiceService as Users } from '../../src/gen/securityhub/v1/user.ts';
import { TrustedIssuer, TrustedIssuerServiceService as Issuers } from '../../src/gen/securityhub/v1/trusted_issuer.ts';
import { Workload, WorkloadServiceService as Workloads } from '../../src/gen/securityhub/v1/workload.ts';
import { AuthorizationService as ExtAuthz, type CheckResponse } from '../../src/gen/envoy/service/auth/v3/external_auth.ts';
import { AttributeContext } from '../../src/gen/envoy/service/auth/v3/attribute_context.ts';
import { HealthCheckResponse_ServingStatus as Serving, HealthService as Health } from '../../src/gen/grpc/health/v1/health.ts';
import type { Caller, Rpc, Said } from './caller.ts';

export const SERVICES = [
  Hub,
  Authentication,
  TokenService,
  Tenants,
  Users,
  Workloads,
  Issuers,
  ApiKeys,
  Authorization,
  Encryption,
  Certificates,
  Audit,
] as const;

const PASSWORD = 'correct-horse-battery-1';
const generateKey = { type: KeyType.KEY_TYPE_ECDSA_P256 };

/** One of each thing that a verdict or a key look-up stands on. */
interface Things {
  /** A registered workload of the namespace `default`. */
  readonly service: string;
  readonly userId: string;
  readonly accessToken: string;
  readonly apiKey: string;
  readonly keyName: string;
  readonly ciphertext: Buffer;
  /** Its certificate and key, PEM. */
  readonly certificate: string;
  readonly privateKey: string;
}

export interface World {
  readonly warm: Things;
  /** Never asked about since the hub's start: a set for each outage. */
  readonly cold: readonly Things[];
  /** An access token that was revoked before the outages. */
  readonly revokedToken: string;
  /** A user without rights, whose sessions come and go. */
  readonly guest: { readonly userId: string; refreshToken: string };
  readonly victimId: string;
  readonly setPasswordId: string;
}

const login = async (caller: Caller, username: string): Promise<Tokens> => {
  const { tokens } = await caller.ask(Authentication.login, { tenantId: 'dev', username, password: PASSWORD });
  if (tokens === undefined) throw new Error('a login without tokens');
  return tokens;
};

const makeUser = async (caller: Caller, username: string, roles: string[] = []): Promise<string> => {
  const { user } = await caller.ask(Users.createUser, { username, password: PASSWORD, roles });
  return user?.id ?? '';
};

const makeThings = async (caller: Caller, name: string): Promise<Things> => {
  const userId = await makeUser(caller, `user-${name}`, ['member']);
  const { accessToken } = await login(caller, `user-${name}`);
  const { secret } = await caller.ask(ApiKeys.createApiKey, { name, permissions: ['conversations:read', 'encryption_key:encrypt'] });
  const keyName = `key-${name}`;
  await caller.ask(Encryption.createKey, { name: keyName });
  const { ciphertext } = await caller.ask(Hub.encrypt, { plaintext: Buffer.from(name), keyName });
  const workload = Workload.fromPartial({ namespace: 'default', name, audiences: ['security-hub'], calls: ['ValidateToken'] });
  await caller.ask(Workloads.putWorkload, { workload });
  const issued = await caller.ask(Hub.issueServiceCert, { namespace: 'default', service: name, generateKey });
  return {
    service: name,
    userId,
    accessToken,
    apiKey: secret,
    keyName,
    ciphertext,
    certificate: issued.certificatePem,
    privateKey: issued.privateKeyPem,
  };
};

/** Made through one hub, used through the next: its caches know none of it. */
export const makeWorld = async (caller: Caller, outages: number): Promise<World> => {
  const [warm, ...cold] = await Promise.all(
    Array.from({ length: outages + 1 }, (_, at) => makeThings(caller, at === 0 ? 'warm' : `cold-${at}`)),
  );
  if (warm === undefined) throw new Error('no outage');
  const guestId = await makeUser(caller, 'guest', ['member']);
  const victimId = await makeUser(caller, 'victim', ['member']);
  const setPasswordId = await makeUser(caller, 'forgetful', ['member']);
  await makeUser(caller, 'leaver', ['member']);
  const { accessToken } = await login(caller, 'leaver');
  await caller.ask(TokenService.revokeToken, { token: accessToken });
  await caller.ask(Tenants.createTenant, { id: 'other' });
  for (const name of ['key-rotated', 'key-switched']) await caller.ask(Encryption.createKey, { name });
  const { refreshToken } = await login(caller, 'guest');
  return { warm, cold, revokedToken: accessToken, guest: { userId: guestId, refreshToken }, victimId, setPasswordId };
};

const policyText = (name: string): string =>
  JSON.stringify({
    apiVersion: 'securityhub/v1',
    kind: 'PrincipalPolicy',
    metadata: { name },
    spec: {
      principals: ['user:nobody'],
      rules: [{ name: 'no-exports', effect: 'deny', resource: 'conversations', actions: ['export'] }],
    },
  });

const issuerNamed = (name: string): TrustedIssuer =>
  TrustedIssuer.fromPartial({ name, issuer: 'https://issuer.example', audiences: ['orders'] });

/** What one run through the table uses up: made while all is well. */
export interface Supplies {
  readonly run: string;
  readonly sessions: readonly Tokens[];
  readonly grantId: string;
  readonly delegationId: string;
  /** Version of a draft of policies. */
  readonly draft: number;
  readonly decisionId: string;
  readonly apiKeyId: string;
  readonly serialNumber: string;
}

export const makeSupplies = async (caller: Caller, world: World, run: string): Promise<Supplies> => {
  const subject = { type: 'user', id: world.guest.userId };
  const sessions = await Promise.all(Array.from({ length: 4 }, () => login(caller, 'guest')));
  await caller.ask(Authorization.putRole, { role: Role.fromPartial({ name: `gone-${run}`, permissions: ['conversations:read'] }) });
  const { grant } = await caller.ask(Authorization.putGrant, { subject, permission: 'conversations:read', effect: Effect.EFFECT_ALLOW });
  await caller.ask(Authorization.assignRole, { subject, role: 'manager' });
  for (const name of [`gone-${run}`, 'standing']) await caller.ask(Authorization.putGroup, { group: Group.fromPartial({ name }) });
  const { delegation } = await caller.ask(Authorization.putDelegation, {
    grantee: subject,
    permissions: ['conversations:export'],
    resourceId: run,
    expiresAt: { seconds: Math.floor(Date.now() / 1000) + 86_400, nanos: 0 },
  });
  const sources = [{ name: 'policy.json', content: policyText(`gone-${run}`) }];
  await caller.ask(Authorization.applyPolicies, { sources });
  const { version: draft } = await caller.ask(Authorization.applyPolicies, {
    sources: [{ name: 'policy.json', content: policyText(`drafted-${run}`) }],
    draft: true,
  });
  const { decisionId } = await caller.ask(Hub.checkPermission, { action: 'read', resource: Resource.fromPartial({ type: 'users' }) });
  await caller.ask(Authorization.explainDecision, { decisionId });
  const { apiKey } = await caller.ask(ApiKeys.createApiKey, { name: `gone-${run}`, permissions: ['conversations:read'] });
  const { serialNumber } = await caller.ask(Hub.issueServiceCert, { namespace: 'default', service: 'gone', generateKey });
  await caller.ask(Workloads.putWorkload, { workload: Workload.fromPartial({ namespace: 'default', name: `gone-${run}` }) });
  await caller.ask(Issuers.putTrustedIssuer, { issuer: issuerNamed(`gone-${run}`.slice(0, 32)) });
  return {
    run,
    sessions,
    grantId: grant?.id ?? '',
    delegationId: delegation?.id ?? '',
    draft: draft?.version ?? 0,
    decisionId,
    apiKeyId: apiKey?.id ?? '',
    serialNumber,
  };
};

/** `OK`, `OK` with what a verdict said, or code and reason. */
export interface Outcome {
  readonly said: string;
  readonly milliseconds: number;
}

export type Ask = () => Promise<Outcome>;

const conversation = Resource.fromPartial({ type: 'conversations', id: 'c1' });
const checks = [PermissionCheck.fromPartial({ id: '1', action: 'read', resource: conversation })];
const verdict = ({ valid, reasons }: ValidateTokenResponse): string => (valid ? 'valid' : reasons.map(({ code }) => code).join());
const batchSaid = ({ results }: BatchCheckResponse): string => results.map((result) => result.reasonCode).join();

const envoySaid = ({ dynamicMetadata }: CheckResponse): string => String(dynamicMetadata?.['reason']);
const throughEnvoy = (accessToken: string, contextExtensions: Readonly<Record<string, string>>): AttributeContext =>
  AttributeContext.fromPartial({
    request: { http: { method: 'GET', path: '/conversations/c1', headers: { authorization: `Bearer ${accessToken}` } } },
    contextExtensions,
  });

/** Name of a row: the method without its package, and the case. */
const rowName = (method: string, of: string): string => (of === '' ? method : `${method}, ${of}`);

export interface Asked {
  /** The administrator. */
  readonly caller: Caller;
  /** Known by the certificates of `world.warm` and `cold`. */
  readonly workloads: { readonly warm: Caller; readonly cold: Caller };
  readonly world: World;
  readonly supplies: Supplies;
  readonly cold: Things;
  /** Of the probe port, in the clear. */
  readonly probes: string;
  /** Of the side port, over TLS. */
  readonly https: string;
  readonly ca: string;
}

/** Each row of the table by its name. */
export const outageCalls = ({ caller, workloads, world, supplies, cold, probes, https, ca }: Asked): ReadonlyMap<string, Ask> => {
  const { warm, guest } = world;
  const { run } = supplies;
  const rows = new Map<string, Ask>();
  const row = <Q extends object, S>(
    rpc: Rpc<Q, S>,
    of: string,
    request: Partial<Q>,
    show: (answer: S) => string = () => '',
    by: { readonly bearer?: string; readonly caller?: Caller } = {},
  ): void => {
    rows.set(rowName(rpc.path.replace(/^\/(securityhub\.v1|grpc\.health\.v1|envoy\.service\.auth\.v3)\./, ''), of), async () => {
      const said: Said<S> = await (by.caller ?? caller).tell(rpc, request, by.bearer);
      const detail = said.answer === null ? said.reason : show(said.answer);
      return { said: detail === '' ? said.code : `${said.code} ${detail}`, milliseconds: said.milliseconds };
    });
  };
  const plain = <Q extends object, S>(rpc: Rpc<Q, S>, request: Partial<Q>): void => row(rpc, '', request);
  const open = <Q extends object, S>(rpc: Rpc<Q, S>, request: Partial<Q>): void => row(rpc, '', request, undefined, { bearer: '' });

  for (const [of, things] of [
    ['warm', warm],
    ['cold', cold],
  ] as const) {
    const subject = Subject.fromPartial({ type: 'user', id: things.userId });
    const principal = { $case: 'subject', value: subject } as const;
    row(Hub.validateToken, `${of} token`, { token: things.accessToken, audience: 'security-hub' }, verdict);
    const mode = { enforced: {}, 'in shadow': { mode: 'shadow' } };
    for (const [how, says] of Object.entries(mode))
      row(ExtAuthz.check, `${of} token ${how}`, { attributes: throughEnvoy(things.accessToken, says) }, envoySaid);
    row(Hub.validateToken, `${of} API key`, { token: things.apiKey }, verdict);
    row(Hub.validateToken, `${of} certificate`, { certificateChain: things.certificate }, verdict);
    row(Hub.checkPermission, `${of} subject`, { principal, action: 'read', resource: conversation }, ({ reasonCode }) => reasonCode);
    row(
      Hub.checkPermission,
      `${of} token`,
      { principal: { $case: 'token', value: things.accessToken }, action: 'read', resource: conversation },
      ({ reasonCode }) => reasonCode,
    );
    row(Hub.checkPermission, `by a ${of} API key`, { action: 'read', resource: conversation }, ({ reasonCode }) => reasonCode, {
      bearer: things.apiKey,
    });
    row(Hub.validateToken, `by a ${of} workload`, { token: warm.accessToken, audience: 'security-hub' }, verdict, {
      caller: workloads[of],
    });
    row(Hub.batchCheck, `${of} subject`, { principal, checks }, batchSaid);
    row(Hub.encrypt, `${of} key`, { plaintext: Buffer.from('x'), keyName: things.keyName });
    row(Hub.decrypt, `${of} key`, { ciphertext: things.ciphertext });
    row(Hub.issueServiceCert, `${of} workload`, { namespace: 'default', service: things.service, generateKey });
  }
  row(Hub.validateToken, 'warm token, revoked', { token: world.revokedToken }, verdict);
  row(Hub.validateToken, 'rubbish', { token: 'rubbish' }, verdict);

  open(Authentication.login, { tenantId: 'dev', username: 'guest', password: PASSWORD });
  open(Authentication.logout, { refreshToken: supplies.sessions[0]?.refreshToken ?? '' });
  rows.set('TokenService/RefreshToken', async () => {
    const said = await caller.tell(TokenService.refreshToken, { refreshToken: guest.refreshToken }, '');
    // The next run goes on from here; an outage keeps the token that was presented.
    guest.refreshToken = said.answer?.tokens?.refreshToken ?? guest.refreshToken;
    return { said: said.reason === '' ? said.code : `${said.code} ${said.reason}`, milliseconds: said.milliseconds };
  });
  plain(TokenService.exchangeToken, { subjectToken: warm.accessToken });
  plain(TokenService.listSessions, {});
  plain(TokenService.getSessionStatistics, {});
  plain(TokenService.revokeToken, { token: supplies.sessions[1]?.accessToken ?? '' });
  plain(TokenService.revokeSession, { sessionId: supplies.sessions[2]?.sessionId ?? '' });
  plain(TokenService.revokeClient, { clientId: 'nobody/nothing' });
  plain(TokenService.revokeUser, { userId: world.victimId });
  open(TokenService.getJwks, {});
  plain(TokenService.watchRevocations, {});
  plain(TokenService.getChangeHead, {});
  plain(TokenService.watchKeys, {});
  plain(TokenService.listSigningKeys, {});
  plain(TokenService.rotateSigningKey, {});
  // Of a key that is none: the supply of those that are would be used up.
  plain(TokenService.revokeSigningKey, { kid: 'nobody' });

  plain(Tenants.createTenant, { id: `new-${run}` });
  plain(Tenants.getTenant, {});
  plain(Tenants.listTenants, {});
  plain(Tenants.updateTenant, { displayName: `Dev ${run}` });
  plain(Tenants.suspendTenant, { tenantId: 'other' });
  plain(Tenants.reactivateTenant, { tenantId: 'other' });
  plain(Users.createUser, { username: `new-${run}`, password: PASSWORD });
  plain(Users.getUser, { userId: guest.userId });
  plain(Users.listUsers, {});
  plain(Users.updateUser, { userId: guest.userId, firstName: `Mia ${run}` });
  plain(Users.suspendUser, { userId: world.victimId });
  plain(Users.reactivateUser, { userId: world.victimId });
  plain(Users.setPassword, { userId: world.setPasswordId, newPassword: `${PASSWORD}-${run}` });
  plain(Workloads.putWorkload, { workload: Workload.fromPartial({ namespace: 'default', name: 'billing' }) });
  plain(Workloads.getWorkload, { namespace: 'default', name: warm.service });
  plain(Workloads.listWorkloads, {});
  plain(Workloads.deleteWorkload, { namespace: 'default', name: `gone-${run}` });
  plain(Issuers.putTrustedIssuer, { issuer: issuerNamed('keycloak') });
  plain(Issuers.listTrustedIssuers, {});
  plain(Issuers.deleteTrustedIssuer, { name: `gone-${run}`.slice(0, 32) });
  plain(ApiKeys.createApiKey, { name: `new-${run}`, permissions: ['conversations:read'] });
  plain(ApiKeys.getApiKey, { apiKeyId: supplies.apiKeyId });
  plain(ApiKeys.listApiKeys, {});
  plain(ApiKeys.revokeApiKey, { apiKeyId: supplies.apiKeyId });

  const subject = { type: 'user', id: guest.userId };
  plain(Authorization.putResourceType, { resourceType: ResourceType.fromPartial({ name: 'invoices', actions: ['read'] }) });
  plain(Authorization.listResourceTypes, {});
  plain(Authorization.putRole, { role: Role.fromPartial({ name: 'clerk', permissions: ['conversations:read'] }) });
  plain(Authorization.listRoles, {});
  plain(Authorization.getAuthorizationStatistics, {});
  plain(Authorization.deleteRole, { name: `gone-${run}` });
  plain(Authorization.assignRole, { subject, role: 'developer' });
  plain(Authorization.unassignRole, { subject, role: 'manager' });
  plain(Authorization.listAssignments, {});
  plain(Authorization.putGrant, { subject, permission: 'conversations:write', effect: Effect.EFFECT_ALLOW });
  plain(Authorization.deleteGrant, { grantId: supplies.grantId });
  plain(Authorization.listGrants, {});
  plain(Authorization.putGroup, { group: Group.fromPartial({ name: 'crew' }) });
  plain(Authorization.deleteGroup, { group: `gone-${run}` });
  plain(Authorization.listGroups, {});
  plain(Authorization.addGroupMembers, { group: 'standing', members: [subject] });
  plain(Authorization.removeGroupMembers, { group: 'standing', members: [subject] });
  plain(Authorization.listGroupMembers, { group: 'standing' });
  const expiresAt = { seconds: Math.floor(Date.now() / 1000) + 86_400, nanos: 0 };
  plain(Authorization.putDelegation, { grantee: subject, permissions: ['conversations:read'], expiresAt });
  plain(Authorization.listDelegations, {});
  plain(Authorization.deleteDelegation, { delegationId: supplies.delegationId });
  plain(Authorization.setClearance, { subject, clearance: 'internal' });
  plain(Authorization.getUserPermissions, {});
  // Of those who can, the rights are in memory afterwards: nobody who is cold may be among them.
  plain(Authorization.listSubjects, { action: 'billing', resource: Resource.fromPartial({ type: 'admin' }), subjectType: 'user' });
  const sources = [{ name: 'policy.json', content: policyText(`outage-${run}`) }];
  plain(Authorization.validatePolicies, { sources });
  plain(Authorization.applyPolicies, { sources });
  plain(Authorization.activatePolicies, { version: supplies.draft, discard: true });
  plain(Authorization.rollbackPolicies, { version: 0, dryRun: true });
  plain(Authorization.listPolicies, {});
  plain(Authorization.getPolicy, { name: `gone-${run}` });
  plain(Authorization.listPolicyVersions, {});
  plain(Authorization.explainDecision, { decisionId: supplies.decisionId });
  plain(Authorization.replayPolicies, { sources });
  const principal = { $case: 'subject', value: Subject.fromPartial({ type: 'user', id: warm.userId }) } as const;
  plain(Authorization.enforceDataAccess, { principal, action: 'read', resourceType: 'conversations' });
  plain(Authorization.putResources, { resources: [Resource.fromPartial({ type: 'conversations', id: `outage-${run}` })] });
  plain(Authorization.listResources, { principal, action: 'read', resourceType: 'conversations' });
  plain(Authorization.deleteResources, { resourceType: 'conversations', resourceIds: [`outage-${run}`] });

  plain(Encryption.createKey, { name: `new-${run}` });
  plain(Encryption.listKeys, {});
  plain(Encryption.getKey, { keyName: warm.keyName });
  plain(Encryption.rotateKey, { keyName: 'key-rotated' });
  plain(Encryption.disableKey, { keyName: 'key-switched' });
  plain(Encryption.enableKey, { keyName: 'key-switched' });

  row(Certificates.renewServiceCert, '', { generateKey }, undefined, { caller: workloads.warm });
  plain(Certificates.revokeCertificate, { serialNumber: supplies.serialNumber });
  plain(Certificates.listCertificates, {});
  open(Certificates.getTrustBundle, {});
  plain(Certificates.createJoinToken, { namespace: 'default', service: 'billing' });
  plain(Audit.searchEvents, { pageSize: 1 });

  row(Health.check, '', { service: '' }, ({ status }) => (status === Serving.SERVING ? 'SERVING' : 'NOT_SERVING'), {
    bearer: '',
  });
  for (const path of ['/livez', '/readyz'])
    rows.set(`GET ${path}`, async () => {
      const began = performance.now();
      const answer = await fetch(`${probes}${path}`);
      await answer.arrayBuffer();
      return { said: String(answer.status), milliseconds: performance.now() - began };
    });
  const keys = '/.well-known/jwks.json';
  rows.set(`GET ${keys}`, async () => {
    const began = performance.now();
    const status = await new Promise<number | undefined>((resolve, reject) => {
      get(`${https}${keys}`, { ca }, (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      }).on('error', reject);
    });
    return { said: String(status), milliseconds: performance.now() - began };
  });
  return rows;
};
