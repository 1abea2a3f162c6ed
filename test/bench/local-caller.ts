// A service in local mode: judges tokens as fast as it can, each as a string of its own, as it would come in a header.
// argv: address of the hub, an access token with token:inspect, file of the signing key, how many tokens, milliseconds.
import { join } from 'node:path';
import type * as Published from '../../src/client/index.ts';
import { signTokens } from './sign-tokens.ts';

const [address = '', credential = '', keyPath = '', count = '0', milliseconds = '0'] = process.argv.slice(2);
const { createClient } = (await import(join(import.meta.dirname, '../../dist/npm/client/index.mjs'))) as typeof Published;

const tokens = signTokens(keyPath, credential, Number(count));

const client = createClient({ address, credential, local: { cacheSize: 120_000 } });
while (client.localState()?.obstacle !== null) await new Promise((resolve) => setTimeout(resolve, 50));

let valids = 0;
const round = async (until: number): Promise<number> => {
  let done = 0;
  for (let at = 0; performance.now() < until; ) {
    // Looking at the clock a thousand times less often than at tokens.
    for (let n = 0; n < 1000; n++) {
      const { valid } = await client.validateToken({ token: (tokens[at] as Buffer).toString('latin1'), audience: 'security-hub' });
      if (valid) valids += 1;
      at = at + 1 === tokens.length ? 0 : at + 1;
      done += 1;
    }
    // A service does other things as well: streams and timers must get their turn.
    await new Promise((resolve) => setImmediate(resolve));
  }
  return done;
};
const heap = (): number => {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
};
const empty = heap();
for (const token of tokens) await client.validateToken({ token: token.toString('latin1'), audience: 'security-hub' });
const perToken = (heap() - empty) / tokens.length;
await round(performance.now() + 1000);
const rates: number[] = [];
for (let turn = 0; turn < 3; turn++) {
  valids = 0;
  const cpu = process.cpuUsage();
  const done = await round(performance.now() + Number(milliseconds) / 3);
  const { user, system } = process.cpuUsage(cpu);
  if (valids !== done) throw new Error(`${done - valids} of ${done} were refused`);
  rates.push(done / ((user + system) / 1e6));
}
const { asked, judged, tokens: known } = client.localState() ?? {};
process.send?.({ perCpuSecond: rates.toSorted((a, b) => a - b)[1], asked, judged, known, perToken });
await client.close();
process.disconnect?.();
