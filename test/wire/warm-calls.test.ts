// What a warm verdict costs the stores: nothing. Counted in the built server, where each command is given on behalf of a call or of none,
// and on its wires, less what it says in an idle time as long.
import { join } from 'node:path';
import { Client, credentials, Metadata } from '@grpc/grpc-js';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ApiKeyServiceService as ApiKeys } from '../../src/gen/securityhub/v1/api_key.ts';
import { AuthenticationServiceService as Authentication, LoginRequest } from '../../src/gen/securityhub/v1/authentication.ts';
import { Resource } from '../../src/gen/securityhub/v1/authorization.ts';
import { CheckPermissionRequest, SecurityHubService as Hub, ValidateTokenRequest } from '../../src/gen/securityhub/v1/security_hub.ts';
import { UserServiceService as Users } from '../../src/gen/securityhub/v1/user.ts';
import { type Caller, openCaller, report, type Rpc } from '../faults/caller.ts';
import { dpopKey } from '../dpop-key.ts';
import { type FreshDatabase, freshDatabase, redisUrl, waitFor } from '../harness.ts';
import { type HubProcess, hubHome, NODE_OPTIONS, startHub } from '../hub-process.ts';
import { type TcpProxy, tcpProxy, through } from '../storage/tcp-proxy.ts';

const PASSWORD = 'correct-horse-battery-1';
const CALLS = 3000;
/** On the wires: polls and jobs that fall into one window and not into the other; less than one for every hundredth call. */
const ODDS = 30;

interface Counts {
  readonly sql: number;
  readonly redis: number;
}

let database: FreshDatabase;
let hub: HubProcess;
let caller: Caller;
let wires: readonly TcpProxy[] = [];
const said = { sql: 0, redis: 0 };

/** Messages of Postgres' protocol that carry out a statement: a simple query, or the execution of a prepared one. */
const countSql = (chunk: Buffer): void => {
  for (let at = 0; at + 5 <= chunk.length; ) {
    const type = String.fromCharCode(chunk[at] as number);
    const length = chunk.readInt32BE(at + 1);
    // A start-up message has no type, the rest of a long one neither.
    if (length < 4 || at + 1 + length > chunk.length) return;
    if (type === 'Q' || type === 'E') said.sql += 1;
    at += 1 + length;
  }
};
const countRedis = (chunk: Buffer): void => {
  said.redis += chunk.toString('latin1').match(/\*\d+\r\n\$\d+\r\n/g)?.length ?? 0;
};

beforeAll(async () => {
  database = await freshDatabase();
  const proxyOf = (uri: string): Promise<TcpProxy> => tcpProxy(new URL(uri).hostname, Number(new URL(uri).port));
  const [postgres, redis] = await Promise.all([proxyOf(database.uri), proxyOf(redisUrl())]);
  wires = [postgres, redis];
  postgres.watch(countSql);
  redis.watch(countRedis);
  hub = await startHub({
    ...hubHome().env,
    POSTGRES_URI: through(postgres, database.uri),
    REDIS_URL: through(redis, redisUrl()),
    REDIS_PREFIX: prefix(),
    NODE_OPTIONS: `${NODE_OPTIONS} --import ${join(import.meta.dirname, 'store-commands.ts')}`,
  });
  caller = openCaller(hub.grpc, hub.bootstrap().access_token);
}, 30_000);
afterAll(async () => {
  caller?.close();
  await hub?.stop();
  await Promise.all(wires.map((wire) => wire.close()));
  await database?.close();
});

const prefix = (): string => `${new URL(database.uri).pathname.slice(1)}:`;

/** What was said to the stores on behalf of calls of this method, so far. */
const onBehalfOf = (method: string): string[] =>
  [...hub.output().matchAll(/^\[on behalf of (\w+)\] (.*)$/gm)].filter((line) => line[1] === method).map((line) => line[2] ?? '');

const during = async (work: () => Promise<unknown>): Promise<Counts & { readonly length: number }> => {
  const { sql, redis } = said;
  const began = performance.now();
  await work();
  return { sql: said.sql - sql, redis: said.redis - redis, length: performance.now() - began };
};
const pause = (length: number) => () => new Promise((resolve) => setTimeout(resolve, length));

const login = async (username: string): Promise<string> => {
  await caller.ask(Users.createUser, { username, password: PASSWORD, roles: ['member'] });
  const { tokens } = await caller.ask(Authentication.login, { tenantId: 'dev', username, password: PASSWORD }, '');
  return tokens?.accessToken ?? '';
};

const validates = async (token: string): Promise<boolean> => (await caller.ask(Hub.validateToken, { token })).valid;
const checks = async (token: string): Promise<boolean> => {
  const resource = Resource.fromPartial({ type: 'conversations', id: 'c1' });
  const request = CheckPermissionRequest.fromPartial({ principal: { $case: 'token', value: token }, action: 'read', resource });
  return (await caller.ask(Hub.checkPermission, request)).allowed;
};

describe('to the stores', () => {
  it.each([
    ['ValidateToken', validates],
    ['CheckPermission', checks],
  ] as const)(
    `${CALLS} warm calls of %s say nothing`,
    async (name, ask) => {
      const token = await login(`user-of-${name.toLowerCase()}`);
      for (const _ of [1, 2]) expect(await ask(token)).toBe(true);
      // What a call causes is heard: a credential that is not known yet is looked up.
      const { secret } = await caller.ask(ApiKeys.createApiKey, { name, permissions: ['*:*'] });
      expect(await ask(secret)).toBe(true);
      const cold = onBehalfOf(name);
      expect(cold).toContainEqual(expect.stringContaining('FROM api_keys'));
      const beyondIdle = async (): Promise<number> => {
        const warm = await during(async () => {
          for (let done = 0; done < CALLS; done += 50)
            expect(await Promise.all(Array.from({ length: 50 }, () => ask(token)))).toEqual(Array.from({ length: 50 }, () => true));
          // Long enough for polls by both ways.
          await pause(3000)();
        });
        expect(onBehalfOf(name)).toEqual(cold);
        const idle = await during(pause(warm.length));
        report(`${name}: idle ${idle.sql} SQL, ${idle.redis} Redis; ${CALLS} warm calls ${warm.sql} SQL, ${warm.redis} Redis`);
        // The wires are heard: polls come by both.
        expect(Math.min(idle.sql, idle.redis)).toBeGreaterThan(0);
        return Math.max(warm.sql - idle.sql, warm.redis - idle.redis);
      };
      // A job of thirty statements may fall into one window; what calls cause comes again with the next three thousand.
      const first = await beyondIdle();
      expect(first < ODDS ? first : await beyondIdle()).toBeLessThan(ODDS);
    },
    60_000,
  );

  it('a proof of possession says one word each, to Redis', async () => {
    const key = await dpopKey();
    const at = ({ path }: { readonly path: string }): string => `https://${hub.grpc}${path}`;
    const client = new Client(hub.grpc, credentials.createInsecure());
    const send = <Q, S>(rpc: Rpc<Q, S>, request: Q, headers: Readonly<Record<string, string>>): Promise<S> => {
      const metadata = new Metadata();
      for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
      return new Promise((resolve, reject) => {
        const settle = (error: Error | null, answer?: S) => (error === null ? resolve(answer as S) : reject(error));
        client.makeUnaryRequest(rpc.path, rpc.requestSerialize, rpc.responseDeserialize, request, metadata, settle);
      });
    };
    // A memory of proofs takes none that are older than itself.
    const redis = new Redis(redisUrl());
    const marks = () => redis.keys(`${prefix()}{-}born:*`);
    await waitFor(async () => (await marks()).length > 0, 5000, 'the mark of the memory’s birth');
    for (const mark of await marks()) await redis.set(mark, String(Date.now() - 600_000));
    redis.disconnect();
    const asked = LoginRequest.fromPartial({ tenantId: 'dev', username: 'user-of-validatetoken', password: PASSWORD });
    const token = (await send(Authentication.login, asked, { dpop: await key.proof(at(Authentication.login)) })).tokens?.accessToken ?? '';
    const proven = async (): Promise<boolean> => {
      const headers = { authorization: `DPoP ${token}`, dpop: await key.proof(at(Hub.validateToken), token) };
      return (await send(Hub.validateToken, ValidateTokenRequest.fromPartial({ token }), headers)).valid;
    };
    for (const _ of [1, 2]) expect(await proven()).toBe(true);
    const before = onBehalfOf('ValidateToken');
    for (let done = 0; done < 100; done += 1) expect(await proven()).toBe(true);
    client.close();
    expect(onBehalfOf('ValidateToken').slice(before.length)).toEqual(Array.from({ length: 100 }, () => 'Redis eval'));
  });
});
