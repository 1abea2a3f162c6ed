// Asks a replica one question in a steady rhythm, in a process of its own: what the bench does besides must not hold up what it measures.
import { CheckPermissionResponse } from '../../../src/gen/securityhub/v1/security_hub.ts';
import { openCaller, percentile } from '../driver.ts';

/** What is asked, of whom. */
export interface Asking {
  readonly grpc: string;
  readonly token: string;
  /** A CheckPermissionRequest, base64. */
  readonly request: string;
}

/** To it: so many checks at once and no more; so many a second from now on, 0 = none; what were the times since you told them last. */
export type Order = { readonly warm: number } | { readonly rate: number } | { readonly tell: true };

/** Milliseconds from when a check was due to its answer: whatever held up its sending counts. */
export interface Times {
  readonly p50: number;
  readonly p99: number;
  readonly checks: number;
  readonly failed: number;
}

/** From it: the verdict has changed; what was ordered is done. */
export type Notice = { readonly allowed: boolean } | { readonly done: Times };

const AT_ONCE = 50;

const { grpc, token, request } = JSON.parse(process.argv[2] ?? '') as Asking;
const bytes = Buffer.from(request, 'base64');
const caller = await openCaller(grpc);
let times: number[] = [];
let failed = 0;
let allowed: boolean | null = null;

const notify = (notice: Notice): void => void process.send?.(notice);

const one = async (due: number): Promise<void> => {
  try {
    const answer = CheckPermissionResponse.decode(await caller.call('/securityhub.v1.SecurityHub/CheckPermission', bytes, token));
    times.push(performance.now() - due);
    if (allowed !== answer.allowed) notify({ allowed: (allowed = answer.allowed) });
  } catch {
    failed += 1;
  }
};

/** Milliseconds that a full collection of its own and what came due meanwhile take. */
const BREATH = 300;

/** It collects between two tellings, so that none of its own pauses is taken for one of the replica. */
const told = async (): Promise<Times> => {
  const sorted = times.sort((a, b) => a - b);
  const result = { p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99), checks: sorted.length, failed };
  // Failures count whenever they come, also while it collects.
  failed = 0;
  globalThis.gc?.();
  await new Promise((resolve) => setTimeout(resolve, BREATH));
  times = [];
  return result;
};

let rhythm: NodeJS.Timeout | undefined;

/** Whether those before are answered or not. */
const keep = (rate: number): void => {
  clearInterval(rhythm);
  const began = performance.now();
  let sent = 0;
  const send = (): void => {
    for (const due = ((performance.now() - began) * rate) / 1000; sent < due; sent += 1) void one(began + (sent * 1000) / rate);
  };
  if (rate > 0) rhythm = setInterval(send, 1);
};

const obey = async (order: Order): Promise<void> => {
  if ('rate' in order) keep(order.rate);
  if ('warm' in order)
    for (let asked = 0; asked < order.warm; asked += AT_ONCE)
      await Promise.all(Array.from({ length: AT_ONCE }, () => one(performance.now())));
  notify({ done: await told() });
};

process.on('message', (order: Order) => void obey(order));
process.on('disconnect', () => process.exit(0));
