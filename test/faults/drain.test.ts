// A replica that is told to leave under load: what it took it answers, and callers with a second replica see no failure at all.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AuthenticationServiceService as Authentication } from '../../src/gen/securityhub/v1/authentication.ts';
import { Resource } from '../../src/gen/securityhub/v1/authorization.ts';
import { SecurityHubService as Hub } from '../../src/gen/securityhub/v1/security_hub.ts';
import { UserServiceService as Users } from '../../src/gen/securityhub/v1/user.ts';
import { type FreshDatabase, freshDatabase, redisUrl, waitFor } from '../harness.ts';
import { type Environment, type HubProcess, hubHome, startHub } from '../hub-process.ts';
import { type Caller, figures, openCaller, report, type Said } from './caller.ts';

let database: FreshDatabase;
let env: Environment;
let staying: HubProcess;
let leaving: HubProcess | null = null;
const callers: Caller[] = [];

beforeAll(async () => {
  database = await freshDatabase();
  env = {
    ...hubHome().env,
    POSTGRES_URI: database.uri,
    REDIS_URL: redisUrl(),
    REDIS_PREFIX: `${new URL(database.uri).pathname.slice(1)}:`,
  };
  staying = await startHub(env);
}, 30_000);

afterAll(async () => {
  for (const caller of callers) caller.close();
  await Promise.all([staying?.stop(), leaving?.stop('SIGKILL')]);
  await database?.close();
});

const open = (hub: HubProcess): Caller => {
  const caller = openCaller(hub.grpc, staying.bootstrap().api_key);
  callers.push(caller);
  return caller;
};

const conversation = Resource.fromPartial({ type: 'conversations', id: 'c1' });

describe('SIGTERM under load', () => {
  it('loses no call: callers that try the other replica after UNAVAILABLE see none fail, and the process exits with 0', async () => {
    leaving = await startHub(env);
    const replicas = [open(leaving), open(staying)];
    const token = staying.bootstrap().access_token;
    let calls = 0;
    const kinds: readonly ((caller: Caller, call: number) => Promise<Said<unknown>>)[] = [
      (caller) => caller.tell(Hub.validateToken, { token }),
      (caller) => caller.tell(Hub.checkPermission, { action: 'read', resource: conversation }),
      (caller) => caller.tell(Hub.encrypt, { plaintext: Buffer.from('x') }),
      // Done and not answered would show: the second attempt finds the name taken.
      (caller, call) => caller.tell(Users.createUser, { username: `drained-${call}` }),
    ];
    let over = false;
    let answered = 0;
    let retried = 0;
    const failures: string[] = [];
    const times: number[] = [];
    /** Sticks to the leaving replica as long as it answers. */
    const load = async (kind: (typeof kinds)[number]): Promise<void> => {
      let at = 0;
      while (!over) {
        const began = performance.now();
        const call = (calls += 1);
        let said = await kind(replicas[at] as Caller, call);
        for (let attempt = 1; said.code === 'UNAVAILABLE' && attempt < 4; attempt += 1) {
          retried += 1;
          at = 1 - at;
          said = await kind(replicas[at] as Caller, call);
        }
        times.push(performance.now() - began);
        if (said.code === 'OK') answered += 1;
        else failures.push(`${said.code} ${said.reason} ${said.message}`);
      }
    };
    const running = Promise.all(kinds.flatMap((kind) => Array.from({ length: 4 }, () => load(kind))));
    await waitFor(() => answered > 500, 15_000, 'calls under way');
    const code = await leaving.stop('SIGTERM');
    leaving = null;
    const then = answered;
    await waitFor(() => answered > then + 200, 15_000, 'calls at the other replica');
    over = true;
    await running;
    report(`${answered} calls answered, ${retried} of them by the other replica after UNAVAILABLE; ${figures('with retries', times)}`);
    expect(failures).toEqual([]);
    expect(code).toBe(0);
  }, 60_000);

  it('answers every call that it had taken', async () => {
    leaving = await startHub(env);
    const caller = open(leaving);
    const { user } = await caller.ask(Users.createUser, { username: 'slow', password: 'correct-horse-battery-1' });
    expect(user?.id).not.toBe('');
    // Passwords are slow on purpose: these wait in line when the signal comes.
    const answers = Array.from({ length: 12 }, () =>
      caller.tell(Authentication.login, { tenantId: 'dev', username: 'slow', password: 'correct-horse-battery-1' }, ''),
    );
    // One answer, and the others, sent before it on the same connection, have been taken as well.
    await Promise.race(answers);
    const code = await leaving.stop('SIGTERM');
    leaving = null;
    expect((await Promise.all(answers)).map((said) => said.code)).toEqual(Array.from({ length: 12 }, () => 'OK'));
    expect(code).toBe(0);
  }, 30_000);
});
