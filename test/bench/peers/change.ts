// A policy changed through one replica of a tenant with many: when the other obeys it, and what its checks notice meanwhile.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { ApplyPoliciesRequest } from '../../../src/gen/securityhub/v1/policy.ts';
import { CheckPermissionRequest } from '../../../src/gen/securityhub/v1/security_hub.ts';
import type { Caller } from '../driver.ts';
import { createLoopProbe, type Held, type LoopProbe } from '../loop.ts';
import { goFirst, pin } from '../processes.ts';
import type { Asking, Notice, Order, Times } from './asker.ts';
import { EMPLOYEE, pad } from './leave.ts';
import { play, type Playing, type Stage } from './stage.ts';

/** What happened to the checks of one replica. */
export interface AskedResult {
  /** Checks a second. */
  readonly rate: number;
  /** Milliseconds from the answer of the apply until it decides by it; the slowest. */
  readonly activeIn: number;
  /** While nothing changes. */
  readonly calm: Watched;
  /** From the beginning of the first apply to the end of the last. */
  readonly changing: Watched;
}

export interface ChangeResult {
  /** Another replica writes, and this one hears of it; at each rate. */
  readonly hears: readonly AskedResult[];
  /** It writes itself. */
  readonly writes: readonly AskedResult[];
}

interface Watched extends Times {
  /** What held the event loop of the replica that is asked; null where nobody looked. */
  readonly held: Held | null;
}

/** So many that full collections, one every ten seconds or so, weigh in the 99th percentile as they do in life. */
const CHANGES = 200;
const CALM = 10_000;
/** Checks before any is counted: a hub that has just started compiles what it does while it does it. */
const WARM = 30_000;
/** Milliseconds between what one change brought about and the next one. */
const REST = 50;
const PATIENCE = 10_000;
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

const principal = { $case: 'subject' as const, value: { type: 'user', id: EMPLOYEE } };
const asked = { principal, action: 'edit', resource: { type: `employee_record_${pad(0)}`, id: 'e1' } };
const request = bytes(CheckPermissionRequest.encode(CheckPermissionRequest.fromPartial(asked))).toString('base64');

interface Asker {
  readonly pid: number | undefined;
  order(order: Order): Promise<Times>;
  /** When it first heard this verdict after the last change. */
  hears(allowed: boolean): Promise<number>;
  stop(): void;
}

/** Its own short collections must not look like the hub's: it has a small young generation. */
const startAsker = async ({ hub, token }: Playing): Promise<Asker> => {
  const asking: Asking = { grpc: hub.grpc, token, request };
  const child: ChildProcess = fork(join(import.meta.dirname, 'asker.ts'), [JSON.stringify(asking)], {
    execArgv: [...process.execArgv, '--max-semi-space-size=1', '--initial-old-space-size=256', '--expose-gc'],
  });
  await once(child, 'spawn');
  pin(child.pid, 1);
  let verdict: { readonly allowed: boolean; readonly at: number } | null = null;
  let settle: (times: Times) => void = () => {};
  let fail: (reason: Error) => void = () => {};
  child.once('exit', () => fail(new Error('the asker has ended')));
  child.on('message', (notice: Notice) => {
    if ('done' in notice) settle(notice.done);
    else verdict = { allowed: notice.allowed, at: performance.now() };
  });
  return {
    pid: child.pid,
    order: (order) =>
      new Promise((resolve, reject) => {
        [settle, fail] = [resolve, reject];
        child.send(order);
      }),
    async hears(allowed) {
      for (const began = performance.now(); verdict?.allowed !== allowed; await pause(1))
        if (performance.now() - began > PATIENCE) throw new Error('the change is not active after 10 s');
      return verdict.at;
    },
    stop: () => void child.kill(),
  };
};

/** Checks of `reader` in a steady rhythm, while `writer` changes a policy now and then. */
const observe = async (reader: Playing, writer: Playing, asker: Asker, probe: LoopProbe | null, rate: number): Promise<AskedResult> => {
  const change = async (wanted: boolean): Promise<number> => {
    await apply(writer.caller, writer.token, wanted ? 'allow' : 'deny');
    const answered = performance.now();
    const active = await asker.hears(wanted);
    await pause(REST);
    return Math.max(0, active - answered);
  };
  const since = async (): Promise<Watched> => ({
    ...(await asker.order({ tell: true })),
    held: (await probe?.read(reader.hub.pid)) ?? null,
  });
  await asker.order({ rate });
  // Both replicas have read everything, and a few times what changed.
  for (const wanted of [true, false, true, false]) await change(wanted);
  await since();
  await pause(CALM);
  const calm = await since();
  let activeIn = 0;
  for (let at = 0; at < CHANGES; at += 1) activeIn = Math.max(activeIn, await change(at % 2 === 0));
  const changing = await since();
  await asker.order({ rate: 0 });
  return { rate, activeIn, calm, changing };
};

const observed = async (stage: Stage, probe: LoopProbe | null): Promise<ChangeResult> => {
  const reader = await play({ ...stage, production: { ...stage.production, ...probe?.env } });
  const writer = await play(stage);
  // Replicas do not share a core: the one that writes has that of the load.
  pin(writer.hub.pid, 1);
  const asker = await startAsker(reader);
  try {
    await asker.order({ warm: WARM });
    goFirst(asker.pid);
    const at = async (from: Playing): Promise<readonly AskedResult[]> => {
      const results: AskedResult[] = [];
      for (const rate of RATES) results.push(await observe(reader, from, asker, probe, rate));
      return results;
    };
    return { hears: await at(writer), writes: await at(reader) };
  } finally {
    asker.stop();
    await writer.stop();
    await reader.stop();
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
