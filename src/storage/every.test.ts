import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { createJobs, type EveryOptions, type Jobs } from './every.ts';
import type { Lease } from './storage.ts';

const free: Lease = { acquire: async () => 1, release: async () => {} };
const taken: Lease = { acquire: async () => null, release: async () => {} };

/** Without jitter a run begins as long after the last one's end as was said. */
const jobsWith = (over: Partial<EveryOptions> = {}): Jobs => createJobs({ lease: free, onError: () => {}, jitter: () => 0.5, ...over });

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

describe('a background job', () => {
  it('runs at its pace until stopped', async () => {
    let runs = 0;
    const jobs = jobsWith();
    jobs.every('count', 5, async () => void (runs += 1));
    await jest.advanceTimersByTimeAsync(60);
    await jobs.stop();
    expect(runs).toBe(12);
    await jest.advanceTimersByTimeAsync(20);
    expect(runs).toBe(12);
  });

  it.each([
    [0, 850],
    [1, 1150],
  ])('runs up to 15 % sooner or later (%s)', async (chance, after) => {
    let runs = 0;
    const jobs = jobsWith({ jitter: () => chance });
    jobs.every('count', 1000, async () => void (runs += 1));
    await jest.advanceTimersByTimeAsync(after - 1);
    expect(runs).toBe(0);
    await jest.advanceTimersByTimeAsync(1);
    expect(runs).toBe(1);
    await jobs.stop();
  });

  it('never runs twice at once, and stop waits for it', async () => {
    let now = 0;
    let most = 0;
    let runs = 0;
    const jobs = jobsWith();
    jobs.every('slow', 1, async () => {
      runs += 1;
      now += 1;
      most = Math.max(most, now);
      await new Promise((resolve) => setTimeout(resolve, 20));
      now -= 1;
    });
    await jest.advanceTimersByTimeAsync(50);
    expect([now, runs]).toEqual([1, 3]);
    const stopped = jobs.stop();
    await jest.advanceTimersByTimeAsync(20);
    await stopped;
    expect([most, now, runs]).toEqual([1, 0, 3]);
  });

  it('goes on after a failure, which is told', async () => {
    const errors: string[] = [];
    const jobs = jobsWith({ onError: (name) => void errors.push(name) });
    jobs.every('bad', 1, async () => {
      throw new Error('no');
    });
    await jest.advanceTimersByTimeAsync(3);
    await jobs.stop();
    expect(errors).toEqual(['bad', 'bad', 'bad']);
  });

  it('waits while another holds its lease', async () => {
    let runs = 0;
    let asked = 0;
    const lease: Lease = { ...taken, acquire: async () => ((asked += 1), null) };
    const jobs = jobsWith({ lease });
    jobs.every('leased', 1, async () => void (runs += 1), true);
    await jest.advanceTimersByTimeAsync(20);
    await jobs.stop();
    expect([asked, runs]).toEqual([20, 0]);
  });
});
