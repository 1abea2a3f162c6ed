// One suite for the stream on Redis and its twin in memory.
import { randomBytes } from 'node:crypto';
import { afterAll, describe, expect, it } from '@jest/globals';
import type { Published } from '../../src/storage/change-stream.ts';
import { connectRedis } from '../../src/storage/connection.redis.ts';
import type { AppliedChange } from '../../src/storage/storage.ts';
import { createMemoryHub } from '../../src/storage/stream.memory.ts';
import { createRedisStream } from '../../src/storage/stream.redis.ts';
import { redisUrl, waitFor } from '../harness.ts';

const client = connectRedis({ url: redisUrl() });
afterAll(() => client.disconnect());

const key = `${randomBytes(6).toString('hex')}:changes`;
const streams = [
  { name: 'on Redis', make: () => createRedisStream({ client, reader: () => connectRedis({ url: redisUrl(), blocking: true }), key }) },
  { name: 'in memory', make: createMemoryHub() },
];

const published = (seq: number): Published => {
  const change: AppliedChange = { seq, kind: 'token', tenantId: 'acme', key: `k${seq}`, until: null, detail: '' };
  return { generation: 1, changes: [change] };
};

describe.each(streams)('the change stream $name', ({ make }) => {
  it('carries what one publishes to every listener, soon', async () => {
    const [writer, ...readers] = [make(), make(), make()];
    const heard: Published[][] = [[], []];
    await Promise.all(readers.map((reader, index) => reader.start((one) => void heard[index]?.push(one))));
    for (let seq = 1; seq <= 50; seq += 1) writer?.publish(published(seq));
    await waitFor(() => heard.every((list) => list.length === 50), 1000);
    expect(heard[0]?.at(-1)).toEqual(published(50));
    await Promise.all(readers.map((reader) => reader.stop()));
  });

  it('tells nothing from before', async () => {
    const [writer, reader] = [make(), make()];
    writer.publish(published(1));
    await new Promise((resolve) => setTimeout(resolve, 50));
    const heard: Published[] = [];
    await reader.start((one) => void heard.push(one));
    writer.publish(published(2));
    await waitFor(() => heard.length > 0, 1000);
    expect(heard).toEqual([published(2)]);
    await reader.stop();
  });

  it('is silent after its stop', async () => {
    const [writer, reader] = [make(), make()];
    const heard: Published[] = [];
    await reader.start((one) => void heard.push(one));
    await reader.stop();
    writer.publish(published(1));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(heard).toEqual([]);
  });
});
