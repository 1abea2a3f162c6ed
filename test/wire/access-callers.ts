// The six kinds of caller of the access matrix on one built hub with TLS, each with the credential its kind has.
import { credentials } from '@grpc/grpc-js';
import type { JsonObject } from '@bufbuild/protobuf';
import { freshDatabase, redisUrl } from '../harness.ts';
import { type Environment, hubHome, startHub } from '../hub-process.ts';
import { type JsonClient, openJsonClient, type Outcome } from './json-client.ts';

export const CALLERS = ['anonymous', 'user', 'workload', 'api_key', 'foreign', 'admin'] as const;
export type CallerName = (typeof CALLERS)[number];

export const PASSWORD = 'Corr3ct-horse battery!';
export const NAMESPACE = 'default';

/** What a workload of the company may do: the calls of its work, encryption with keys of its own, itself as its name. */
const BILLING = {
  namespace: NAMESPACE,
  name: 'billing',
  audiences: ['security-hub'],
  resourceTypes: ['conversations'],
  calls: ['ValidateToken', 'CheckPermission', 'BatchCheck', 'EnforceDataAccess', 'Encrypt', 'Decrypt', 'IssueServiceCert'],
  permissions: ['encryption_key:encrypt', 'encryption_key:decrypt'],
};

const KEY_PERMISSIONS = ['authz:check', 'encryption_key:encrypt', 'conversations:read'];

export interface World {
  /** As that caller. */
  call(caller: CallerName, rpc: string, request: JsonObject): Promise<Outcome>;
  /** As the administrator of dev, who must succeed: throw-away objects are made with it. */
  make(rpc: string, request: JsonObject): Promise<JsonObject>;
  /** As the administrator of acme, who must succeed. */
  makeAbroad(rpc: string, request: JsonObject): Promise<JsonObject>;
  /** As anybody with a token or an API key. */
  as(bearer: string): (rpc: string, request: JsonObject) => Promise<Outcome>;
  /** Over mTLS with that certificate. */
  mtls(issued: JsonObject): JsonClient;
  /** A user of dev nobody else uses: its id. */
  newUser(name: string): Promise<string>;
  /** A session of the plain user that no caller of the matrix uses. */
  newSession(): Promise<JsonObject>;
  /** The plain user of dev. */
  readonly userId: string;
  close(): Promise<void>;
}

export const text = (value: unknown): string => {
  if (typeof value !== 'string') throw new Error(`expected text, got ${JSON.stringify(value)}`);
  return value;
};
export const object = (value: unknown): JsonObject => {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error(`expected an object, got ${JSON.stringify(value)}`);
  return value as JsonObject;
};

/** Before anybody is trusted: the roots, over a connection that proves nothing yet. */
const fetchRoots = async (address: string): Promise<Buffer> => {
  const stranger = openJsonClient(address, credentials.createSsl(null, null, null, { rejectUnauthorized: false }));
  try {
    const { trustBundlePem } = await stranger.ask('securityhub.v1.CertificateService/GetTrustBundle', {});
    return Buffer.from(text(trustBundlePem));
  } finally {
    stranger.close();
  }
};

export const createWorld = async (env: Environment = {}): Promise<World> => {
  const database = await freshDatabase();
  const home = hubHome();
  const hub = await startHub({
    ...home.env,
    POSTGRES_URI: database.uri,
    REDIS_URL: redisUrl(),
    // Test files run beside each other: the news of another database is not for this one.
    REDIS_PREFIX: `${new URL(database.uri).pathname.slice(1)}:`,
    TLS: 'on',
    ...env,
  });
  const { access_token: adminToken } = hub.bootstrap();
  const roots = await fetchRoots(hub.grpc);
  const open: JsonClient[] = [];
  const client = (...pair: [] | [Buffer, Buffer]): JsonClient => {
    const opened = openJsonClient(hub.grpc, credentials.createSsl(roots, ...pair));
    open.push(opened);
    return opened;
  };
  const mtls = ({ privateKeyPem, certificatePem }: JsonObject): JsonClient =>
    client(Buffer.from(text(privateKeyPem)), Buffer.from(text(certificatePem)));

  const plain = client();
  const make = (rpc: string, request: JsonObject): Promise<JsonObject> => plain.ask(rpc, request, adminToken);
  const logIn = async (tenantId: string, username: string): Promise<JsonObject> =>
    object((await plain.ask('securityhub.v1.AuthenticationService/Login', { tenantId, username, password: PASSWORD }))['tokens']);

  const { user } = await make('securityhub.v1.UserService/CreateUser', { username: 'mia', password: PASSWORD, roles: ['member'] });
  const userToken = text((await logIn('dev', 'mia'))['accessToken']);

  const { secret } = await make('securityhub.v1.ApiKeyService/CreateApiKey', { name: 'service', permissions: KEY_PERMISSIONS });

  await make('securityhub.v1.TenantService/CreateTenant', { id: 'acme', namespaces: ['acme'] });
  await make('securityhub.v1.UserService/CreateUser', { tenantId: 'acme', username: 'eve', password: PASSWORD, roles: ['owner', 'admin'] });
  const foreignToken = text((await logIn('acme', 'eve'))['accessToken']);

  for (const workload of [BILLING, { namespace: NAMESPACE, name: 'payments' }])
    await make('securityhub.v1.WorkloadService/PutWorkload', { workload });
  const wish = { namespace: NAMESPACE, service: 'billing', generateKey: {} };
  const billingCertificate = await make('securityhub.v1.SecurityHub/IssueServiceCert', wish);
  const billing = mtls(billingCertificate);

  const as: World['as'] = (bearer) => (rpc, request) => plain.call(rpc, request, bearer);
  const callers: Readonly<Record<CallerName, (rpc: string, request: JsonObject) => Promise<Outcome>>> = {
    anonymous: as(''),
    user: as(userToken),
    workload: (rpc, request) => billing.call(rpc, request),
    api_key: as(text(secret)),
    foreign: as(foreignToken),
    admin: as(adminToken),
  };

  return {
    call: (caller, rpc, request) => callers[caller](rpc, request),
    make,
    makeAbroad: (rpc, request) => plain.ask(rpc, request, foreignToken),
    as,
    mtls,
    async newUser(username) {
      const made = await make('securityhub.v1.UserService/CreateUser', { username });
      return text(object(made['user'])['id']);
    },
    newSession: () => logIn('dev', 'mia'),
    userId: text(object(user)['id']),
    async close() {
      for (const one of open) one.close();
      await hub.stop();
      await database.close();
    },
  };
};
