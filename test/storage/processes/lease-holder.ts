// A process that wants one lease all the time, and says when it has it: argv: uri, owner.
import { createDatabase } from '../../../src/storage/database.postgres.ts';
import { createLease } from '../../../src/storage/lease.postgres.ts';
import { createPool } from '../../../src/storage/pool.postgres.ts';

const [uri = '', owner = ''] = process.argv.slice(2);
const lease = createLease(createDatabase({ pool: createPool({ uri, size: 2 }) }), owner);
const TTL = 300;

for (;;) {
  const asked = Date.now();
  const fence = await lease.acquire('contested', TTL);
  // What the holder may rely on: from the answer until a lifetime after the question.
  if (fence !== null) process.stdout.write(`${JSON.stringify({ owner, fence, from: Date.now(), until: asked + TTL })}\n`);
  await new Promise((resolve) => setTimeout(resolve, 20 + Math.random() * 40));
}
