// A built hub with a signing key that the test holds too, and clients of it: one that asks, one that judges.
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Client, createClient } from '../../src/client/client.ts';
import type { ClientOptions } from '../../src/client/options.ts';
import type { Tokens } from '../../src/gen/securityhub/v1/token.ts';
import { freshDatabase, redisUrl, waitFor } from '../harness.ts';
import { type Bootstrap, type Environment, type HubProcess, hubHome, startHub } from '../hub-process.ts';

const PASSWORD = 'Corr3ct-horse battery!';

export interface World {
  readonly hub: HubProcess;
  readonly env: Environment;
  readonly bootstrap: Bootstrap;
  readonly signingKey: KeyObject;
  /** As the administrator of dev; closed with the world. */
  client(options?: Partial<ClientOptions>): Client;
  /** Local mode that has heard everything. */
  local(options?: Partial<ClientOptions>): Promise<Client>;
  /** A session of a plain user of dev that nobody else uses. */
  login(): Promise<Tokens & { readonly userId: string }>;
  close(): Promise<void>;
}

export const claimsOf = (token: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>;

export const heard = (client: Client): Promise<void> => waitFor(() => client.localState()?.obstacle === null, 15_000, 'local mode');

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
  const hub = await startHub(env);
  const bootstrap = hub.bootstrap();
  const open: Client[] = [];
  const client: World['client'] = (options = {}) => {
    const made = createClient({ address: hub.grpc, credential: bootstrap.access_token, ...options });
    open.push(made);
    return made;
  };
  const admin = client();
  let users = 0;
  return {
    hub,
    env,
    bootstrap,
    signingKey: privateKey,
    client,
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
