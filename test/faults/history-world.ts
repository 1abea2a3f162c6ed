// Replicas for a history: built processes over one database and one Redis, each with wires of its own that can be cut.
import { type FreshDatabase, freshDatabase } from '../harness.ts';
import { type HubProcess, hubHome, startHub } from '../hub-process.ts';
import { type TcpProxy, tcpProxy, through } from '../storage/tcp-proxy.ts';
import { UserServiceService as Users } from '../../src/gen/securityhub/v1/user.ts';
import { type Caller, openCaller } from './caller.ts';
import type { Bounds } from './history.ts';
import { type OwnRedis, startOwnRedis } from './own-stores.ts';

export const PASSWORD = 'correct-horse-battery-1';
/** The smallest there may be. */
export const CEILING_SECONDS = 15;

/** A poll that hangs gives up after 3 s, the next connection after 2 s; then one poll, once missed. */
export const BOUNDS: Bounds = { ceiling: CEILING_SECONDS * 1000, propagation: 2000, settling: 7000 };

export interface Replica {
  readonly caller: Caller;
  readonly hub: HubProcess;
  readonly postgres: TcpProxy;
  readonly redis: TcpProxy;
}

export interface World {
  readonly replicas: readonly Replica[];
  readonly database: FreshDatabase;
  readonly redis: OwnRedis;
  readonly users: readonly string[];
  stop(): Promise<void>;
}

export interface WorldOptions {
  readonly replicas: number;
  readonly users: number;
  /** Another build than what ships. */
  readonly main?: string;
}

const proxyOf = (uri: string): Promise<TcpProxy> => {
  const url = new URL(uri);
  return tcpProxy(url.hostname, Number(url.port));
};

export const makeWorld = async (options: WorldOptions): Promise<World> => {
  const [database, redis] = await Promise.all([freshDatabase(), startOwnRedis()]);
  const home = hubHome();
  const start = async (bearer: string): Promise<Replica> => {
    const [postgres, cache] = await Promise.all([proxyOf(database.uri), proxyOf(redis.uri)]);
    const env = {
      ...home.env,
      POSTGRES_URI: through(postgres, database.uri),
      REDIS_URL: through(cache, redis.uri),
      FEED_CEILING_SECONDS: String(CEILING_SECONDS),
    };
    const hub = await startHub(env, options.main === undefined ? {} : { main: options.main });
    return { hub, postgres, redis: cache, caller: openCaller(hub.grpc, bearer === '' ? hub.bootstrap().access_token : bearer) };
  };
  const first = await start('');
  const bearer = first.hub.bootstrap().access_token;
  const others = await Promise.all(Array.from({ length: options.replicas - 1 }, () => start(bearer)));
  const replicas = [first, ...others];
  const users = Array.from({ length: options.users }, (_, at) => `user-${at}`);
  for (const username of users) await first.caller.ask(Users.createUser, { username, password: PASSWORD, roles: ['member'] });
  return {
    replicas,
    database,
    redis,
    users,
    async stop() {
      for (const { caller, postgres, redis: cache } of replicas) {
        caller.close();
        for (const wire of [postgres, cache]) {
          wire.thaw();
          wire.mend();
        }
      }
      await Promise.all(replicas.map(({ hub }) => hub.stop()));
      await Promise.all(replicas.flatMap(({ postgres, redis: cache }) => [postgres.close(), cache.close()]));
      await Promise.all([redis.stop(), database.close()]);
    },
  };
};
