// Threads that collect and compile beside the calls go after the one that answers them; on Linux, where a thread has a priority.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { type HubProcess, hubHome, startHub } from '../hub-process.ts';

let hub: HubProcess;

beforeAll(async () => {
  hub = await startHub(hubHome().env);
}, 30_000);
afterAll(() => hub?.stop());

const threads = (pid: number): readonly (readonly [name: string, priority: number])[] =>
  readdirSync(`/proc/${pid}/task`).map((thread) => [
    readFileSync(`/proc/${pid}/task/${thread}/comm`, 'utf8').trim(),
    getPriority(Number(thread)),
  ]);

it('the thread that answers goes before those that collect and compile', () => {
  if (!existsSync('/proc/self/task')) return;
  const found = threads(hub.pid);
  const isWorker = ([name]: readonly [string, number]): boolean => name.includes('V8Worker');
  const own = getPriority();
  const workers = found.filter(isWorker);
  expect(workers.length).toBeGreaterThan(0);
  expect(workers.map(([, priority]) => priority)).toEqual(workers.map(() => Math.min(19, own + 10)));
  expect(found.filter((thread) => !isWorker(thread)).map(([, priority]) => priority)).not.toContain(own + 10);
});
