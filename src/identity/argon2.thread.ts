// A thread that does nothing but hash passwords: argon2 holds a core for tens of milliseconds, which must not be the event loop's.
// It imports Node alone, so that it runs as a bare thread from source and from the compiled tree.
import { argon2Sync } from 'node:crypto';
import { parentPort } from 'node:worker_threads';

export interface HashJob {
  readonly password: string;
  readonly salt: Uint8Array;
  readonly memory: number;
  readonly passes: number;
  readonly lanes: number;
  readonly length: number;
}

parentPort?.on('message', (job: HashJob) => {
  const { password, salt, memory, passes, lanes, length } = job;
  parentPort?.postMessage(
    argon2Sync('argon2id', { message: password, nonce: salt, memory, passes, parallelism: lanes, tagLength: length }),
  );
});
