// What belongs to a call dies with it, before any full collection: requests and answers of tens of kilobytes show it best.
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { BatchCheckRequest, SecurityHubService as Hub } from '../../src/gen/securityhub/v1/security_hub.ts';
import { type Caller, openCaller } from '../faults/caller.ts';
import { waitFor } from '../harness.ts';
import { type HubProcess, hubHome, startHub } from '../hub-process.ts';

let hub: HubProcess;
let caller: Caller;

beforeAll(async () => {
  hub = await startHub({
    ...hubHome().env,
    NODE_OPTIONS: `--max-semi-space-size=8 --import ${join(import.meta.dirname, 'no-collections.ts')}`,
  });
  caller = openCaller(hub.grpc, hub.bootstrap().access_token);
}, 30_000);
afterAll(async () => {
  caller?.close();
  await hub?.stop();
});

const checks = Array.from({ length: 1000 }, (_, id) => ({
  id: String(id),
  action: 'read',
  resource: { type: 'conversations', id: `r${id}` },
}));
const request = BatchCheckRequest.fromPartial({ checks });

const held = async (): Promise<number> => {
  const said = (): RegExpMatchArray[] => [...hub.output().matchAll(/\[holds (\d+) bytes\]/g)];
  const before = said().length;
  process.kill(hub.pid, 'SIGUSR2');
  await waitFor(() => Promise.resolve(said().length > before), 2000, 'its answer');
  return Number(said().at(-1)?.[1]);
};

it('a batch leaves nothing behind', async () => {
  const ask = async (times: number): Promise<void> => {
    for (let n = 0; n < times; n += 1) expect((await caller.ask(Hub.batchCheck, request)).results).toHaveLength(1000);
  };
  await ask(100);
  const before = await held();
  await ask(300);
  const grown = (await held()) - before;
  // Each is 30 KiB and its answer 40.
  expect(grown / 300).toBeLessThan(10 * 1024);
}, 60_000);
