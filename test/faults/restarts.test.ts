// kill -9 of the hub and of its database, a flushed Redis, restarts: what was acknowledged stands. Revoked stays revoked, encrypted opens.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ApiKeyServiceService as ApiKeys } from '../../src/gen/securityhub/v1/api_key.ts';
import { AuthenticationServiceService as Authentication } from '../../src/gen/securityhub/v1/authentication.ts';
import { CertificateServiceService as Certificates } from '../../src/gen/securityhub/v1/certificate.ts';
import { SecurityHubService as Hub } from '../../src/gen/securityhub/v1/security_hub.ts';
import { type Tokens, TokenServiceService as TokenService } from '../../src/gen/securityhub/v1/token.ts';
import { UserServiceService as Users } from '../../src/gen/securityhub/v1/user.ts';
import { waitFor } from '../harness.ts';
import { type Environment, type HubProcess, hubHome, startHub } from '../hub-process.ts';
import { freePort } from '../stores.ts';
import { type Caller, openCaller, report } from './caller.ts';
import { type OwnPostgres, type OwnRedis, startOwnPostgres, startOwnRedis } from './own-stores.ts';

const PASSWORD = 'correct-horse-battery-1';
const WORKERS = 4;

let postgres: OwnPostgres;
let redis: OwnRedis;
let env: Environment;
let hub: HubProcess | null = null;
let caller: Caller;

/** What the hub has answered OK; what it was asked and never answered is nobody's. */
interface Acknowledged {
  /** Access tokens whose token, family or session was revoked. */
  readonly revoked: string[];
  /** Refresh tokens of them. */
  readonly dead: string[];
  readonly revokedKeys: string[];
  readonly encrypted: { readonly plaintext: string; readonly ciphertext: Buffer }[];
  /** The newest tokens of sessions that nobody ended, and sessions of which a refresh was under way. */
  readonly living: Map<string, Tokens>;
}
const acknowledged: Acknowledged = { revoked: [], dead: [], revokedKeys: [], encrypted: [], living: new Map() };

beforeAll(async () => {
  [postgres, redis] = await Promise.all([startOwnPostgres(), startOwnRedis()]);
  // The same ports each time, so that callers find it again.
  const [grpcPort, httpPort] = [await freePort(), await freePort()];
  env = { ...hubHome().env, POSTGRES_URI: postgres.uri, REDIS_URL: redis.uri, GRPC_PORT: String(grpcPort), HTTP_PORT: String(httpPort) };
  hub = await startHub(env);
  caller = openCaller(hub.grpc, hub.bootstrap().api_key);
  for (let at = 0; at < WORKERS; at += 1)
    await caller.ask(Users.createUser, { username: `user-${at}`, password: PASSWORD, roles: ['member'] });
}, 30_000);

afterAll(async () => {
  caller?.close();
  await hub?.stop();
  await Promise.all([postgres?.stop(), redis?.stop()]);
});

let count = 0;
const next = (): number => (count += 1);

/** One session's life: login, a refresh, an encryption, an API key, and for two of three its end. Throws where the hub does not answer. */
const live = async (worker: number): Promise<void> => {
  const { tokens } = await caller.ask(Authentication.login, { tenantId: 'dev', username: `user-${worker}`, password: PASSWORD }, '');
  if (tokens === undefined) throw new Error('a login without tokens');
  const refreshed = (await caller.ask(TokenService.refreshToken, { refreshToken: tokens.refreshToken }, '')).tokens;
  if (refreshed === undefined) throw new Error('a refresh without tokens');
  const plaintext = `text ${next()}`;
  const { ciphertext } = await caller.ask(Hub.encrypt, { plaintext: Buffer.from(plaintext), keyName: '' });
  acknowledged.encrypted.push({ plaintext, ciphertext });
  const { apiKey, secret } = await caller.ask(ApiKeys.createApiKey, { name: `key-${next()}`, permissions: ['conversations:read'] });
  const end = next() % 3;
  if (end === 0) {
    acknowledged.living.set(refreshed.sessionId, refreshed);
    return;
  }
  await (end === 1
    ? caller.ask(TokenService.revokeToken, { token: refreshed.accessToken })
    : caller.ask(Authentication.logout, { refreshToken: refreshed.refreshToken }, ''));
  acknowledged.revoked.push(tokens.accessToken, refreshed.accessToken);
  acknowledged.dead.push(tokens.refreshToken, refreshed.refreshToken);
  await caller.ask(ApiKeys.revokeApiKey, { apiKeyId: apiKey?.id ?? '' });
  acknowledged.revokedKeys.push(secret);
};

interface Load {
  /** Sessions that came to their end since the load began. */
  readonly done: number;
  stop(): Promise<void>;
}

const startLoad = (): Load => {
  let over = false;
  let done = 0;
  const work = async (worker: number): Promise<void> => {
    while (!over) {
      try {
        await live(worker);
        done += 1;
      } catch {
        // Killed under it: what was not answered is not counted.
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  };
  const running = Promise.all(Array.from({ length: WORKERS }, (_, worker) => work(worker)));
  return {
    get done() {
      return done;
    },
    async stop() {
      over = true;
      await running;
    },
  };
};

const inBatches = async <T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> => {
  for (let at = 0; at < items.length; at += 20) await Promise.all(items.slice(at, at + 20).map(work));
};

/** Everything that was ever acknowledged, asked of the hub as it is now. */
const everythingStands = async (): Promise<void> => {
  const wrong: string[] = [];
  await inBatches([...acknowledged.revoked, ...acknowledged.revokedKeys], async (token) => {
    if ((await caller.ask(Hub.validateToken, { token })).valid) wrong.push(`revoked and valid: ${token.slice(-12)}`);
  });
  await inBatches(acknowledged.dead, async (refreshToken) => {
    const { code } = await caller.tell(TokenService.refreshToken, { refreshToken }, '');
    if (code !== 'UNAUTHENTICATED') wrong.push(`dead and refreshed: ${code} ${refreshToken.slice(-12)}`);
  });
  await inBatches(acknowledged.encrypted, async ({ plaintext, ciphertext }) => {
    const said = await caller.tell(Hub.decrypt, { ciphertext });
    if (said.answer?.plaintext.toString() !== plaintext) wrong.push(`encrypted and lost: ${said.code} ${said.reason}`);
  });
  // And nothing more than that was lost: sessions that nobody ended go on.
  await inBatches([...acknowledged.living.values()], async (tokens) => {
    if (!(await caller.ask(Hub.validateToken, { token: tokens.accessToken })).valid) wrong.push('living and refused');
    const said = await caller.tell(TokenService.refreshToken, { refreshToken: tokens.refreshToken }, '');
    if (said.answer?.tokens === undefined) wrong.push(`living and not refreshed: ${said.code} ${said.reason}`);
    else acknowledged.living.set(tokens.sessionId, said.answer.tokens);
  });
  expect(wrong).toEqual([]);
};

const killHub = async (): Promise<void> => {
  await hub?.stop('SIGKILL');
};
const startAgain = async (): Promise<void> => {
  hub = await startHub(env);
};
const restartPostgres = async (): Promise<void> => {
  await postgres.kill();
  await postgres.restart();
};

const reads = async (): Promise<boolean> => (await caller.tell(Certificates.listCertificates, {})).code === 'OK';

describe('what was acknowledged stands', () => {
  it.each([
    ['the hub is killed', async () => [await killHub(), await startAgain()]],
    ['the hub is killed and Redis is flushed', async () => [await killHub(), await redis.flush(), await startAgain()]],
    ['Redis is flushed under the hub', async () => redis.flush()],
    ['the hub is killed and starts while Redis is dead', async () => [await Promise.all([killHub(), redis.kill()]), await startAgain()]],
    ['Redis is killed and comes back empty', async () => [await redis.kill(), await redis.restart()]],
    ['Postgres is killed under the hub', async () => restartPostgres()],
    ['Postgres and the hub are killed together', async () => [await Promise.all([killHub(), restartPostgres()]), await startAgain()]],
    ['the hub is restarted', async () => [await hub?.stop(), await startAgain()]],
    ['all three are killed', async () => [await Promise.all([killHub(), restartPostgres(), redis.restart()]), await startAgain()]],
  ] as const)(
    'when %s under load',
    async (_what, happen) => {
      const load = startLoad();
      await waitFor(() => load.done >= 12, 20_000, 'sessions coming and going');
      // At whatever point they are.
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 100));
      await happen();
      await waitFor(reads, 10_000, 'an answer afterwards');
      const then = load.done;
      await waitFor(() => load.done > then + WORKERS, 20_000, 'sessions after it');
      await load.stop();
      await everythingStands();
    },
    60_000,
  );

  it('in numbers', () => {
    const { revoked, dead, revokedKeys, encrypted, living } = acknowledged;
    report(
      `${revoked.length} revoked access tokens, ${dead.length} dead refresh tokens, ${revokedKeys.length} revoked API keys, ${encrypted.length} ciphertexts, ${living.size} living sessions: all as acknowledged`,
    );
    for (const some of [revoked.length, dead.length, revokedKeys.length, encrypted.length, living.size]) expect(some).toBeGreaterThan(0);
  });
});
