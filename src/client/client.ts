// The client: every call of the hub as a typed promise, over one connection that looks after itself.
import { SERVICES } from '../gen/services.ts';
import { type Calls, callsOf, type Connection } from './calls.ts';
import { openConnection } from './connection.grpc.ts';
import type { ClientOptions } from './options.ts';

type Services = typeof SERVICES;
type Others = Exclude<keyof Services, 'securityHub'>;

/** The six calls directly; those of the other services under the service's name: `client.token.refreshToken(…)`. Every call rejects with a Fault. */
export type Client = Calls<Services['securityHub']['definition']> & {
  readonly [Name in Others]: Calls<Services[Name]['definition']>;
} & {
  /** Lets calls under way finish; streams end. */
  close(): Promise<void>;
};

const servicesOn = (connection: Connection): Client => {
  const all = Object.entries(SERVICES).map(([name, { definition, module }]) => [name, callsOf(connection, definition, module)] as const);
  const { securityHub, ...others } = Object.fromEntries(all);
  return { ...securityHub, ...others } as unknown as Client;
};

/** Connects with the first call. Close it when the process ends, or it keeps the process alive. */
export const createClient = (options: ClientOptions): Client => {
  const connection = openConnection(options);
  return { ...servicesOn(connection), close: () => connection.close() };
};
