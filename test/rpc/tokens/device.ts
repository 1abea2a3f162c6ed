// A signing device made of software, in a process of its own: what a hardware module is to the hub. Its key never leaves that process.
import { type ChildProcess, fork } from 'node:child_process';
import { createPublicKey } from 'node:crypto';
import { once } from 'node:events';
import type { SigningDevice } from '../../../src/tokens/keys/signing-device.ts';

export interface SoftwareDevice extends SigningDevice {
  readonly pid: number;
  /** From now on its signatures are not worth anything. */
  spoil(): void;
  /** Answers nothing, but lives. */
  stall(): void;
  kill(): Promise<void>;
}

const PROGRAM = `
const { generateKeyPairSync, sign } = require('node:crypto');
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
process.on('message', ({ id, input }) => {
  const signature = sign('sha256', Buffer.from(input, 'base64'), { key: privateKey, dsaEncoding: 'ieee-p1363' });
  process.send({ id, signature: signature.toString('base64') });
});
process.on('disconnect', () => process.exit());
process.send({ publicKey: publicKey.export({ type: 'spki', format: 'pem' }) });
`;

export const startDevice = async (): Promise<SoftwareDevice> => {
  const child: ChildProcess = fork('-', { execArgv: ['-e', PROGRAM], stdio: 'ignore' });
  const [{ publicKey }] = (await once(child, 'message')) as [{ publicKey: string }];
  const waiting = new Map<number, { resolve(bytes: Buffer): void; reject(error: Error): void }>();
  let last = 0;
  let spoiled = false;
  let stalled = false;
  let gone = false;
  child.on('message', ({ id, signature }: { id: number; signature: string }) => {
    const bytes = Buffer.from(signature, 'base64');
    if (spoiled) bytes[0] = (bytes[0] ?? 0) ^ 1;
    waiting.get(id)?.resolve(bytes);
    waiting.delete(id);
  });
  child.on('exit', () => {
    gone = true;
    for (const one of waiting.values()) one.reject(new Error('the device is gone'));
    waiting.clear();
  });
  return {
    algorithm: 'ES256',
    pid: child.pid ?? 0,
    async publicKey() {
      if (gone) throw new Error('the device is gone');
      return createPublicKey(publicKey);
    },
    sign: (input) =>
      new Promise((resolve, reject) => {
        if (gone) return reject(new Error('the device is gone'));
        last++;
        waiting.set(last, { resolve, reject });
        if (!stalled) child.send({ id: last, input: Buffer.from(input).toString('base64') });
      }),
    spoil: () => {
      spoiled = true;
    },
    stall: () => {
      stalled = true;
    },
    async kill() {
      if (gone) return;
      const exit = once(child, 'exit');
      child.kill('SIGKILL');
      await exit;
    },
  };
};
