// kill -9 between and within the steps of a signing key's life: the next start finds one key that signs, and believes whatever was signed before.
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { decodeProtectedHeader } from 'jose';
import pg from 'pg';
import { AuthenticationServiceService as Authentication } from '../../src/gen/securityhub/v1/authentication.ts';
import { SecurityHubService as Hub } from '../../src/gen/securityhub/v1/security_hub.ts';
import { TokenServiceService as Tokens } from '../../src/gen/securityhub/v1/token.ts';
import { type FreshDatabase, freshDatabase, redisUrl, waitFor } from '../harness.ts';
import { type Environment, type HubProcess, hubHome, startHub } from '../hub-process.ts';
import { openCaller, type Caller } from './caller.ts';

/** What the test holds to keep a step from being carried out. */
const GATE = 4711;

let database: FreshDatabase;
let env: Environment;
let gate: pg.Client;
let account: { readonly tenantId: string; readonly username: string; readonly password: string };
/** Everything that was ever signed. */
const signed: string[] = [];

const kidOf = (token: string): string => decodeProtectedHeader(token).kid ?? '';
const stateOf = async (): Promise<ReadonlyMap<string, string>> =>
  new Map(
    (await database.sql<{ kid: string; state: string }>('SELECT kid, state FROM signing_keys')).map(({ kid, state }) => [kid, state]),
  );
const count = async (state: string): Promise<number> => [...(await stateOf()).values()].filter((one) => one === state).length;

const login = async (caller: Caller): Promise<string> => {
  const { tokens } = await caller.ask(Authentication.login, account, '');
  signed.push(tokens?.accessToken ?? '');
  return tokens?.accessToken ?? '';
};
const active = async (): Promise<string> => [...(await stateOf())].find(([, state]) => state === 'active')?.[0] ?? '';

/** A hub as it ships starts, signs, and believes what was signed. It is killed in its turn, unless `work` has done so. */
const startsAndBelieves = async (work: (hub: HubProcess, caller: Caller) => Promise<void> = async () => {}): Promise<void> => {
  const hub = await startHub(env);
  const caller = openCaller(hub.grpc, hub.bootstrap().access_token);
  try {
    expect(await count('active')).toBe(1);
    const states = await stateOf();
    expect(states.get(kidOf(await login(caller)))).toBe('active');
    const jwks = (await caller.ask(Tokens.getJwks, {})).keys.map(({ kid }) => kid);
    const refused: string[] = [];
    for (const token of signed) {
      // Long after its retirement a key is forgotten.
      const state = states.get(kidOf(token)) ?? 'retired';
      const { valid, reasons } = await caller.ask(Hub.validateToken, { token });
      if (valid !== (state !== 'retired') || jwks.includes(kidOf(token)) !== valid)
        refused.push(`${state} ${valid} ${reasons.map(({ code }) => code).join()}`);
    }
    expect(refused).toEqual([]);
    await work(hub, caller);
  } finally {
    caller.close();
    await hub.stop('SIGKILL');
  }
};

interface Rotator {
  readonly child: ChildProcess;
  readonly began: Promise<void>;
  readonly ended: Promise<number | null>;
}

const startRotator = (): Rotator => {
  const script = join(import.meta.dirname, 'processes/key-rotator.ts');
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', script, database.uri, env['ENCRYPTION_KEY_PATH'] ?? ''], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  return { child, began: new Promise((resolve) => child.stdout.once('data', () => resolve())), ended };
};

const kill = async ({ child, ended }: Rotator): Promise<void> => {
  child.kill('SIGKILL');
  await ended;
};

/** Whoever stores a key in this state waits at the gate. */
const holdAt = async (state: string): Promise<void> => {
  await database.sql(`CREATE TRIGGER held BEFORE INSERT OR UPDATE ON signing_keys FOR EACH ROW
    WHEN (NEW.state = '${state}') EXECUTE FUNCTION wait_at_gate()`);
  await gate.query('SELECT pg_advisory_lock($1)', [GATE]);
};
const waitingThere = async (): Promise<boolean> =>
  (await database.sql(`SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = ${GATE} AND NOT granted`)).length > 0;
/** What stood at the gate belongs to nobody any more: it ends without a trace. */
const open = async (): Promise<void> => {
  await gate.query('SELECT pg_advisory_unlock($1)', [GATE]);
  await database.sql('DROP TRIGGER held ON signing_keys');
};

/** So much later for all keys. */
const pass = (time: string): Promise<unknown> =>
  database.sql(`UPDATE signing_keys SET created_at = created_at - interval '${time}', published_at = published_at - interval '${time}',
    activated_at = activated_at - interval '${time}', retiring_at = retiring_at - interval '${time}', retired_at = retired_at - interval '${time}'`);

beforeAll(async () => {
  database = await freshDatabase();
  await database.sql(`CREATE FUNCTION wait_at_gate() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
    $$ BEGIN PERFORM pg_advisory_xact_lock(${GATE}); RETURN NEW; END $$`);
  gate = new pg.Client({ connectionString: database.uri });
  await gate.connect();
  const home = hubHome();
  env = { ...home.env, POSTGRES_URI: database.uri, REDIS_URL: redisUrl(), REDIS_PREFIX: `${new URL(database.uri).pathname.slice(1)}:` };
  const first = await startHub(env);
  const { tenant_id: tenantId, username, password, access_token: accessToken } = first.bootstrap();
  account = { tenantId, username, password };
  signed.push(accessToken);
  await first.stop();
}, 30_000);
afterAll(async () => {
  await gate?.end();
  await database?.close();
});

describe('a replica killed', () => {
  it.each([
    ['before it has stored the next key', 'pending', '0', ['active']],
    ['between making the next key and publishing it', 'published', '0', ['active', 'pending']],
    ['before the old key gives way', 'retiring', '40 days', ['active', 'published']],
    ['between the old key’s last day and the new one’s first', 'active', '40 days', ['active', 'published', 'retiring']],
    ['before the old key is retired', 'retired', '2 days', ['active', 'published', 'retired', 'retiring']],
  ] as const)(
    '%s leaves one that signs, and the next replica goes on',
    async (_when, state, later, before) => {
      // As the first of these tests found it.
      if (state === 'published') await database.sql(`DELETE FROM signing_keys WHERE state = 'published'`);
      await pass(later);
      await holdAt(state);
      const rotator = startRotator();
      await waitFor(waitingThere, 20_000, `the step to ${state}`);
      await kill(rotator);
      await open();
      expect([...(await stateOf()).values()].toSorted()).toEqual(before);
      await startsAndBelieves();
      expect(await startRotator().ended).toBe(0);
      await startsAndBelieves();
    },
    60_000,
  );

  it('at any other point', async () => {
    for (let round = 0; round < 6; round += 1) {
      await pass('40 days');
      const rotator = startRotator();
      await rotator.began;
      await new Promise((resolve) => setTimeout(resolve, round * 4));
      await kill(rotator);
      await startsAndBelieves();
    }
    // Wherever they stopped: the next run leaves one that signs and one to come, the next after that has them take turns.
    expect(await startRotator().ended).toBe(0);
    const before = await active();
    await pass('40 days');
    expect(await startRotator().ended).toBe(0);
    expect([await count('active'), await count('published'), (await active()) === before]).toEqual([1, 1, false]);
  }, 60_000);
});

describe('a hub killed while it revokes a key', () => {
  it.each([['retired'], ['active']])(
    'before it has stored the one that is %s has revoked nothing; asked again it does',
    async (state) => {
      const standing = await active();
      const revoke = (caller: Caller) => caller.tell(Tokens.revokeSigningKey, { kid: standing, reason: 'stolen' });
      await startsAndBelieves(async (hub, caller) => {
        await holdAt(state);
        const asked = revoke(caller);
        await waitFor(waitingThere, 20_000, 'the revocation');
        await hub.stop('SIGKILL');
        expect((await asked).code).toBe('UNAVAILABLE');
        await open();
      });
      await startsAndBelieves(async (_hub, caller) => {
        expect((await stateOf()).get(standing)).toBe('active');
        expect((await revoke(caller)).code).toBe('OK');
      });
      expect((await stateOf()).get(standing)).toBe('retired');
      await startsAndBelieves();
    },
    60_000,
  );
});
