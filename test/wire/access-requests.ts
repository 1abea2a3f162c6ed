// For every RPC a request that succeeds for the administrator of dev, about objects nobody else uses: a refusal is about access alone.
import type { JsonObject } from '@bufbuild/protobuf';
import { NAMESPACE, object, PASSWORD, text, type World } from './access-callers.ts';

export interface Given {
  readonly world: World;
  /** In no other cell. */
  readonly unique: string;
  /** `{ tenantId: 'dev' }` for the foreign tenant's administrator, who names what is not its own; {} for everybody else. */
  readonly tenant: { readonly tenantId?: string };
}

type Build = (given: Given) => JsonObject | Promise<JsonObject>;

const V1 = 'securityhub.v1';

const ofTenant: Build = ({ tenant }) => ({ ...tenant });
const nothing: Build = () => ({});
const reflected: Build = () => ({ listServices: '' });

const jti = (accessToken: string): string =>
  text((JSON.parse(Buffer.from(accessToken.split('.')[1] ?? '', 'base64url').toString()) as JsonObject)['jti']);

const newKey = async ({ world, unique }: Given): Promise<string> => {
  const made = await world.make(`${V1}.EncryptionService/CreateKey`, { name: unique });
  return text(object(made['key'])['id']);
};
const newApiKey = async ({ world, unique }: Given): Promise<string> => {
  const made = await world.make(`${V1}.ApiKeyService/CreateApiKey`, { name: unique, permissions: ['conversations:read'] });
  return text(object(made['apiKey'])['id']);
};
const newRole = async ({ world, unique }: Given): Promise<string> => {
  await world.make(`${V1}.AuthorizationService/PutRole`, { role: { name: unique, permissions: ['conversations:read'] } });
  return unique;
};
const policyOf = (name: string): JsonObject => ({
  name: 'policy.json',
  content: JSON.stringify({
    apiVersion: 'securityhub/v1',
    kind: 'PrincipalPolicy',
    metadata: { name },
    spec: {
      principals: ['user:nobody'],
      rules: [{ name: 'no-exports', effect: 'deny', resource: 'conversations', actions: ['export'] }],
    },
  }),
});
const newPolicy = async ({ world, unique }: Given, over: JsonObject = {}): Promise<JsonObject> => {
  const made = await world.make(`${V1}.AuthorizationService/ApplyPolicies`, { sources: [policyOf(unique)], ...over });
  return object(made['version']);
};
const newDecision = async ({ world }: Given): Promise<string> => {
  const check = { action: 'read', resource: { type: 'users' } };
  return text((await world.make(`${V1}.SecurityHub/CheckPermission`, check))['decisionId']);
};
const subject = async ({ world, unique }: Given): Promise<JsonObject> => ({ type: 'user', id: await world.newUser(unique) });
const grantOf = (who: JsonObject): JsonObject => ({ subject: who, permission: 'conversations:export', effect: 'EFFECT_ALLOW' });
const delegationTo = (grantee: JsonObject): JsonObject => ({
  grantee,
  permissions: ['conversations:read'],
  expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
});
const newGroup = async ({ world, unique }: Given): Promise<string> => {
  await world.make(`${V1}.AuthorizationService/PutGroup`, { group: { name: unique } });
  return unique;
};
const newTenant = async ({ world, unique }: Given): Promise<string> => {
  await world.make(`${V1}.TenantService/CreateTenant`, { id: unique });
  return unique;
};

const keyed: Build = async (given) => ({ ...given.tenant, keyId: await newKey(given) });
const user: Build = async (given) => ({ ...given.tenant, userId: await given.world.newUser(given.unique) });
const apiKey: Build = async (given) => ({ ...given.tenant, apiKeyId: await newApiKey(given) });
const aboutTheUser = ({ world, tenant }: Given): JsonObject => ({
  subject: { ...tenant, type: 'user', id: world.userId },
  action: 'read',
  resource: { ...tenant, type: 'conversations', id: 'c1' },
});
const plaintext = Buffer.from('nobody else may read this').toString('base64');

const issuerNamed = (name: string, tenant: JsonObject): JsonObject => ({
  ...tenant,
  name,
  issuer: 'https://issuer.example',
  audiences: ['orders'],
});

const abroad = { tenantId: 'acme' };
const userAbroad = async ({ world, unique }: Given): Promise<JsonObject> => {
  const made = await world.makeAbroad(`${V1}.UserService/CreateUser`, { username: unique });
  return { ...abroad, userId: text(object(made['user'])['id']) };
};
const apiKeyAbroad = async ({ world, unique }: Given): Promise<JsonObject> => {
  const made = await world.makeAbroad(`${V1}.ApiKeyService/CreateApiKey`, { name: unique, permissions: ['conversations:read'] });
  return { ...abroad, apiKeyId: text(object(made['apiKey'])['id']) };
};

/** Keys are `<service>/<method>`, with `: <variant>` where one RPC has several rows. */
export const REQUESTS: Readonly<Record<string, Build>> = {
  'envoy.service.auth.v3.Authorization/Check': async ({ world }) => {
    const headers = { authorization: `Bearer ${text((await world.newSession())['accessToken'])}` };
    return { attributes: { request: { http: { method: 'GET', path: '/conversations/c1', headers } } } };
  },
  'grpc.health.v1.Health/Check': nothing,
  'grpc.health.v1.Health/List': nothing,
  'grpc.health.v1.Health/Watch': nothing,
  'grpc.reflection.v1.ServerReflection/ServerReflectionInfo': reflected,
  'grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo': reflected,

  [`${V1}.SecurityHub/ValidateToken`]: async ({ world }) => ({ token: text((await world.newSession())['accessToken']) }),
  [`${V1}.SecurityHub/CheckPermission`]: aboutTheUser,
  [`${V1}.SecurityHub/CheckPermission: about oneself`]: () => ({ action: 'read', resource: { type: 'conversations', id: 'c1' } }),
  [`${V1}.SecurityHub/BatchCheck`]: (given) => {
    const { subject: who, ...check } = aboutTheUser(given);
    return { ...(who === undefined ? {} : { subject: who }), checks: [check] };
  },
  [`${V1}.SecurityHub/Encrypt`]: ({ tenant }) => ({ plaintext, context: { ...tenant } }),
  [`${V1}.SecurityHub/Encrypt: under a key of the tenant`]: async (given) => ({
    plaintext,
    context: { ...given.tenant },
    keyId: await newKey(given),
  }),
  [`${V1}.SecurityHub/Decrypt`]: async ({ world, tenant }) => {
    const { ciphertext = '' } = await world.make(`${V1}.SecurityHub/Encrypt`, { plaintext });
    return { ciphertext, context: { ...tenant } };
  },
  [`${V1}.SecurityHub/IssueServiceCert`]: ({ tenant }) => ({ ...tenant, namespace: NAMESPACE, service: 'payments', generateKey: {} }),
  [`${V1}.SecurityHub/IssueServiceCert: for billing`]: ({ tenant }) => ({
    ...tenant,
    namespace: NAMESPACE,
    service: 'billing',
    generateKey: {},
  }),
  [`${V1}.SecurityHub/IssueServiceCert: with a join token`]: async ({ world, tenant }) => {
    const join = await world.make(`${V1}.CertificateService/CreateJoinToken`, { namespace: NAMESPACE, service: 'payments' });
    return { ...tenant, generateKey: {}, attestation: { joinToken: text(join['joinToken']) } };
  },

  [`${V1}.AuthenticationService/Login`]: () => ({ tenantId: 'dev', username: 'mia', password: PASSWORD }),
  [`${V1}.AuthenticationService/Logout`]: async ({ world }) => ({ refreshToken: text((await world.newSession())['refreshToken']) }),

  [`${V1}.TokenService/RefreshToken`]: async ({ world }) => ({ refreshToken: text((await world.newSession())['refreshToken']) }),
  [`${V1}.TokenService/ExchangeToken`]: async ({ world }) => ({ subjectToken: text((await world.newSession())['accessToken']) }),
  [`${V1}.TokenService/RevokeToken`]: async ({ world, tenant, unique }) => {
    // Of another user than the caller.
    const userId = await world.newUser(unique);
    await world.make(`${V1}.UserService/SetPassword`, { userId, newPassword: PASSWORD });
    const login = { tenantId: 'dev', username: unique, password: PASSWORD };
    const { answer } = await world.call('anonymous', `${V1}.AuthenticationService/Login`, login);
    return { ...tenant, tokenId: jti(text(object(answer['tokens'])['accessToken'])), scope: 'token' };
  },
  [`${V1}.TokenService/RevokeToken: shown by its holder`]: async ({ world, tenant }) => ({
    ...tenant,
    token: text((await world.newSession())['accessToken']),
  }),
  [`${V1}.TokenService/RevokeSession: of the user`]: async ({ world, tenant }) => ({
    ...tenant,
    sessionId: text((await world.newSession())['sessionId']),
  }),
  [`${V1}.TokenService/ListSessions`]: user,
  [`${V1}.TokenService/ListSessions: of oneself`]: ofTenant,
  [`${V1}.TokenService/GetSessionStatistics`]: ofTenant,
  [`${V1}.TokenService/RevokeUser`]: user,
  [`${V1}.TokenService/RevokeClient`]: ({ tenant }) => ({ ...tenant, clientId: 'default/billing' }),
  [`${V1}.TokenService/GetJwks`]: nothing,
  [`${V1}.TokenService/WatchRevocations`]: nothing,
  [`${V1}.TokenService/WatchRevocations: of dev`]: () => ({ tenantIds: ['dev'] }),
  [`${V1}.TokenService/GetChangeHead`]: nothing,
  [`${V1}.TokenService/WatchKeys`]: nothing,
  [`${V1}.TokenService/ListSigningKeys`]: nothing,
  [`${V1}.TokenService/RotateSigningKey`]: nothing,
  [`${V1}.TokenService/RevokeSigningKey`]: async ({ world }) => {
    // The one that is next: those who ask go on being believed.
    const made = await world.make(`${V1}.TokenService/RotateSigningKey`, {});
    return { kid: text(object(made['next'])['kid']) };
  },

  [`${V1}.TenantService/CreateTenant`]: ({ unique }) => ({ id: unique }),
  [`${V1}.TenantService/GetTenant`]: ofTenant,
  [`${V1}.TenantService/GetTenant: acme`]: () => abroad,
  [`${V1}.TenantService/ListTenants`]: nothing,
  [`${V1}.TenantService/UpdateTenant`]: ofTenant,
  [`${V1}.TenantService/UpdateTenant: acme`]: () => abroad,
  [`${V1}.TenantService/SuspendTenant`]: async (given) => ({ tenantId: given.tenant.tenantId ?? (await newTenant(given)) }),
  [`${V1}.TenantService/ReactivateTenant`]: async (given) => ({ tenantId: given.tenant.tenantId ?? (await newTenant(given)) }),

  [`${V1}.UserService/CreateUser`]: ({ tenant, unique }) => ({ ...tenant, username: unique }),
  [`${V1}.UserService/GetUser`]: user,
  [`${V1}.UserService/GetUser: oneself`]: ofTenant,
  [`${V1}.UserService/GetUser: of acme`]: userAbroad,
  [`${V1}.UserService/ListUsers`]: ofTenant,
  [`${V1}.UserService/ListUsers: of acme`]: () => abroad,
  [`${V1}.UserService/UpdateUser`]: user,
  [`${V1}.UserService/SuspendUser`]: user,
  [`${V1}.UserService/ReactivateUser`]: user,
  [`${V1}.UserService/SetPassword`]: async (given) => ({ ...(await user(given)), newPassword: PASSWORD }),
  [`${V1}.UserService/SetPassword: of acme`]: async (given) => ({ ...(await userAbroad(given)), newPassword: PASSWORD }),

  [`${V1}.WorkloadService/PutWorkload`]: ({ tenant, unique }) => ({ workload: { ...tenant, namespace: NAMESPACE, name: unique } }),
  [`${V1}.WorkloadService/PutWorkload: of acme`]: ({ unique }) => ({ workload: { ...abroad, namespace: 'acme', name: unique } }),
  [`${V1}.WorkloadService/GetWorkload`]: ({ tenant }) => ({ ...tenant, namespace: NAMESPACE, name: 'billing' }),
  [`${V1}.WorkloadService/ListWorkloads`]: ofTenant,
  [`${V1}.WorkloadService/DeleteWorkload`]: async ({ world, tenant, unique }) => {
    await world.make(`${V1}.WorkloadService/PutWorkload`, { workload: { namespace: NAMESPACE, name: unique } });
    return { ...tenant, namespace: NAMESPACE, name: unique };
  },

  [`${V1}.TrustedIssuerService/PutTrustedIssuer`]: ({ tenant, unique }) => ({ issuer: issuerNamed(unique, tenant) }),
  [`${V1}.TrustedIssuerService/PutTrustedIssuer: of acme`]: ({ unique }) => ({ issuer: issuerNamed(unique, abroad) }),
  [`${V1}.TrustedIssuerService/ListTrustedIssuers`]: ofTenant,
  [`${V1}.TrustedIssuerService/DeleteTrustedIssuer`]: async ({ world, tenant, unique }) => {
    await world.make(`${V1}.TrustedIssuerService/PutTrustedIssuer`, { issuer: issuerNamed(unique, {}) });
    return { ...tenant, name: unique };
  },

  [`${V1}.ApiKeyService/CreateApiKey`]: ({ tenant, unique }) => ({ ...tenant, name: unique, permissions: ['conversations:read'] }),
  [`${V1}.ApiKeyService/GetApiKey`]: apiKey,
  [`${V1}.ApiKeyService/GetApiKey: of acme`]: apiKeyAbroad,
  [`${V1}.ApiKeyService/ListApiKeys`]: ofTenant,
  [`${V1}.ApiKeyService/RevokeApiKey`]: apiKey,
  [`${V1}.ApiKeyService/RevokeApiKey: of acme`]: apiKeyAbroad,

  [`${V1}.AuthorizationService/PutResourceType`]: ({ tenant, unique }) => ({
    ...tenant,
    resourceType: { name: unique, actions: ['read'] },
  }),
  [`${V1}.AuthorizationService/ListResourceTypes`]: ofTenant,
  [`${V1}.AuthorizationService/PutRole`]: ({ tenant, unique }) => ({
    ...tenant,
    role: { name: unique, permissions: ['conversations:read'] },
  }),
  [`${V1}.AuthorizationService/ListRoles`]: ofTenant,
  [`${V1}.AuthorizationService/GetAuthorizationStatistics`]: ofTenant,
  [`${V1}.AuthorizationService/DeleteRole`]: async (given) => ({ ...given.tenant, name: await newRole(given) }),
  [`${V1}.AuthorizationService/AssignRole`]: async (given) => ({ ...given.tenant, subject: await subject(given), role: 'viewer' }),
  [`${V1}.AuthorizationService/UnassignRole`]: async (given) => ({ ...given.tenant, subject: await subject(given), role: 'viewer' }),
  [`${V1}.AuthorizationService/ListAssignments`]: ofTenant,
  [`${V1}.AuthorizationService/PutGrant`]: async (given) => ({ ...given.tenant, ...grantOf(await subject(given)) }),
  [`${V1}.AuthorizationService/DeleteGrant`]: async (given) => {
    const { grant } = await given.world.make(`${V1}.AuthorizationService/PutGrant`, grantOf(await subject(given)));
    return { ...given.tenant, grantId: text(object(grant)['id']) };
  },
  [`${V1}.AuthorizationService/ListGrants`]: ofTenant,
  [`${V1}.AuthorizationService/PutGroup`]: ({ tenant, unique }) => ({ ...tenant, group: { name: unique } }),
  [`${V1}.AuthorizationService/DeleteGroup`]: async (given) => ({ ...given.tenant, group: await newGroup(given) }),
  [`${V1}.AuthorizationService/ListGroups`]: ofTenant,
  [`${V1}.AuthorizationService/AddGroupMembers`]: async (given) => ({
    ...given.tenant,
    group: await newGroup(given),
    members: [await subject(given)],
  }),
  [`${V1}.AuthorizationService/RemoveGroupMembers`]: async (given) => ({
    ...given.tenant,
    group: await newGroup(given),
    members: [await subject(given)],
  }),
  [`${V1}.AuthorizationService/ListGroupMembers`]: async (given) => ({ ...given.tenant, group: await newGroup(given) }),
  [`${V1}.AuthorizationService/GetUserPermissions`]: async (given) => ({ ...given.tenant, subject: await subject(given) }),
  [`${V1}.AuthorizationService/GetUserPermissions: oneself`]: ofTenant,
  [`${V1}.AuthorizationService/ListSubjects`]: ({ tenant }) => ({ ...tenant, action: 'read', resource: { type: 'conversations' } }),
  [`${V1}.AuthorizationService/PutDelegation`]: async (given) => ({ ...given.tenant, ...delegationTo(await subject(given)) }),
  [`${V1}.AuthorizationService/ListDelegations`]: ofTenant,
  [`${V1}.AuthorizationService/DeleteDelegation`]: async (given) => {
    const { delegation } = await given.world.make(`${V1}.AuthorizationService/PutDelegation`, delegationTo(await subject(given)));
    return { ...given.tenant, delegationId: text(object(delegation)['id']) };
  },
  [`${V1}.AuthorizationService/SetClearance`]: async (given) => ({ ...given.tenant, subject: await subject(given), clearance: 'internal' }),
  [`${V1}.AuthorizationService/ValidatePolicies`]: ({ tenant, unique }) => ({ ...tenant, sources: [policyOf(unique)] }),
  [`${V1}.AuthorizationService/ApplyPolicies`]: ({ tenant, unique }) => ({ ...tenant, sources: [policyOf(unique)] }),
  [`${V1}.AuthorizationService/ActivatePolicies`]: async (given) => {
    const { version } = await newPolicy(given, { draft: true });
    return { ...given.tenant, version: version ?? '', discard: true };
  },
  [`${V1}.AuthorizationService/RollbackPolicies`]: ({ tenant }) => ({ ...tenant, version: '0', dryRun: true }),
  [`${V1}.AuthorizationService/ListPolicies`]: ofTenant,
  [`${V1}.AuthorizationService/GetPolicy`]: async (given) => {
    await newPolicy(given);
    return { ...given.tenant, name: given.unique };
  },
  [`${V1}.AuthorizationService/ListPolicyVersions`]: ofTenant,
  [`${V1}.AuthorizationService/ExplainDecision`]: async (given) => ({ ...given.tenant, decisionId: await newDecision(given) }),
  [`${V1}.AuthorizationService/ReplayPolicies`]: ({ tenant, unique }) => ({ ...tenant, sources: [policyOf(unique)] }),
  [`${V1}.AuthorizationService/EnforceDataAccess`]: (given) => {
    const { subject: who, action } = aboutTheUser(given);
    return { ...(who === undefined ? {} : { subject: who }), action: action ?? '', resourceType: 'conversations' };
  },
  [`${V1}.AuthorizationService/EnforceDataAccess: about oneself`]: () => ({ action: 'read', resourceType: 'conversations' }),
  [`${V1}.AuthorizationService/PutResources`]: ({ tenant, unique }) => ({ ...tenant, resources: [{ type: 'conversations', id: unique }] }),
  [`${V1}.AuthorizationService/DeleteResources`]: ({ tenant, unique }) => ({
    ...tenant,
    resourceType: 'conversations',
    resourceIds: [unique],
  }),
  [`${V1}.AuthorizationService/ListResources`]: ({ tenant }) => ({ ...tenant, resourceType: 'conversations' }),
  [`${V1}.AuthorizationService/ListResources: about oneself`]: () => ({ action: 'read', resourceType: 'conversations' }),

  [`${V1}.EncryptionService/CreateKey`]: ({ tenant, unique }) => ({ ...tenant, name: unique }),
  [`${V1}.EncryptionService/ListKeys`]: ofTenant,
  [`${V1}.EncryptionService/GetKey`]: keyed,
  [`${V1}.EncryptionService/RotateKey`]: keyed,
  [`${V1}.EncryptionService/DisableKey`]: keyed,
  [`${V1}.EncryptionService/EnableKey`]: keyed,

  [`${V1}.CertificateService/RenewServiceCert`]: () => ({ generateKey: {} }),
  [`${V1}.CertificateService/RevokeCertificate`]: async ({ world, tenant }) => {
    const wish = { namespace: NAMESPACE, service: 'payments', generateKey: {} };
    const { serialNumber } = await world.make(`${V1}.SecurityHub/IssueServiceCert`, wish);
    return { ...tenant, serialNumber: text(serialNumber) };
  },
  [`${V1}.CertificateService/ListCertificates`]: ofTenant,
  [`${V1}.CertificateService/GetTrustBundle`]: nothing,
  [`${V1}.CertificateService/CreateJoinToken`]: ({ tenant }) => ({ ...tenant, namespace: NAMESPACE, service: 'payments' }),

  [`${V1}.AuditService/SearchEvents`]: ofTenant,
};
