import { describe, expect, it } from '@jest/globals';
import { createJobs } from './every.ts';
import type { Lease } from './storage.ts';

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const free: Lease = { acquire: async () => 1, release: async () => {} };
const taken: Lease = { acquire: async () => null, release: async () => {} };

describe('a background job', () => {
  it('runs at its pace until stopped', async () => {
    let runs = 0;
    const jobs = createJobs({ lease: free, onError: () => {} });
    jobs.every('count', 5, async () => void (runs += 1));
    await pause(60);
    await jobs.stop();
    const stopped = runs;
    expect(stopped).toBeGreaterThan(2);
    await pause(20);
    expect(runs).toBe(stopped);
  });

  it('never runs twice at once, and stop waits for it', async () => {
    let now = 0;
    let most = 0;
    const jobs = createJobs({ lease: free, onError: () => {} });
    jobs.every('slow', 1, async () => {
      now += 1;
      most = Math.max(most, now);
      await pause(20);
      now -= 1;
    });
    await pause(50);
    await jobs.stop();
    expect([most, now]).toEqual([1, 0]);
  });

  it('goes on after a failure, which is told', async () => {
    const errors: string[] = [];
    const jobs = createJobs({ lease: free, onError: (name) => void errors.push(name) });
    jobs.every('bad', 1, async () => {
      throw new Error('no');
    });
    await pause(30);
    await jobs.stop();
    expect(errors.length).toBeGreaterThan(1);
  });

  it('waits while another holds its lease', async () => {
    let runs = 0;
    const jobs = createJobs({ lease: taken, onError: () => {} });
    jobs.every('leased', 1, async () => void (runs += 1), true);
    await pause(20);
    await jobs.stop();
    expect(runs).toBe(0);
  });
});
