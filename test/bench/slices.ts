// How long a batch holds the event loop at once: nobody else is served meanwhile. One batch at a time, on a hub that watches its own loop.
import type { Environment } from '../hub-process.ts';
import { conditionBatch } from './conditions.ts';
import { openCaller } from './driver.ts';
import { createLoopProbe, type Held } from './loop.ts';
import { startHub } from './processes.ts';
import { BATCH, login, roleBatch, type Setting } from './rows.ts';

export interface SliceResult {
  readonly name: string;
  readonly batches: number;
  readonly held: Held;
}

const WARM = 100;
const BATCHES = 1000;

/** Where the types and policies of the conditions' row are there already. */
export const sliceRows = async (env: Environment, setting: Setting): Promise<readonly SliceResult[]> => {
  const probe = createLoopProbe();
  const hub = await startHub({ ...env, ...probe.env, TLS: 'off' });
  const caller = await openCaller(hub.grpc);
  const { accessToken } = await login(caller, { ...setting, grpc: hub.grpc });
  const ask = async (request: Buffer, times: number): Promise<void> => {
    for (let at = 0; at < times; at += 1) await caller.call(BATCH, request, accessToken);
  };
  const results: SliceResult[] = [];
  for (const [name, request] of [
    ['BatchCheck of 1,000', roleBatch],
    ['BatchCheck of 1,000, a condition each', conditionBatch],
  ] as const) {
    await ask(request, WARM);
    await probe.read(hub.pid);
    await ask(request, BATCHES);
    results.push({ name, batches: BATCHES, held: await probe.read(hub.pid) });
  }
  caller.close();
  await hub.stop();
  return results;
};
