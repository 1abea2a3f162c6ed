// The client: every call of the hub as a typed promise, over one connection that looks after itself.
import { SERVICES } from '../gen/services.ts';
import { type Calls, callsOf, type Connection } from './calls.ts';
import { openConnection } from './connection.grpc.ts';
import { createLocal } from './local.ts';
import type { ClientOptions, LocalState } from './options.ts';

type Services = typeof SERVICES;
type Others = Exclude<keyof Services, 'securityHub'>;

type AllCalls = Calls<Services['securityHub']['definition']> & {
  readonly [Name in Others]: Calls<Services[Name]['definition']>;
};

/** The six calls directly; those of the other services under the service's name: `client.token.refreshToken(…)`. Every call rejects with a Fault. */
export type Client = AllCalls & {
  /** How local mode is doing; null without it. */
  localState(): LocalState | null;
  /** Lets calls under way finish; streams end. */
  close(): Promise<void>;
};

const servicesOn = (connection: Connection): AllCalls => {
  const all = Object.entries(SERVICES).map(([name, { definition, module }]) => [name, callsOf(connection, definition, module)] as const);
  const { securityHub, ...others } = Object.fromEntries(all);
  return { ...securityHub, ...others } as unknown as AllCalls;
};

/** Connects with the first call, or at once in local mode. Close it when the service ends. */
export const createClient = (options: ClientOptions): Client => {
  const onProblem = (message: string, cause: unknown): void => {
    try {
      options.onProblem?.(message, cause);
    } catch {
      // Telling of a problem must not become one.
    }
  };
  const connection = openConnection({ ...options, onProblem });
  const calls = servicesOn(connection);
  if (options.local === undefined) return { ...calls, localState: () => null, close: () => connection.close() };
  const local = createLocal(
    { token: calls.token, ask: calls.validateToken, bearer: options.credential !== undefined, onProblem },
    options.local,
  );
  connection.onReplaced(() => local.restart());
  return {
    ...calls,
    validateToken: local.validateToken,
    localState: () => local.state(),
    close() {
      local.close();
      return connection.close();
    },
  };
};
