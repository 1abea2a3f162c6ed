// argon2id on dedicated threads behind a bounded queue (Node's own argon2Sync; the async one shares libuv's pool with everything else).
import { Worker } from 'node:worker_threads';
import { equalBytes } from '../base/bytes.ts';
import { badField, Fault } from '../base/fault.ts';
import type { Random } from '../base/random.ts';
import type { Clock, Instant } from '../base/time.ts';
import type { HashJob } from './argon2.thread.ts';
import { HASH_BYTES, normalisePassword, parseRecord, printRecord, SALT_BYTES, sameParameters } from './password.ts';
import type { HashParameters, PasswordRecord, Passwords } from './password.ts';

export interface PasswordThreads extends Passwords {
  /** Ends the threads; what waits is refused. */
  close(): Promise<void>;
  /** Hashes evaluated since the start. */
  readonly evaluated: number;
}

interface Options {
  readonly parameters: HashParameters;
  readonly threads: number;
  readonly queue: number;
  readonly clock: Clock;
  readonly random: Random;
}

interface Waiting {
  readonly job: HashJob;
  readonly until: Instant;
  readonly resolve: (tag: Buffer) => void;
  readonly reject: (fault: Fault) => void;
}

interface Thread {
  readonly worker: Worker;
  current: Waiting | null;
}

// The same file from source (Node strips its types) and from the compiled tree.
const ENTRY = new URL(import.meta.url.endsWith('.ts') ? './argon2.thread.ts' : './argon2.thread.js', import.meta.url);

const busy = (): Fault => new Fault('RESOURCE_EXHAUSTED', 'LOGIN_BUSY', 'too many logins are waiting for their turn', { retryAfter: 1000 });
const late = (): Fault => new Fault('DEADLINE_EXCEEDED', 'DEADLINE_EXCEEDED', 'the password was not hashed in time');
const broken = (cause: unknown): Fault =>
  new Fault('UNAVAILABLE', 'LOGIN_UNAVAILABLE', 'passwords cannot be hashed right now', { cause, retryAfter: 1000 });

export const createPasswordThreads = ({ parameters, threads, queue, clock, random }: Options): PasswordThreads => {
  const pool: Thread[] = [];
  const waiting: Waiting[] = [];
  let closed = false;
  let evaluated = 0;

  const start = (thread: Thread, next: Waiting): void => {
    thread.current = next;
    // A hash under way keeps the process alive until it is done; an idle thread does not.
    thread.worker.ref();
    thread.worker.postMessage(next.job);
  };

  const proceed = (thread: Thread): void => {
    thread.current = null;
    thread.worker.unref();
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      if (next.until > clock.now()) return start(thread, next);
      next.reject(late());
    }
  };

  const lost = (thread: Thread, cause: unknown): void => {
    const at = pool.indexOf(thread);
    if (at >= 0) pool.splice(at, 1);
    thread.current?.reject(broken(cause));
    thread.current = null;
    const next = closed ? undefined : waiting.shift();
    if (next !== undefined) start(spawn(), next);
  };

  const spawn = (): Thread => {
    const worker = new Worker(ENTRY, { execArgv: [], env: {}, resourceLimits: { maxOldGenerationSizeMb: 16 } });
    const thread: Thread = { worker, current: null };
    pool.push(thread);
    worker.on('message', (tag: Uint8Array) => {
      evaluated += 1;
      thread.current?.resolve(Buffer.from(tag));
      proceed(thread);
    });
    worker.on('error', (cause) => lost(thread, cause));
    worker.on('exit', () => pool.includes(thread) && lost(thread, 'the thread ended'));
    worker.unref();
    return thread;
  };

  const run = (job: HashJob, until: Instant): Promise<Buffer> =>
    new Promise((resolve, reject) => {
      if (closed) return reject(broken('closed'));
      if (until <= clock.now()) return reject(late());
      const one: Waiting = { job, until, resolve, reject };
      const idle = pool.find((thread) => thread.current === null) ?? (pool.length < threads ? spawn() : undefined);
      if (idle !== undefined) return start(idle, one);
      if (waiting.length >= queue) return reject(busy());
      waiting.push(one);
    });

  const derive = (
    password: string,
    salt: Buffer,
    { memory, passes, lanes }: HashParameters,
    length: number,
    until: Instant,
  ): Promise<Buffer> => run({ password, salt, memory, passes, lanes, length }, until);

  // Nobody's password: its hash is random, so nothing ever matches it.
  const dummy: PasswordRecord = { parameters, salt: random.bytes(SALT_BYTES), hash: random.bytes(HASH_BYTES) };

  return {
    async hash(password, until) {
      const salt = random.bytes(SALT_BYTES);
      const normal = normalisePassword(password);
      if (normal === null) throw badField('password', 'is too long', 'PASSWORD_TOO_WEAK');
      return printRecord({ parameters, salt, hash: await derive(normal, salt, parameters, HASH_BYTES, until) });
    },
    async verify(record, password, until) {
      const normal = normalisePassword(password);
      const stored = (record === null || normal === null ? null : parseRecord(record)) ?? dummy;
      const tag = await derive(normal ?? '', stored.salt, stored.parameters, stored.hash.length, until);
      return equalBytes(tag, stored.hash) && stored !== dummy;
    },
    outdated(record) {
      const stored = parseRecord(record);
      return stored === null || !sameParameters(stored.parameters, parameters);
    },
    async close() {
      closed = true;
      for (const one of waiting.splice(0)) one.reject(broken('closed'));
      const ending = pool.splice(0);
      for (const thread of ending) thread.current?.reject(broken('closed'));
      await Promise.all(ending.map((thread) => thread.worker.terminate()));
    },
    get evaluated() {
      return evaluated;
    },
  };
};
