// What grows: live revocations and tokens. The same answers must cost the same, in little memory; and a revocation must arrive soon.
import pg from 'pg';
import { ValidateTokenResponse } from '../../src/gen/securityhub/v1/security_hub.ts';
import { RevokeTokenRequest } from '../../src/gen/securityhub/v1/token.ts';
import type { Environment, HubProcess } from '../hub-process.ts';
import { type Caller, openCaller, openDriver } from './driver.ts';
import { median, openTurns, type Row, type Turn } from './measure.ts';
import { residentMiB, startHub } from './processes.ts';
import { accessTokens, login, type Setting, validate } from './rows.ts';
import { signTokens } from './sign-tokens.ts';

const VALIDATE = '/securityhub.v1.SecurityHub/ValidateToken';
const REVOKE = '/securityhub.v1.TokenService/RevokeToken';
export const MILLION = 1_000_000;
export const TOKENS = 100_000;
const SETTLED = 5000;

const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, SETTLED));

/** Live revocations of a tenant as the feed's rows, of tokens, sessions, families and users in turn, ids as long as real ones. */
export const revokeMany = async (env: Environment, tenantId: string, from: number, to: number): Promise<void> => {
  const client = new pg.Client({ connectionString: env['MIGRATION_POSTGRES_URI'] ?? '' });
  await client.connect();
  await client.query(
    `WITH head AS (UPDATE change_head SET seq = seq + $3::int - $2::int RETURNING seq - $3::int + $2::int AS before)
     INSERT INTO change (seq, kind, tenant_id, key, until, detail)
     SELECT head.before + n - $2::int, (ARRAY['token', 'session', 'family', 'user'])[1 + n % 4], $1::text,
       (ARRAY['fam_', 'ses_', 'fam_', 'usr_'])[1 + n % 4] || substr(md5(n::text), 1, 22) || CASE n % 4 WHEN 0 THEN '.1' ELSE '' END,
       now() + interval '55 minutes' + n % 600 * interval '1 second', 'revoked'
     FROM head, generate_series($2::int + 1, $3::int) n`,
    [tenantId, from, to],
  );
  await client.end();
};

export interface Subject {
  readonly hub: HubProcess;
  readonly setting: Setting;
  /** RSS a few seconds after it became ready, MiB. */
  readonly idle: number;
}

/** A hub in production configuration that has come to rest. */
export const atRest = async (env: Environment, setting: Omit<Setting, 'grpc'>): Promise<Subject> => {
  const hub = await startHub(env);
  await settle();
  return { hub, setting: { ...setting, grpc: hub.grpc }, idle: residentMiB(hub.pid) };
};

const rowOf = (name: string, token: string, requests: readonly Buffer[]): Row => ({
  name,
  path: VALIDATE,
  requests,
  headers: { authorization: `Bearer ${token}` },
});

const loginOnce = async (setting: Setting): Promise<string> => {
  const caller = await openCaller(setting.grpc);
  const { accessToken } = await login(caller, setting);
  caller.close();
  return accessToken;
};

export interface Flatness {
  /** CPU of a ValidateToken, µs: with one token and no revocation, with a million of them, with 100,000 tokens. Of all answers alike. */
  readonly base: number;
  readonly revocations: number;
  readonly tokens: number;
  /** Of the first second after a rest: with one token, with 100,000 tokens. Medians. */
  readonly rested: { readonly base: number; readonly tokens: number };
  /** MiB above idle once 100,000 verdicts are kept. */
  readonly verdictsMiB: number;
}

const FILL = 2000;
const ROUNDS = 30;
/** So short that what the machine does in a round it does to all of them, and that nobody rests as long as V8 waits before it gives memory back. */
const TURN = 500;
const WARM = 5;
const RESTS = 3;
const BURST = 1000;

/** Three hubs side by side, asked in turn. All that they used over all that they answered: whatever comes seldom and costs much counts too. */
export const flatness = async (few: Subject, million: Subject, many: Subject, keyPath: string): Promise<Flatness> => {
  const tokens = { few: await loginOnce(few.setting), million: await loginOnce(million.setting), many: await loginOnce(many.setting) };
  // The caller's own token is one of them: the cache holds as many as are asked about.
  const all = [tokens.many, ...signTokens(keyPath, tokens.many, TOKENS - 1).map((token) => token.toString('latin1'))];
  const subjects = [
    { subject: few, row: rowOf('1 token', tokens.few, [validate(tokens.few)]) },
    { subject: million, row: rowOf('1,000,000 revocations', tokens.million, [validate(tokens.million)]) },
    { subject: many, row: rowOf('100,000 tokens', tokens.many, all.map(validate)) },
  ];
  const asked = await Promise.all(
    subjects.map(async ({ subject: { hub }, row }) => ({ row, turns: await openTurns(row, hub.pid, `http://${hub.grpc}`, VALIDATE) })),
  );
  const ask = async ({ row, turns }: (typeof asked)[number], milliseconds: number): Promise<Turn> => {
    const one = await turns.turn(milliseconds);
    if (one.ok === 0 || Object.keys(one.failed).length > 0) throw new Error(`${row.name}: grpc-status ${JSON.stringify(one.failed)}`);
    return one;
  };
  for (const each of asked) {
    let done = 0;
    do done += (await ask(each, FILL)).ok;
    while (done < each.row.requests.length);
  }
  await settle();
  const verdictsMiB = residentMiB(many.hub.pid) - many.idle;
  const used = subjects.map(() => ({ micros: 0, answers: 0 }));
  for (let round = -WARM; round < ROUNDS; round += 1)
    for (const [at, each] of asked.entries()) {
      const { cpu, ok } = await ask(each, TURN);
      const sum = used[at];
      if (round < 0 || sum === undefined) continue;
      sum.micros += cpu * ok * 1e6;
      sum.answers += ok;
    }
  const bursts = subjects.map((): number[] => []);
  for (let rest = 0; rest < RESTS; rest += 1) {
    await settle();
    for (const [at, one] of asked.entries()) bursts[at]?.push((await ask(one, BURST)).cpu * 1e6);
  }
  for (const { turns } of asked) turns.close();
  const each = (index: number): number => (used[index]?.micros ?? 0) / (used[index]?.answers ?? 1);
  return {
    base: each(0),
    revocations: each(1),
    tokens: each(2),
    rested: { base: median(bursts[0] ?? []), tokens: median(bursts[2] ?? []) },
    verdictsMiB,
  };
};

const REVOKED = 400;
const AT_ONCE = 4;

const validNow = async (caller: Caller, request: Buffer, token: string): Promise<boolean> =>
  ValidateTokenResponse.decode(await caller.call(VALIDATE, request, token)).valid;

export interface Propagation {
  readonly p50: number;
  readonly p99: number;
  readonly count: number;
}

/** Milliseconds from asking one replica to revoke a token to its refusal by another, which answers as fast as it can meanwhile. */
export const propagation = async (here: Subject, there: Subject): Promise<Propagation> => {
  const [near, far] = [await openCaller(here.hub.grpc), await openCaller(there.hub.grpc)];
  const { accessToken } = await login(near, here.setting);
  const tokens = await accessTokens(near, here.setting, REVOKED);
  const times: number[] = [];
  let loaded = true;
  const crowd = await openDriver({
    url: `http://${there.hub.grpc}`,
    path: VALIDATE,
    requests: [validate(accessToken)],
    headers: { authorization: `Bearer ${accessToken}` },
    connections: 5,
    streams: 16,
  });
  const load = (async () => {
    while (loaded) await crowd.drive(500);
  })();
  const one = async (token: string): Promise<void> => {
    const question = validate(token);
    // Known over there, as a token in use is.
    if (!(await validNow(far, question, accessToken))) throw new Error('a good token was refused');
    const request = RevokeTokenRequest.fromPartial({ token, scope: 'token', reason: 'bench' });
    const sent = performance.now();
    await near.call(REVOKE, Buffer.from(RevokeTokenRequest.encode(request).finish()), accessToken);
    while (await validNow(far, question, accessToken));
    times.push(performance.now() - sent);
  };
  const worker = async (): Promise<void> => {
    for (let token = tokens.pop(); token !== undefined; token = tokens.pop()) await one(token);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  loaded = false;
  await load;
  crowd.close();
  near.close();
  far.close();
  times.sort((a, b) => a - b);
  return { p50: median(times), p99: times[Math.floor(times.length * 0.99)] ?? 0, count: times.length };
};
