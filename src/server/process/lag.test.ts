import { describe, expect, it } from '@jest/globals';
import type { LimitClass } from '../rpc/define.ts';
import { createLagMeter, sheds, smoothed } from './lag.ts';

const CLASSES: readonly LimitClass[] = ['stream', 'issue', 'batch', 'crypto', 'login', 'manage', 'check', 'verdict', 'vital'];

describe('shedding', () => {
  it.each<[number, string]>([
    [0, ''],
    [199, ''],
    [200, 'stream'],
    [300, 'stream issue'],
    [400, 'stream issue batch'],
    [600, 'stream issue batch crypto login manage'],
    [1000, 'stream issue batch crypto login manage check'],
    [60_000, 'stream issue batch crypto login manage check verdict'],
  ])('at %d ms with a threshold of 200 refuses: %s', (lag, wanted) => {
    expect(CLASSES.filter((limit) => sheds(limit, lag, 200)).join(' ')).toBe(wanted);
  });

  it('is off at threshold 0', () => {
    expect(CLASSES.filter((limit) => sheds(limit, 60_000, 0))).toEqual([]);
  });
});

describe('the lag meter', () => {
  it('does not take one long pause for overload, but does so a lasting one, and recovers', () => {
    expect(smoothed(0, 500)).toBeLessThan(200);
    let lag = 0;
    for (let tick = 0; tick < 10; tick++) lag = smoothed(lag, 400);
    expect(lag).toBeGreaterThan(300);
    for (let tick = 0; tick < 10; tick++) lag = smoothed(lag, 0);
    expect(lag).toBeLessThan(100);
  });

  it('takes a timer that comes early for one in time', () => {
    expect(smoothed(0, -15)).toBe(0);
  });

  it('notices an event loop that is held', async () => {
    const meter = createLagMeter({ monotonic: () => performance.now() }, 10);
    for (let round = 0; round < 5; round++) {
      const end = performance.now() + 120;
      while (performance.now() < end);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(meter.lag).toBeGreaterThan(20);
    expect(meter.shed('stream')).toBe(true);
    expect(meter.shed('vital')).toBe(false);
    meter.stop();
  });
});
