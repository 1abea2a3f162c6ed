// Two tenants on a built hub, as an attacker finds them: each with an owner who logged in, spoken to as JSON.
import { expect } from '@jest/globals';
import { freshDatabase, redisUrl } from '../harness.ts';
import { type Environment, type HubProcess, hubHome, startHub } from '../hub-process.ts';

export interface Answer {
  readonly status: number;
  // Whatever a method answers, or google.rpc.Status.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any;
}

export type Say = (method: string, request: object) => Promise<Answer>;

export const sayTo =
  (http: string, token: string): Say =>
  async (method, request) => {
    const answer = await fetch(`${http}/securityhub.v1.${method}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(token === '' ? {} : { authorization: `Bearer ${token}` }) },
      body: JSON.stringify(request),
    });
    return { status: answer.status, body: await answer.json() };
  };

/** The stable reason of a refusal. */
export const reasonOf = ({ body }: Answer): string =>
  (body.details as { reason?: string }[] | undefined)?.find((detail) => detail.reason !== undefined)?.reason ?? '';

export const PASSWORD = 'correct-horse-battery-9';

export interface World {
  readonly hub: HubProcess;
  readonly db: Awaited<ReturnType<typeof freshDatabase>>;
  /** Runs the installation. */
  readonly operator: Say;
  readonly anonymous: Say;
  /** Owner of the tenant `evil`, whose namespace is `evil-ns`. */
  readonly evil: Say;
  /** Owner of the tenant `victim`, whose namespace is `victim-ns`. */
  readonly victim: Say;
  login(tenant: string, username: string): Promise<Say>;
  /** A user of the tenant with these roles, logged in. */
  user(by: Say, tenant: string, username: string, roles: readonly string[]): Promise<{ readonly id: string; readonly say: Say }>;
  stop(): Promise<void>;
}

const done = (answer: Answer): Answer => {
  expect(answer).toMatchObject({ status: 200 });
  return answer;
};

export const createWorld = async (env: Environment = {}): Promise<World> => {
  const db = await freshDatabase();
  const hub = await startHub({ ...hubHome().env, POSTGRES_URI: db.uri, REDIS_URL: redisUrl(), ...env });
  const operator = sayTo(hub.http, hub.bootstrap().api_key);
  const anonymous = sayTo(hub.http, '');
  const login = async (tenant: string, username: string): Promise<Say> => {
    const { body } = done(await anonymous('AuthenticationService/Login', { tenantId: tenant, username, password: PASSWORD }));
    return sayTo(hub.http, body.tokens.accessToken);
  };
  const user: World['user'] = async (by, tenant, username, roles) => {
    const { body } = done(await by('UserService/CreateUser', { tenantId: tenant, username, password: PASSWORD, roles }));
    return { id: body.user.id, say: await login(tenant, username) };
  };
  const owner = async (tenant: string): Promise<Say> => {
    done(await operator('TenantService/CreateTenant', { id: tenant, namespaces: [`${tenant}-ns`] }));
    return (await user(operator, tenant, 'boss', ['owner'])).say;
  };
  const [evil, victim] = [await owner('evil'), await owner('victim')];
  const stop = async (): Promise<void> => {
    await hub.stop();
    await db.close();
  };
  return { hub, db, operator, anonymous, evil, victim, login, user, stop };
};
