// What belongs to a call dies with it, before any full collection: requests and answers of tens of kilobytes show it best.
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { BatchCheckRequest, SecurityHubService as Hub } from '../../src/gen/securityhub/v1/security_hub.ts';
import { type Caller, openCaller } from '../faults/caller.ts';
import { waitFor } from '../harness.ts';
import { type HubProcess, hubHome, NODE_OPTIONS, startHub } from '../hub-process.ts';

let hub: HubProcess;
let caller: Caller;

beforeAll(async () => {
  hub = await startHub({
    ...hubHome().env,
    NODE_OPTIONS: `${NODE_OPTIONS} --import ${join(import.meta.dirname, 'no-collections.ts')}`,
  });
  caller = openCaller(hub.grpc, hub.bootstrap().access_token);
}, 30_000);
afterAll(async () => {
  caller?.close();
  await hub?.stop();
});

/** So many that request and answer are large, and an answer still fits into what a caller takes unasked (64 KiB). */
const CHECKS = 600;
const checks = Array.from({ length: CHECKS }, (_, id) => ({
  id: String(id),
  action: 'read',
  resource: { type: 'conversations', id: `r${id}-${'x'.repeat(64)}` },
}));
const request = BatchCheckRequest.fromPartial({ checks });

const held = async (): Promise<number> => {
  const said = (): RegExpMatchArray[] => [...hub.output().matchAll(/\[holds (\d+) bytes\]/g)];
  const before = said().length;
  process.kill(hub.pid, 'SIGUSR2');
  await waitFor(() => Promise.resolve(said().length > before), 2000, 'its answer');
  return Number(said().at(-1)?.[1]);
};

it.each([
  ['a batch leaves', 1],
  ['a batch that waits for others leaves', 64],
])(
  '%s nothing behind',
  async (_, atOnce) => {
    const ask = async (times: number): Promise<void> => {
      for (let n = 0; n < times; n += atOnce) {
        const answers = await Promise.all(Array.from({ length: atOnce }, () => caller.ask(Hub.batchCheck, request)));
        for (const { results } of answers) expect(results).toHaveLength(CHECKS);
      }
    };
    await ask(128);
    // Of several windows the middle one: V8 collects all the same once buffers take 64 MB.
    const grown: number[] = [];
    for (let window = 0, before = await held(); window < 7; window += 1) {
      await ask(64);
      const now = await held();
      grown.push((now - before) / 64);
      before = now;
    }
    // Each is 59 KiB and its answer 54.
    expect(grown.toSorted((a, b) => a - b)[3]).toBeLessThan(10 * 1024);
  },
  60_000,
);
