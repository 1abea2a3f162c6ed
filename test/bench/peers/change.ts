// A policy changed through one replica of a tenant with many: when the other obeys it, and what its checks notice meanwhile.
import { constants, setPriority } from 'node:os';
import { ApplyPoliciesRequest } from '../../../src/gen/securityhub/v1/policy.ts';
import { CheckPermissionRequest, CheckPermissionResponse } from '../../../src/gen/securityhub/v1/security_hub.ts';
import type { Caller } from '../driver.ts';
import { createLoopProbe, type Held, type LoopProbe } from '../loop.ts';
import { pin } from '../processes.ts';
import { EMPLOYEE, pad } from './leave.ts';
import { play, type Playing, type Stage } from './stage.ts';

/** What happened to the checks of one replica. */
export interface AskedResult {
  /** Checks a second. */
  readonly rate: number;
  /** Milliseconds from the answer of the apply until it decides by it; the slowest. */
  readonly activeIn: number;
  /** While nothing changes. */
  readonly calm: Times;
  /** From the beginning of the first apply to the end of the last. */
  readonly changing: Times;
}

export interface ChangeResult {
  /** Another replica writes, and this one hears of it; at each rate. */
  readonly hears: readonly AskedResult[];
  /** It writes itself. */
  readonly writes: readonly AskedResult[];
}

interface Times {
  /** Milliseconds from when a check was due to its answer, as the load sees it: whatever held up its sending counts. */
  readonly p50: number;
  readonly p99: number;
  readonly checks: number;
  /** What held the event loop of the replica that is asked; null where nobody looked. */
  readonly held: Held | null;
}

const timesOf = (times: number[]): Omit<Times, 'held'> => {
  const sorted = times.splice(0).sort((a, b) => a - b);
  const share = (part: number): number => sorted[Math.floor(sorted.length * part)] ?? 0;
  return { p50: share(0.5), p99: share(0.99), checks: sorted.length };
};

/** So many that a full collection, every some seconds, weighs in the 99th percentile as it does in life. */
const CHANGES = 100;
const CALM = 5000;
/** Checks before any is counted: a hub that has just started compiles what it does while it does it. */
const WARM = 30_000;
const AT_ONCE = 50;
/** Milliseconds between what one change brought about and the next one. */
const REST = 50;
/** Checks a second, whether those before are answered or not. */
const RATES = [1000, 5000];

const policy = (effect: 'allow' | 'deny'): string => `apiVersion: securityhub/v1
kind: ResourcePolicy
metadata: { name: changing }
spec:
  resource: employee_record_${pad(0)}
  rules:
    - { name: given, effect: allow, actions: [edit], principals: ["user:${EMPLOYEE}"] }
    - { name: taken, effect: deny, actions: [${effect === 'deny' ? 'edit' : 'defer'}], principals: ["user:${EMPLOYEE}"] }
`;

const bytes = (message: { finish(): Uint8Array }): Buffer => Buffer.from(message.finish());
const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

const apply = (caller: Caller, token: string, effect: 'allow' | 'deny'): Promise<Buffer> => {
  const sources = [{ name: 'changing', content: policy(effect) }];
  const request = ApplyPoliciesRequest.encode(ApplyPoliciesRequest.fromPartial({ sources, acknowledgeRisk: true }));
  return caller.call('/securityhub.v1.AuthorizationService/ApplyPolicies', bytes(request), token);
};

const CHECK = '/securityhub.v1.SecurityHub/CheckPermission';
const principal = { $case: 'subject' as const, value: { type: 'user', id: EMPLOYEE } };
const asked = { principal, action: 'edit', resource: { type: `employee_record_${pad(0)}`, id: 'e1' } };
const request = bytes(CheckPermissionRequest.encode(CheckPermissionRequest.fromPartial(asked)));

const warm = async ({ caller, token }: Playing): Promise<void> => {
  for (let asked = 0; asked < WARM; asked += AT_ONCE)
    await Promise.all(Array.from({ length: AT_ONCE }, () => caller.call(CHECK, request, token)));
};

/** Checks of `reader` in a steady rhythm, while `writer` changes a policy now and then. */
const observe = async (reader: Playing, writer: Playing, probe: LoopProbe | null, rate: number): Promise<AskedResult> => {
  const times: number[] = [];
  const waits: number[] = [];
  let allowed = false;
  let asking = true;
  let failed: unknown;
  const one = async (due: number): Promise<void> => {
    try {
      const answer = await reader.caller.call(CHECK, request, reader.token);
      allowed = CheckPermissionResponse.decode(answer).allowed;
      times.push(performance.now() - due);
    } catch (thrown) {
      // Told at the end, when the hubs are stopped.
      failed ??= thrown;
    }
  };
  const load = (async () => {
    const open: Promise<void>[] = [];
    const began = performance.now();
    for (; asking; await pause(1))
      for (const due = ((performance.now() - began) * rate) / 1000; open.length < due; )
        open.push(one(began + (open.length * 1000) / rate));
    await Promise.all(open);
  })();
  const change = async (wanted: boolean): Promise<void> => {
    await apply(writer.caller, writer.token, wanted ? 'allow' : 'deny');
    const answered = performance.now();
    while (allowed !== wanted) {
      if (performance.now() - answered > 10_000) throw new Error('the change is not active after 10 s');
      await pause(1);
    }
    waits.push(performance.now() - answered);
    await pause(REST);
  };
  const since = async (): Promise<Times> => ({ ...timesOf(times), held: (await probe?.read(reader.hub.pid)) ?? null });
  try {
    // Both replicas have read everything, and a few times what changed.
    for (const wanted of [true, false, true, false]) await change(wanted);
    await since();
    waits.length = 0;
    await pause(CALM);
    const calm = await since();
    for (let at = 0; at < CHANGES; at += 1) await change(at % 2 === 0);
    if (failed !== undefined) throw failed;
    return { rate, activeIn: Math.max(...waits), calm, changing: await since() };
  } finally {
    asking = false;
    await load;
  }
};

const observed = async (stage: Stage, probe: LoopProbe | null): Promise<ChangeResult> => {
  const reader = await play({ ...stage, production: { ...stage.production, ...probe?.env } });
  const writer = await play(stage);
  // Replicas do not share a core: the one that writes has that of the load.
  pin(writer.hub.pid, 1);
  try {
    await warm(reader);
    const at = async (from: Playing): Promise<readonly AskedResult[]> => {
      const results: AskedResult[] = [];
      for (const rate of RATES) results.push(await first(() => observe(reader, from, probe, rate)));
      return results;
    };
    return { hears: await at(writer), writes: await at(reader) };
  } finally {
    await writer.stop();
    await reader.stop();
  }
};

/** The load goes before all that shares its core, where the system lets it: callers have machines of their own. */
const first = async <T>(work: () => Promise<T>): Promise<T> => {
  try {
    setPriority(constants.priority.PRIORITY_HIGHEST);
  } catch {
    // Then it waits for its turn, and the times tell.
  }
  try {
    return await work();
  } finally {
    setPriority(constants.priority.PRIORITY_NORMAL);
  }
};

/** The times of a hub as it ships; what held the loop from another, because the probe keeps its core busy. */
const joined = (times: readonly AskedResult[], looked: readonly AskedResult[]): readonly AskedResult[] =>
  times.map((one, at) => ({
    ...one,
    calm: { ...one.calm, held: looked[at]?.calm.held ?? null },
    changing: { ...one.changing, held: looked[at]?.changing.held ?? null },
  }));

/** On the companies of the load test. */
export const changeRow = async (stage: Stage): Promise<ChangeResult> => {
  const times = await observed(stage, null);
  const looked = await observed(stage, createLoopProbe());
  return { hears: joined(times.hears, looked.hears), writes: joined(times.writes, looked.writes) };
};
