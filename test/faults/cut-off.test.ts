// Replicas whose Redis is flushed, hung or out of reach, and one that dies between what it stored and what it would have told: no verdict changes.
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { AuthenticationServiceService as Authentication } from '../../src/gen/securityhub/v1/authentication.ts';
import { SecurityHubService as Hub } from '../../src/gen/securityhub/v1/security_hub.ts';
import { type Tokens, TokenServiceService as TokenService } from '../../src/gen/securityhub/v1/token.ts';
import { waitFor } from '../harness.ts';
import { report } from './caller.ts';
import { check, type Entry, type Validate } from './history.ts';
import { chanceOf, type Clients, createClients } from './history-clients.ts';
import { COMMIT } from './history-faults.ts';
import { BOUNDS, CEILING_SECONDS, makeWorld, PASSWORD, type Replica, type World } from './history-world.ts';

/** What the field has seen; far beyond everything that we wait for ourselves. */
const STALL_SECONDS = 50;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

let world: World;
let replicas: readonly [Replica, Replica, Replica];
beforeAll(async () => {
  world = await makeWorld({ replicas: 3, users: 4 });
  replicas = world.replicas as unknown as typeof replicas;
}, 60_000);
afterEach(() => {
  world.redis.resume();
  for (const { postgres, redis } of replicas)
    for (const wire of [postgres, redis]) {
      wire.thaw();
      wire.mend();
    }
});
afterAll(async () => {
  await world?.stop();
}, 30_000);

/** A load while something happens to Redis alone; afterwards everything is asked once more, everywhere. */
const historyDuring = async (happen: () => Promise<void>): Promise<Clients> => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const clients = createClients(world, chanceOf(seed));
  const running = [...world.users.map((user) => clients.session(user)), clients.asker(), clients.asker()];
  await happen();
  clients.end();
  await Promise.all(running);
  await sleep(2000);
  await clients.askAll();
  report(`seed ${seed}: ${clients.history.length} answers`);
  return clients;
};

/** Every verdict was given, and none contradicts another. */
const expectWhole = ({ history, unexpected }: Clients): void => {
  const verdicts = history.filter((entry): entry is Validate => entry.kind === 'validate');
  const said = new Set(verdicts.map(({ verdict }) => verdict));
  expect([unexpected, check(history, BOUNDS).slice(0, 3)]).toEqual([[], []]);
  expect(said).toEqual(new Set(['valid', 'invalid']));
  const unanswered = (entry: Entry): boolean =>
    (entry.kind === 'refresh' && entry.issued === null && entry.reason === '') || (entry.kind === 'revoke' && entry.seq === 0);
  expect(history.filter(unanswered)).toEqual([]);
};

const login = async (at: Replica): Promise<Tokens> => {
  const { tokens } = await at.caller.ask(Authentication.login, { tenantId: 'dev', username: 'user-0', password: PASSWORD }, '');
  if (tokens === undefined) throw new Error('a login without tokens');
  return tokens;
};
const verdictAt = async (at: Replica, token: string): Promise<string> => {
  const { valid, reasons } = await at.caller.ask(Hub.validateToken, { token });
  return valid ? 'valid' : (reasons[0]?.code ?? '');
};
const isReady = async ({ hub }: Replica): Promise<boolean> => (await fetch(hub.ready)).ok;

describe('Redis', () => {
  it('flushed again and again under load changes no verdict', async () => {
    const clients = await historyDuring(async () => {
      for (let time = 0; time < 25; time += 1) {
        await world.redis.flush();
        await sleep(150);
      }
    });
    expectWhole(clients);
  }, 40_000);

  it(
    'that stands still and then works off its backlog changes no verdict',
    async () => {
      const clients = await historyDuring(async () => {
        await sleep(1000);
        world.redis.stall();
        await sleep(STALL_SECONDS * 1000);
        world.redis.resume();
        await sleep(2000);
      });
      expectWhole(clients);
    },
    (STALL_SECONDS + 40) * 1000,
  );

  it('out of reach of one replica alone leaves it normal: ready, changing, and refusing in time what ended elsewhere', async () => {
    const [first, , alone] = replicas;
    alone.redis.cut();
    const { accessToken } = await login(first);
    expect(await verdictAt(alone, accessToken)).toBe('valid');
    await first.caller.ask(TokenService.revokeToken, { token: accessToken });
    await waitFor(async () => (await verdictAt(alone, accessToken)) !== 'valid', 2000, 'the refusal at the replica without Redis');
    const own = await login(alone);
    const { tokens } = await alone.caller.ask(TokenService.refreshToken, { refreshToken: own.refreshToken }, '');
    expect(await verdictAt(first, tokens?.accessToken ?? '')).toBe('valid');
    await alone.caller.ask(TokenService.revokeToken, { token: tokens?.accessToken ?? '' });
    await waitFor(async () => (await verdictAt(first, tokens?.accessToken ?? '')) !== 'valid', 2000, 'the refusal of what ended there');
    expect(await isReady(alone)).toBe(true);
  });
});

describe('Postgres', () => {
  it('out of reach of one replica alone: hears what ends elsewhere, says how old it is, and beyond its ceiling gives no verdict', async () => {
    const [first, , alone] = replicas;
    const [living, ending, unheard] = [await login(first), await login(first), await login(first)];
    for (const { accessToken } of [living, ending, unheard]) expect(await verdictAt(alone, accessToken)).toBe('valid');
    alone.postgres.freeze();
    await first.caller.ask(TokenService.revokeToken, { token: ending.accessToken });
    await waitFor(async () => (await verdictAt(alone, ending.accessToken)) !== 'valid', 2000, 'the refusal by the stream');
    // From here on it hears nothing at all.
    alone.redis.cut();
    await first.caller.ask(TokenService.revokeToken, { token: unheard.accessToken });
    const said = (token: string) => alone.caller.tell(Hub.validateToken, { token });
    const state = async (): Promise<string> => {
      const { code, reason, answer } = await said(living.accessToken);
      return answer === null ? `${code} ${reason}` : `${answer.valid}${answer.degraded ? ' degraded' : ''}`;
    };
    const seen = new Set<string>();
    await waitFor(async () => seen.add(await state()).has('UNAVAILABLE FEED_STALE'), CEILING_SECONDS * 1000 + 2000, 'the ceiling');
    expect([...seen]).toEqual(['true', 'true degraded', 'UNAVAILABLE FEED_STALE']);
    expect((await said(unheard.accessToken)).answer).toBeNull();
    expect((await said(ending.accessToken)).answer?.valid ?? false).toBe(false);
    expect([await isReady(alone), await isReady(first), await verdictAt(first, living.accessToken)]).toEqual([false, true, 'valid']);
    alone.postgres.thaw();
    await waitFor(() => isReady(alone), BOUNDS.settling, 'readiness');
    expect([await verdictAt(alone, living.accessToken), await verdictAt(alone, unheard.accessToken)]).toEqual(['valid', 'TOKEN_REVOKED']);
  }, 40_000);
});

describe('a replica that is killed between the commit of a revocation and its publication', () => {
  it('has told nobody, and the others refuse within the bound all the same', async () => {
    const [first, second, dying] = replicas;
    const { accessToken, refreshToken } = await login(first);
    for (const replica of replicas) expect(await verdictAt(replica, accessToken)).toBe('valid');
    // The commit is carried out; the process hears nothing of it, so it publishes nothing, and then it is no more.
    dying.postgres.lose(COMMIT, 'after');
    const said = await dying.caller.tell(TokenService.revokeToken, { token: accessToken });
    const stored = performance.now();
    await dying.hub.stop('SIGKILL');
    expect(said).toMatchObject({ code: 'UNAVAILABLE', answer: null });
    for (const replica of [first, second])
      await waitFor(async () => (await verdictAt(replica, accessToken)) !== 'valid', 2000, 'the refusal by the poll');
    report(`refused ${(performance.now() - stored).toFixed(0)} ms after the answer that never came`);
    expect(await first.caller.tell(TokenService.refreshToken, { refreshToken }, '')).toMatchObject({ code: 'UNAUTHENTICATED' });
  });
});
