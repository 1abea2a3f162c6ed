// A built hub with a signing key that the test holds too, and clients of it: one that asks, one that judges.
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { credentials } from '@grpc/grpc-js';
import { type Client, createClient } from '../../src/client/client.ts';
import type { ClientOptions } from '../../src/client/options.ts';
import type { Tokens } from '../../src/gen/securityhub/v1/token.ts';
import { freshDatabase, redisUrl, waitFor } from '../harness.ts';
import { text } from '../wire/access-callers.ts';
import { openJsonClient } from '../wire/json-client.ts';
import { type Bootstrap, type Environment, type HubProcess, hubHome, startHub } from '../hub-process.ts';

const PASSWORD = 'Corr3ct-horse battery!';

export interface World {
  readonly hub: HubProcess;
  readonly bootstrap: Bootstrap;
  readonly signingKey: KeyObject;
  /** As the administrator of dev, like all that say nothing else. */
  readonly admin: Client;
  /** Closed with the world. */
  client(options?: Partial<ClientOptions>): Client;
  /** Without a credential of its own. */
  anonymous(options: Partial<ClientOptions>): Client;
  /** The hub again, where it was, after it was stopped. */
  restart(): Promise<void>;
  /** Local mode that has heard everything. */
  local(options?: Partial<ClientOptions>): Promise<Client>;
  /** A session of a plain user of dev that nobody else uses. */
  login(): Promise<Tokens & { readonly userId: string }>;
  close(): Promise<void>;
}

export const claimsOf = (token: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>;

export const heard = (client: Client): Promise<void> => waitFor(() => client.localState()?.obstacle === null, 15_000, 'local mode');

/** Before anybody is trusted: the roots, over a connection that proves nothing yet. */
const rootsOf = async ({ grpc, dataDir }: HubProcess): Promise<string> => {
  const stranger = openJsonClient(grpc, credentials.createSsl(null, null, null, { rejectUnauthorized: false }));
  const { trustBundlePem } = await stranger.ask('securityhub.v1.CertificateService/GetTrustBundle', {});
  stranger.close();
  const path = join(dataDir, 'roots.pem');
  writeFileSync(path, text(trustBundlePem));
  return path;
};

export const createWorld = async (more: Environment = {}): Promise<World> => {
  const database = await freshDatabase();
  const home = hubHome();
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const keyPath = join(home.dataDir, 'jwt.pem');
  writeFileSync(keyPath, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  const env = {
    ...home.env,
    POSTGRES_URI: database.uri,
    REDIS_URL: redisUrl(),
    REDIS_PREFIX: `${home.dataDir.slice(-6)}:`,
    JWT_PRIVATE_KEY_PATH: keyPath,
    JWT_ISSUER: 'https://hub.test',
    ...more,
  };
  const first = await startHub(env);
  let hub = first;
  const bootstrap = hub.bootstrap();
  const tls = more['TLS'] === 'on' ? { tls: { ca: await rootsOf(hub), serverName: 'localhost' } } : {};
  const open: Client[] = [];
  const anonymous: World['anonymous'] = (options) => {
    const { tls: own } = options;
    const named = own === undefined || own === false ? {} : { tls: { serverName: 'localhost', ...own } };
    const made = createClient({ address: hub.grpc, ...tls, ...options, ...named });
    open.push(made);
    return made;
  };
  const client: World['client'] = (options = {}) => anonymous({ credential: bootstrap.access_token, ...options });
  const admin = client();
  let users = 0;
  return {
    get hub() {
      return hub;
    },
    async restart() {
      const port = (address: string): string => address.slice(address.lastIndexOf(':') + 1);
      hub = await startHub({ ...env, GRPC_PORT: port(first.grpc) });
    },
    bootstrap,
    signingKey: privateKey,
    admin,
    client,
    anonymous,
    async local(options = {}) {
      const made = client({ local: {}, ...options });
      await heard(made);
      return made;
    },
    async login() {
      users += 1;
      const username = `user-${users}`;
      const { user } = await admin.user.createUser({ username, password: PASSWORD, roles: ['member'] });
      const { tokens } = await admin.authentication.login({ tenantId: bootstrap.tenant_id, username, password: PASSWORD });
      if (tokens === undefined) throw new Error('the login gave no tokens');
      return { ...tokens, userId: user?.id ?? '' };
    },
    async close() {
      await Promise.all(open.map((one) => one.close()));
      await hub.stop();
      await database.close();
    },
  };
};
