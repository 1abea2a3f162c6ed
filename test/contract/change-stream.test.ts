// One suite for the stream on Redis and its twin in memory.
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ChangeStream, Published } from '../../src/storage/change-stream.ts';
import { connectRedis } from '../../src/storage/connection.redis.ts';
import type { AppliedChange } from '../../src/storage/storage.ts';
import { createMemoryHub } from '../../src/storage/stream.memory.ts';
import { createRedisStream } from '../../src/storage/stream.redis.ts';
import { redisUrl, waitFor } from '../harness.ts';

const client = connectRedis({ url: redisUrl() });
// Publishing is best effort: what is sent before the writer stands is dropped, as it should be.
beforeAll(() => waitFor(() => client.status === 'ready', 20_000, 'the connection to Redis'));
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

const PROBE = 0;

interface Listener {
  readonly stream: ChangeStream;
  readonly heard: readonly number[];
}

/** Hears everything from here on: told of probes until it has heard one. */
const listen = async (stream: ChangeStream, writer: ChangeStream): Promise<Listener> => {
  const heard: number[] = [];
  let stands = false;
  await stream.start(({ changes }) => {
    for (const { seq } of changes) {
      if (seq === PROBE) stands = true;
      else heard.push(seq);
    }
  });
  const probed = (): boolean => {
    writer.publish(published(PROBE));
    return stands;
  };
  await waitFor(probed, 20_000, 'a listener');
  return { stream, heard };
};

describe.each(streams)('the change stream $name', ({ make }) => {
  it('carries what one publishes to every listener, soon', async () => {
    const writer = make();
    const listeners = await Promise.all([listen(make(), writer), listen(make(), writer)]);
    const sent = Array.from({ length: 50 }, (_, index) => index + 1);
    for (const seq of sent) writer.publish(published(seq));
    await waitFor(() => listeners.every(({ heard }) => heard.length === sent.length), 1000);
    for (const { heard } of listeners) expect(heard).toEqual(sent);
    await Promise.all(listeners.map(({ stream }) => stream.stop()));
  });

  it('carries a change as it was', async () => {
    const [writer, reader] = [make(), make()];
    const heard: Published[] = [];
    await reader.start((one) => void heard.push(one));
    const arrived = (): boolean => {
      writer.publish(published(7));
      return heard.length > 0;
    };
    await waitFor(arrived, 20_000);
    expect(heard[0]).toEqual(published(7));
    await reader.stop();
  });

  it('tells nothing from before', async () => {
    const writer = make();
    const witness = await listen(make(), writer);
    writer.publish(published(1));
    await waitFor(() => witness.heard.length === 1, 1000, 'the change to be carried');
    const late = await listen(make(), writer);
    writer.publish(published(2));
    await waitFor(() => late.heard.length > 0, 1000);
    expect(late.heard).toEqual([2]);
    await Promise.all([witness.stream.stop(), late.stream.stop()]);
  });

  it('is silent after its stop', async () => {
    const writer = make();
    const [witness, silent] = await Promise.all([listen(make(), writer), listen(make(), writer)]);
    await silent.stream.stop();
    writer.publish(published(1));
    await waitFor(() => witness.heard.length === 1, 1000, 'the change to be carried');
    expect(silent.heard).toEqual([]);
    await witness.stream.stop();
  });
});
