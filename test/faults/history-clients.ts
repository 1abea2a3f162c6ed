// Clients of a history: they log in, refresh, race, steal, revoke and ask, and write down what they were told.
import { AuthenticationServiceService as Authentication } from '../../src/gen/securityhub/v1/authentication.ts';
import { SecurityHubService as Hub } from '../../src/gen/securityhub/v1/security_hub.ts';
import type { Duration } from '../../src/gen/google/protobuf/duration.ts';
import { type Tokens, TokenServiceService as TokenService } from '../../src/gen/securityhub/v1/token.ts';
import type { Said } from './caller.ts';
import type { Entry, Issued, Revoke, Token } from './history.ts';
import { PASSWORD, type World } from './history-world.ts';

/** From 0 to below 1, the same for the same seed. */
export type Chance = () => number;

/** mulberry32 */
export const chanceOf = (seed: number): Chance => {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
};

export const pick = <T>(chance: Chance, some: readonly T[]): T => some[Math.floor(chance() * some.length)] as T;

/** A pair, with the access token that verdicts are asked about. */
interface Pair extends Issued {
  readonly accessToken: string;
}

export interface Recorded {
  readonly history: Entry[];
  /** Answers that no caller should ever see, whatever is away. */
  readonly unexpected: string[];
}

export interface Clients extends Recorded {
  /** Ends when told. */
  session(user: string): Promise<void>;
  /** One that is asked about all the time at all replicas, however they are, and is logged in anew after each end. */
  steady(user: string): Promise<void>;
  asker(): Promise<void>;
  /** Every token that was ever issued and still may live, or was ended, at every replica. */
  askAll(): Promise<void>;
  end(): void;
}

/** What says nothing about a credential. */
const UNKNOWN = ['UNAVAILABLE', 'DEADLINE_EXCEEDED', 'RESOURCE_EXHAUSTED', 'ABORTED', 'CANCELLED'];
const REFUSED = ['UNAUTHENTICATED', 'NOT_FOUND'];
const SCOPES = ['token', 'session', 'session', 'user'] as const;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const millis = (length: Pick<Duration, 'seconds' | 'nanos'> | undefined): number =>
  length === undefined ? 0 : length.seconds * 1000 + length.nanos / 1e6;

interface Claimed {
  readonly jti: string;
  readonly sid: string;
  readonly sub: string;
  readonly rsq: number;
}

const pairOf = (tokens: Tokens | undefined): Pair | null => {
  if (tokens === undefined) return null;
  const { jti, sid, sub, rsq } = JSON.parse(Buffer.from(tokens.accessToken.split('.')[1] ?? '', 'base64url').toString()) as Claimed;
  const [familyId = '', generation] = jti.split('.');
  const { accessToken, refreshToken } = tokens;
  return { tokenId: jti, familyId, sessionId: sid, userId: sub, generation: Number(generation), rsq, accessToken, refreshToken };
};

const tokenOf = ({ tokenId, familyId, sessionId, userId, generation, rsq }: Token): Token => ({
  tokenId,
  familyId,
  sessionId,
  userId,
  generation,
  rsq,
});
const issuedOf = (pair: Pair | null): Issued | null => (pair === null ? null : { ...tokenOf(pair), refreshToken: pair.refreshToken });

export const createClients = (world: World, chance: Chance): Clients => {
  const history: Entry[] = [];
  const unexpected: string[] = [];
  /** What askers ask about: the newest. */
  const shown: Pair[] = [];
  const every: Pair[] = [];
  let over = false;

  const anywhere = (): number => Math.floor(chance() * world.replicas.length);
  const at = (replica: number) => (world.replicas[replica] as World['replicas'][number]).caller;
  const timed = async <S>(ask: Promise<Said<S>>): Promise<{ readonly said: Said<S>; readonly begin: number; readonly end: number }> => {
    const begin = performance.now();
    const said = await ask;
    if (said.code !== 'OK' && !UNKNOWN.includes(said.code) && !REFUSED.includes(said.code))
      unexpected.push(`${said.code} ${said.reason} ${said.message}`);
    return { said, begin, end: performance.now() };
  };
  const show = (pair: Pair | null): Pair | null => {
    if (pair === null) return null;
    shown.push(pair);
    every.push(pair);
    if (shown.length > 40) shown.shift();
    return pair;
  };

  const login = async (username: string): Promise<Pair | null> => {
    const replica = anywhere();
    const { said, begin, end } = await timed(at(replica).tell(Authentication.login, { tenantId: 'dev', username, password: PASSWORD }, ''));
    const pair = show(pairOf(said.answer?.tokens));
    history.push({ kind: 'login', replica, begin, end, issued: issuedOf(pair), reason: REFUSED.includes(said.code) ? said.reason : '' });
    return pair;
  };

  const refresh = async (presented: Pair, replica = anywhere()): Promise<Pair | null> => {
    const { said, begin, end } = await timed(at(replica).tell(TokenService.refreshToken, { refreshToken: presented.refreshToken }, ''));
    const pair = show(pairOf(said.answer?.tokens));
    const reason = REFUSED.includes(said.code) ? said.reason : '';
    history.push({ kind: 'refresh', replica, begin, end, presented: issuedOf(presented) as Issued, issued: issuedOf(pair), reason });
    return pair;
  };

  const validate = async (pair: Pair, replica = anywhere()): Promise<void> => {
    // Now and then a caller that wants to be surer.
    const maxStaleness = chance() < 0.2 ? 3000 : 0;
    const request = { token: pair.accessToken, ...(maxStaleness === 0 ? {} : { maxStaleness: { seconds: 3, nanos: 0 } }) };
    const { said, begin, end } = await timed(at(replica).tell(Hub.validateToken, request));
    const { answer } = said;
    history.push({
      kind: 'validate',
      replica,
      begin,
      end,
      token: tokenOf(pair),
      verdict: answer === null ? null : answer.valid ? 'valid' : 'invalid',
      reason: answer === null ? said.reason : (answer.reasons[0]?.code ?? ''),
      staleness: millis(answer?.staleness),
      maxStaleness,
      degraded: answer?.degraded ?? false,
    });
  };

  const revokeOnce = async (pair: Pair, scope: Revoke['scope']): Promise<boolean> => {
    const replica = anywhere();
    const caller = at(replica);
    const { said, begin, end } = await timed(
      scope === 'user'
        ? caller.tell(TokenService.revokeUser, { userId: pair.userId })
        : scope === 'session' && chance() < 0.3
          ? caller.tell(Authentication.logout, { refreshToken: pair.refreshToken }, '')
          : caller.tell(TokenService.revokeToken, { token: pair.accessToken, scope: scope === 'token' ? 'token' : '' }),
    );
    const { answer } = said;
    history.push({
      kind: 'revoke',
      replica,
      begin,
      end,
      scope,
      token: tokenOf(pair),
      seq: answer?.seq ?? 0,
      effectiveBy: answer === null ? Number.POSITIVE_INFINITY : end + millis(answer.effectiveBy) - Date.now(),
    });
    return answer !== null;
  };

  const revoke = async (pair: Pair, scope: Revoke['scope']): Promise<void> => {
    for (let tries = 0; tries < 4 && !over; tries += 1) {
      if (await revokeOnce(pair, scope)) return;
      await sleep(100 + chance() * 200);
    }
  };

  /** Several at once, at all replicas: they must all get the same. */
  const race = async (presented: Pair): Promise<Pair | null> => {
    const got = await Promise.all(Array.from({ length: 3 }, (_, index) => refresh(presented, index % world.replicas.length)));
    return got.find((pair) => pair !== null) ?? null;
  };

  /** An answer that was lost, and asked for again. */
  const refreshInTime = async (presented: Pair): Promise<Pair | null> => {
    for (let tries = 0; tries < 3 && !over; tries += 1) {
      const pair = await refresh(presented);
      if (pair !== null) return pair;
      await sleep(50);
    }
    return null;
  };

  /** The family's row as it was: a failover that lost the refresh after it. Both clients go on with what they hold. */
  const loseRefresh = async (presented: Pair): Promise<void> => {
    const rowOf = 'SELECT to_jsonb(f) AS row FROM token_families f WHERE family_id = $1';
    const [before] = await world.database.sql<{ row: unknown }>(rowOf, [presented.familyId]);
    const lost = await refreshInTime(presented);
    if (lost === null || before === undefined) return;
    const begin = performance.now();
    await world.database.sql(
      `UPDATE token_families f SET generation = o.generation, current_hash = o.current_hash, previous_hash = o.previous_hash,
         successor_salt = o.successor_salt, sender = o.sender, rotated_at = o.rotated_at, access_generation = o.access_generation,
         access_issued_at = o.access_issued_at, access_expires_at = o.access_expires_at, access_rsq = o.access_rsq
       FROM jsonb_populate_record(NULL::token_families, $2::jsonb) o WHERE f.family_id = $1`,
      [presented.familyId, JSON.stringify(before.row)],
    );
    history.push({ kind: 'lost', replica: 0, begin, end: performance.now(), familyId: presented.familyId });
    const again = await refreshInTime(presented);
    await refresh(lost);
    if (again !== null) await refresh(again);
  };

  const turn = async (pairs: Pair[]): Promise<'goes on' | 'is over'> => {
    const newest = pairs.at(-1) as Pair;
    const what = chance();
    if (what < 0.45) await validate(pick(chance, pairs));
    else if (what < 0.75) {
      const next = await (what < 0.6 ? refreshInTime(newest) : race(newest));
      if (next === null) return 'is over';
      pairs.push(next);
    } else if (what < 0.79) await revoke(newest, 'token');
    else if (what < 0.85) {
      // Long used up: a thief, or a client that lost count.
      const old = pairs.at(-3);
      if (old !== undefined) await refresh(old);
    } else if (what < 0.88) {
      await loseRefresh(newest);
      return 'is over';
    } else if (what < 0.95) {
      // Whichever comes first, nothing may live afterwards.
      const [, raced] = await Promise.all([revoke(newest, pick(chance, SCOPES)), refresh(newest)]);
      if (raced !== null) pairs.push(raced);
      return 'is over';
    }
    return 'goes on';
  };

  return {
    history,
    unexpected,
    async session(user) {
      while (!over) {
        const first = await login(user);
        const pairs = first === null ? [] : [first];
        while (!over && pairs.length > 0 && (await turn(pairs)) === 'goes on') await sleep(20 + chance() * 80);
        const newest = pairs.at(-1);
        // What has ended is tried again.
        if (newest !== undefined && !over) await refresh(newest);
        await sleep(100 + chance() * 200);
      }
    },
    async steady(user) {
      let kept: Pair | null = null;
      while (!over) {
        const short = await login(user);
        kept ??= short;
        const asked = [kept, short].filter((pair) => pair !== null);
        const askEverywhere = async (times: number): Promise<void> => {
          for (let time = 0; time < times && !over; time += 1) {
            for (const pair of asked) await Promise.all(world.replicas.map((_, replica) => validate(pair, replica)));
            await sleep(60);
          }
        };
        await askEverywhere(15);
        if (short !== null && short !== kept) await revoke(short, 'session');
        await askEverywhere(15);
      }
    },
    async asker() {
      while (!over) {
        if (shown.length > 0) await validate(pick(chance, shown));
        await sleep(10 + chance() * 20);
      }
    },
    async askAll() {
      for (let from = 0; from < every.length; from += 10)
        await Promise.all(every.slice(from, from + 10).flatMap((pair) => world.replicas.map((_, replica) => validate(pair, replica))));
    },
    end() {
      over = true;
    },
  };
};
