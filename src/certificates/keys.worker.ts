// Keys made for callers that have none: EC at once, RSA on a thread of its own, one at a time behind a bounded queue.
import { generateKeyPairSync } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import { Fault, unavailable } from '../base/fault.ts';
import type { KeyMaker, KeyType, MadeKey } from './issuance.ts';

interface Waiting {
  readonly bits: number;
  readonly resolve: (key: MadeKey) => void;
  readonly reject: (fault: Fault) => void;
}

export interface KeyThread extends KeyMaker {
  /** Ends the thread; what waits is refused. */
  close(): Promise<void>;
}

// The same file from source (Node strips its types) and from the compiled tree.
const ENTRY = new URL(import.meta.url.endsWith('.ts') ? './rsa.thread.ts' : './rsa.thread.js', import.meta.url);
const QUEUE = 32;
const CURVES: Partial<Record<KeyType, string>> = { 'ecdsa-p256': 'P-256', 'ecdsa-p384': 'P-384' };
const BITS: Partial<Record<KeyType, number>> = { 'rsa-2048': 2048, 'rsa-3072': 3072 };

const busy = (): Fault => new Fault('RESOURCE_EXHAUSTED', 'KEY_GENERATION_BUSY', 'too many RSA keys are being made', { retryAfter: 2000 });
const broken = (cause: unknown): Fault => unavailable('KEY_GENERATION_UNAVAILABLE', 'RSA keys cannot be made right now', cause);

export const createKeyThread = (): KeyThread => {
  const waiting: Waiting[] = [];
  let worker: Worker | null = null;
  let current: Waiting | null = null;
  let closed = false;

  const proceed = (): void => {
    current = waiting.shift() ?? null;
    if (current === null) {
      worker?.unref();
      return;
    }
    worker ??= spawn();
    worker.ref();
    worker.postMessage(current.bits);
  };

  const lost = (cause: unknown): void => {
    worker = null;
    current?.reject(broken(cause));
    proceed();
  };

  const spawn = (): Worker => {
    const made = new Worker(ENTRY, { execArgv: [], env: {}, resourceLimits: { maxOldGenerationSizeMb: 32 } });
    made.on('message', ({ spki, pkcs8 }: { readonly spki: Uint8Array; readonly pkcs8: Uint8Array }) => {
      current?.resolve({ spki: Buffer.from(spki), pkcs8: Buffer.from(pkcs8) });
      proceed();
    });
    made.on('error', (cause) => worker === made && lost(cause));
    made.on('exit', () => worker === made && !closed && lost('the thread ended'));
    return made;
  };

  return {
    make(type) {
      const namedCurve = CURVES[type];
      if (namedCurve !== undefined) {
        const { publicKey, privateKey } = generateKeyPairSync('ec', {
          namedCurve,
          publicKeyEncoding: { type: 'spki', format: 'der' },
          privateKeyEncoding: { type: 'pkcs8', format: 'der' },
        });
        return { spki: publicKey, pkcs8: privateKey };
      }
      return new Promise((resolve, reject) => {
        if (closed) return reject(broken('closed'));
        if (waiting.length >= QUEUE) return reject(busy());
        waiting.push({ bits: BITS[type] ?? 2048, resolve, reject });
        if (current === null) proceed();
      });
    },
    async close() {
      closed = true;
      const ending = worker;
      worker = null;
      for (const one of [...(current === null ? [] : [current]), ...waiting.splice(0)]) one.reject(broken('closed'));
      current = null;
      await ending?.terminate();
    },
  };
};
