// Local mode against a hub that says what the test wants, and a clock that the test moves.
import { createPrivateKey, generateKeyPairSync, sign } from 'node:crypto';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Fault } from '../../src/base/fault.ts';
import type { Calls } from '../../src/client/calls.ts';
import { createLocal, type Local } from '../../src/client/local.ts';
import type { LocalMode } from '../../src/client/options.ts';
import { ValidateTokenResponse } from '../../src/gen/securityhub/v1/security_hub.ts';
import {
  type DeepPartial,
  type TokenServiceService,
  WatchKeysResponse,
  WatchRevocationsResponse,
} from '../../src/gen/securityhub/v1/token.ts';
import { type TestClock, testClock, waitFor } from '../harness.ts';

type Told = DeepPartial<WatchRevocationsResponse>['message'];

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const jwk = {
  ...(publicKey.export({ format: 'jwk' }) as { kty: string; crv: string; x: string; y: string }),
  kid: 'k1',
  alg: 'ES256',
  use: 'sig',
};
const seconds = (millis: number) => ({ seconds: Math.floor(millis / 1000), nanos: Math.round((millis % 1000) * 1e6) });

const tokenOf = (clock: TestClock, life = 3000, over: object = {}): string => {
  const now = Math.floor(clock.now() / 1000);
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = {
    iss: 'hub',
    sub: 'usr_1',
    aud: 'orders',
    exp: now + life,
    nbf: now,
    iat: now,
    jti: 't1',
    client_id: 'c',
    tenant_id: 'dev',
    sid: 's1',
    fam: 'f1',
    mfa: false,
    rsq: 5,
  };
  const text = `${part({ alg: 'ES256', typ: 'at+jwt', kid: 'k1' })}.${part({ ...claims, ...over })}`;
  return `${text}.${sign('sha256', Buffer.from(text), { key: createPrivateKey(privateKey.export({ type: 'pkcs8', format: 'pem' })), dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
};

/** A stream that the test speaks through; whoever listens last hears it. */
const channel = <T>() => {
  let queue: (T | Fault)[] = [];
  let wake = (): void => {};
  let opened = 0;
  const asked: unknown[] = [];
  async function* listen(signal: AbortSignal | undefined): AsyncGenerator<T> {
    for (;;) {
      while (queue.length > 0) {
        const next = queue.shift() as T | Fault;
        if (next instanceof Fault) throw next;
        yield next;
      }
      if (signal?.aborted === true) throw new Fault('CANCELLED', 'CANCELLED', 'ended');
      await new Promise<void>((resolve) => {
        wake = resolve;
        signal?.addEventListener('abort', () => resolve(), { once: true });
      });
    }
  }
  return {
    open(request: unknown, signal: AbortSignal | undefined) {
      opened += 1;
      queue = [];
      asked.push(request);
      return listen(signal);
    },
    tell(one: T | Fault) {
      queue.push(one);
      wake();
    },
    opened: () => opened,
    asked,
  };
};

const begin = (over: object = {}): Told => ({
  $case: 'begin',
  value: {
    generation: 1,
    resumed: false,
    tenantIds: ['dev'],
    heartbeatInterval: seconds(1000),
    longestTokenLife: seconds(3_600_000),
    issuer: 'hub',
    audiences: ['orders'],
    ...over,
  },
});
const LAST: Told = { $case: 'snapshot', value: { last: true } };
const beat = (seq: number, generation = 1): Told => ({ $case: 'heartbeat', value: { seq, generation } });
const revoked = (seq: number, kind: string, key: string): Told => ({
  $case: 'events',
  value: { revocations: [{ seq, kind, key, tenantId: kind === 'signing_key' ? '' : 'dev', until: seconds(4e12) }] },
});

let local: Local | undefined;
afterEach(() => {
  local?.close();
  local = undefined;
});

const start = async (mode: LocalMode = {}) => {
  const clock = testClock(1_800_000_000_000);
  const revocations = channel<WatchRevocationsResponse>();
  const keys = channel<WatchKeysResponse>();
  const head = { seq: 10, generation: 1, staleness: 0, skew: 0, away: false };
  const problems: string[] = [];
  let heads = 0;
  const hub: { answer: () => Promise<ValidateTokenResponse> } = {
    answer: () => Promise.resolve(ValidateTokenResponse.fromPartial({ verdict: 2, reasons: [{ code: 'ASKED' }] })),
  };
  const service: Pick<Calls<typeof TokenServiceService>, 'watchKeys' | 'watchRevocations' | 'getChangeHead'> = {
    watchKeys: (request, options) => keys.open(request, options?.signal),
    watchRevocations: (request, options) => revocations.open(request, options?.signal),
    getChangeHead: async () => {
      heads += 1;
      if (head.away) throw new Fault('UNAVAILABLE', 'HUB_UNREACHABLE', 'away');
      return {
        seq: head.seq,
        generation: head.generation,
        staleness: seconds(head.staleness),
        serverTime: seconds(clock.now() + head.skew),
      };
    },
  };
  const own = createLocal(
    { token: service, ask: () => hub.answer(), bearer: false, clock, onProblem: (message) => problems.push(message) },
    mode,
  );
  local = own;
  const tell = (message: Told): void => revocations.tell(WatchRevocationsResponse.fromPartial({ message } as object));
  const tellKeys = (...list: object[]): void =>
    keys.tell(WatchKeysResponse.fromPartial({ message: { $case: 'keys', value: { keys: list } } }));
  const until = (obstacle: RegExp | null): Promise<void> =>
    waitFor(
      () => (obstacle === null ? own.state().obstacle === null : obstacle.test(own.state().obstacle ?? '')),
      8000,
      `the obstacle ${obstacle}, not "${own.state().obstacle}"`,
    );
  const verdict = async (token: string): Promise<string> => {
    const said = await own.validateToken({ token, audience: 'orders' }).catch((fault: Fault) => `${fault.code} ${fault.reason}`);
    return typeof said === 'string' ? said : said.valid ? 'VALID' : (said.reasons[0]?.code ?? '');
  };
  const ready = async (): Promise<void> => {
    await waitFor(() => revocations.opened() > 0 && keys.opened() > 0, 1000);
    tell(begin());
    tell(LAST);
    tell(beat(10));
    tellKeys(jwk);
    await until(null);
  };
  const away = (): void => {
    head.away = true;
    hub.answer = () => Promise.reject(new Fault('UNAVAILABLE', 'HUB_UNREACHABLE', 'away'));
  };
  return { clock, revocations, keys, head, hub, own, tell, tellKeys, until, verdict, ready, away, problems, heads: () => heads };
};

describe('what local mode hears', () => {
  it('makes it judge once keys, snapshot and head agree, and not a moment before', async () => {
    const { tell, tellKeys, until, verdict, clock, revocations, keys } = await start();
    await waitFor(() => revocations.opened() > 0 && keys.opened() > 0, 1000);
    const token = tokenOf(clock);
    expect(await verdict(token)).toBe('ASKED');
    tell(begin());
    await until(/revocations|keys/);
    tell(LAST);
    tell(beat(9));
    tellKeys(jwk);
    // The head is at 10: what was told up to 9 is not all there is.
    await until(/too old/);
    expect(await verdict(token)).toBe('ASKED');
    tell(beat(10));
    await until(null);
    expect(await verdict(token)).toBe('VALID');
  });

  it.each([
    ['token', 't1', 'TOKEN_REVOKED'],
    ['session', 's1', 'SESSION_ENDED'],
    ['user', 'usr_1', 'TOKEN_REVOKED'],
    ['tenant', '', 'TENANT_SUSPENDED'],
    ['signing_key', 'k1', 'ASKED'],
  ])('refuses by a revoked %s as soon as it is told', async (kind, key, reason) => {
    const { ready, verdict, clock, tell } = await start();
    await ready();
    const token = tokenOf(clock);
    expect(await verdict(token)).toBe('VALID');
    tell(revoked(11, kind, key));
    await waitFor(async () => (await verdict(token)) === reason, 1000, `${reason}`);
  });

  it('that it does not understand stops its verdicts', async () => {
    const { ready, verdict, clock, tell, until } = await start();
    await ready();
    tell(revoked(11, 'planet', 'earth'));
    await until(/planet/);
    expect(await verdict(tokenOf(clock))).toBe('ASKED');
  });

  it('from another tenant it does not use', async () => {
    const { ready, verdict, clock } = await start();
    await ready();
    expect(await verdict(tokenOf(clock, 3000, { tenant_id: 'acme' }))).toBe('ASKED');
  });

  it("of the hub's own age counts: a hub that has heard nothing for long is no news", async () => {
    const { ready, head, until, clock, own } = await start({ maxStaleness: 20_000 });
    await ready();
    head.staleness = 30_000;
    clock.advance(25_000);
    await until(/too old/);
    expect(own.state().age).toBeGreaterThanOrEqual(25_000);
  });
});

describe('local mode without a hub', () => {
  it('goes on until its news are too old, then gives no verdict at all', async () => {
    const { ready, away, verdict, clock } = await start({ maxStaleness: 60_000 });
    await ready();
    const token = tokenOf(clock);
    away();
    clock.advance(59_000);
    expect(await verdict(token)).toBe('VALID');
    clock.advance(1000);
    expect(await verdict(token)).toBe('UNAVAILABLE FEED_STALE');
  });

  it('counts the time that passed while the machine slept, whichever clock noticed', async () => {
    const { ready, away, verdict, clock } = await start({ maxStaleness: 60_000 });
    await ready();
    const token = tokenOf(clock);
    away();
    clock.set(clock.now() + 61_000);
    expect(await verdict(token)).toBe('UNAVAILABLE FEED_STALE');
  });

  it('lets no token live on because the clock was put back', async () => {
    const { ready, away, verdict, clock } = await start();
    await ready();
    const token = tokenOf(clock, 60);
    away();
    clock.advance(59_000);
    expect(await verdict(token)).toBe('VALID');
    clock.set(clock.now() - 3_600_000);
    clock.advance(2000);
    expect(await verdict(token)).toBe('TOKEN_EXPIRED');
  });

  it('passes on what the hub says of itself, where its own news would do', async () => {
    const { ready, verdict, hub, clock } = await start();
    await ready();
    hub.answer = () => Promise.reject(new Fault('UNAVAILABLE', 'STORE_UNAVAILABLE', 'no database'));
    expect(await verdict(tokenOf(clock, 3000, { cnf: { jkt: 'x' } }))).toBe('UNAVAILABLE STORE_UNAVAILABLE');
  });
});

describe('the streams of local mode', () => {
  it('are resumed where they broke, and nothing is forgotten', async () => {
    const { ready, tell, revocations, verdict, clock, until } = await start();
    await ready();
    tell(revoked(11, 'session', 's1'));
    tell(beat(11));
    const token = tokenOf(clock);
    await waitFor(async () => (await verdict(token)) === 'SESSION_ENDED', 1000);
    revocations.tell(new Fault('UNAVAILABLE', 'STREAM_ENDED', 'begin again'));
    await waitFor(() => revocations.opened() === 2, 3000);
    expect(revocations.asked[1]).toMatchObject({ fromSeq: 11, generation: 1 });
    tell(begin({ resumed: true }));
    await until(null);
    expect(await verdict(token)).toBe('SESSION_ENDED');
  });

  it('are taken up from the start where the hub says so, without a verdict in between', async () => {
    const { ready, tell, revocations, until, verdict, clock, head } = await start();
    await ready();
    revocations.tell(new Fault('ABORTED', 'SNAPSHOT_REQUIRED', 'too far behind'));
    await waitFor(() => revocations.opened() === 2, 3000);
    expect(revocations.asked[1]).toMatchObject({ fromSeq: 0 });
    Object.assign(head, { seq: 3, generation: 2 });
    tell(begin({ generation: 2 }));
    await until(/loaded/);
    expect(await verdict(tokenOf(clock))).toBe('ASKED');
    tell(LAST);
    tell(beat(3, 2));
    await until(null);
    expect(await verdict(tokenOf(clock, 3000, { rsq: 1 }))).toBe('VALID');
  });

  it('tell nothing of what was known before, where they begin anew: another replica may know less', async () => {
    const { ready, tell, revocations, until, verdict, clock, head } = await start();
    await ready();
    head.seq = 20;
    revocations.tell(new Fault('ABORTED', 'SNAPSHOT_REQUIRED', 'too far behind'));
    await waitFor(() => revocations.opened() === 2, 3000);
    tell(begin());
    tell(LAST);
    tell(beat(9));
    await until(/too old/);
    expect(await verdict(tokenOf(clock))).toBe('ASKED');
    tell(beat(20));
    await until(null);
  });

  it('that fall silent are begun again', async () => {
    const { ready, revocations } = await start();
    await ready();
    await waitFor(() => revocations.opened() === 2, 12_000, 'the second watch');
  });

  it('that are refused are no reason to fail: the hub is asked', async () => {
    const { revocations, until, verdict, clock, problems } = await start();
    await waitFor(() => revocations.opened() > 0, 1000);
    revocations.tell(new Fault('PERMISSION_DENIED', 'CALL_NOT_ALLOWED', 'not in the entry'));
    await until(/CALL_NOT_ALLOWED/);
    expect(await verdict(tokenOf(clock))).toBe('ASKED');
    expect(problems).toHaveLength(1);
  });
});

describe('the clock of local mode', () => {
  it("is compared with the hub's: whoever is off by more than the skew asks", async () => {
    const { ready, head, until, verdict, clock } = await start();
    await ready();
    head.skew = 7000;
    await until(/clocks/);
    expect(await verdict(tokenOf(clock))).toBe('ASKED');
    head.skew = -4000;
    await until(null);
    expect(await verdict(tokenOf(clock))).toBe('VALID');
  });
});
