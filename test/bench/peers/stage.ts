// A hub in production configuration with a tenant that tables are filled for, before it starts.
import pg from 'pg';
import type { HubProcess } from '../../hub-process.ts';
import { type Caller, openCaller } from '../driver.ts';
import { startHub, type Stores } from '../processes.ts';
import { login, type Setting } from '../rows.ts';

export type Statement = readonly [string, readonly unknown[]];

export interface Stage {
  readonly tenantId: string;
  readonly production: Readonly<Record<string, string>>;
  readonly setting: Omit<Setting, 'grpc'>;
  fill(statements: readonly Statement[]): Promise<void>;
}

export const openStage = async (stores: Stores): Promise<Stage> => {
  const first = await startHub({ ...stores.env, NODE_ENV: 'development' });
  await first.stop();
  const { tenant_id: tenantId, username, password } = first.bootstrap();
  return {
    tenantId,
    production: { ...stores.env, NODE_ENV: 'production', ACCESS_TOKEN_MINUTES: '60', TLS: 'off' },
    setting: { tenantId, username, password },
    async fill(statements) {
      const client = new pg.Client({ connectionString: stores.env['MIGRATION_POSTGRES_URI'] });
      await client.connect();
      for (const [text, values] of statements) await client.query(text, [...values]);
      await client.end();
    },
  };
};

export interface Playing {
  readonly hub: HubProcess;
  readonly caller: Caller;
  readonly token: string;
  readonly headers: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

export const play = async ({ production, setting }: Stage): Promise<Playing> => {
  const hub = await startHub(production);
  const caller = await openCaller(hub.grpc);
  const { accessToken: token } = await login(caller, { ...setting, grpc: hub.grpc });
  return {
    hub,
    caller,
    token,
    headers: { authorization: `Bearer ${token}` },
    async stop() {
      caller.close();
      await hub.stop();
    },
  };
};
