import { describe, expect, it } from '@jest/globals';
import { systemClock } from '../base/time.ts';
import { createFeed } from './feed.ts';
import type { FeedSource } from './feed-source.ts';

const unused = (): never => {
  throw new Error('not asked for here');
};

describe('the feed', () => {
  it('asks about acknowledgements one at a time, however many wait: a poll finds a connection free', async () => {
    let [asking, most, count] = [0, 0, 0];
    const replicas: FeedSource['replicas'] = async () => {
      asking += 1;
      count += 1;
      most = Math.max(most, asking);
      await new Promise((resolve) => setTimeout(resolve, 1));
      asking -= 1;
      if (count === 3) throw new Error('away for a moment');
      return { acknowledged: 1, live: 1 };
    };
    const source: FeedSource = { replicas, head: unused, poll: unused, live: unused, farewell: unused };
    const stream = { publish: () => {}, start: async () => {}, stop: async () => {} };
    const feed = createFeed({ source, stream, clock: systemClock, ceiling: 1000 });
    const answers = await Promise.allSettled(Array.from({ length: 50 }, () => feed.acknowledged(0, 0)));
    expect([most, answers.filter(({ status }) => status === 'fulfilled').length]).toEqual([1, 49]);
  });
});
