import { describe, expect, it } from '@jest/globals';
import type { Log } from '../platform.ts';
import { createLifecycle, exitOnSignals, type Part } from './lifecycle.ts';

const setUp = () => {
  const did: string[] = [];
  const logged: string[] = [];
  const log: Log = {
    info: () => {},
    warn: (fields, message) => logged.push(`${String(fields['name'])} ${message}`),
    error: (fields, message) => logged.push(`${String(fields['name'])} ${message}`),
  };
  const part = (name: string, over: Partial<Part> = {}): Part => ({
    name,
    start: () => void did.push(`start ${name}`),
    stop: async () => void did.push(`stop ${name}`),
    ...over,
  });
  return { did, logged, log, part };
};

describe('the life of the process', () => {
  it('starts its parts in order and stops them in reverse, once', async () => {
    const { did, log, part } = setUp();
    const life = createLifecycle({ log, parts: [part('storage'), part('keys'), part('grpc')], patience: 1000 });
    await life.start();
    await Promise.all([life.stop(), life.stop()]);
    expect(did).toEqual(['start storage', 'start keys', 'start grpc', 'stop grpc', 'stop keys', 'stop storage']);
  });

  it('takes down what stood when a part does not start', async () => {
    const { did, logged, log, part } = setUp();
    const broken = part('keys', { start: () => Promise.reject(new Error('no key')) });
    const life = createLifecycle({ log, parts: [part('storage'), broken, part('grpc')], patience: 1000 });
    await expect(life.start()).rejects.toThrow('no key');
    expect(did).toEqual(['start storage', 'stop storage']);
    expect(logged).toEqual(['keys failed to start']);
  });

  it('leaves a part behind that hangs or fails while stopping', async () => {
    const { did, logged, log, part } = setUp();
    const hangs = part('hangs', { stop: () => new Promise(() => {}) });
    const fails = part('fails', { stop: () => Promise.reject(new Error('no')) });
    const life = createLifecycle({ log, parts: [part('storage'), hangs, fails], patience: 30 });
    await life.start();
    await life.stop();
    expect(did).toContain('stop storage');
    expect(logged).toEqual(['fails failed to stop', 'hangs did not stop in time']);
  });

  it('stops a part that was still starting when the signal came', async () => {
    const { did, log, part } = setUp();
    let started = (): void => {};
    const slow = part('slow', { start: () => new Promise<void>((resolve) => (started = resolve)) });
    const life = createLifecycle({ log, parts: [part('storage'), slow, part('grpc')], patience: 1000 });
    const starting = life.start();
    await new Promise((resolve) => setImmediate(resolve));
    await life.stop();
    started();
    await starting;
    expect(did).toEqual(['start storage', 'stop storage', 'stop slow']);
  });
});

describe('a signal', () => {
  const signalled = async (over: { stop?: () => Promise<void>; atMost?: number; signals?: number }): Promise<number> => {
    const { log } = setUp();
    const codes: number[] = [];
    const off = exitOnSignals({
      log,
      stop: over.stop ?? (() => Promise.resolve()),
      atMost: over.atMost ?? 1000,
      exit: (code) => codes.push(code),
    });
    for (let count = 0; count < (over.signals ?? 1); count++) process.emit('SIGTERM', 'SIGTERM');
    for (let wait = 0; codes.length === 0 && wait < 200; wait++) await new Promise((resolve) => setTimeout(resolve, 5));
    off();
    return codes[0] ?? -1;
  };
  const hang = (): Promise<void> => new Promise(() => {});

  it('ends the process with 0 after it has stopped', async () => {
    expect(await signalled({})).toBe(0);
  });

  it('given twice ends it at once with 1', async () => {
    expect(await signalled({ stop: hang, atMost: 60_000, signals: 2 })).toBe(1);
  });

  it('ends it with 1 when stopping takes too long or fails', async () => {
    expect(await signalled({ stop: hang, atMost: 20 })).toBe(1);
    expect(await signalled({ stop: () => Promise.reject(new Error('no')) })).toBe(1);
  });
});
