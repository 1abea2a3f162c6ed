// Changes over a Redis Stream: written best effort, read on a connection of its own that may block.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Millis } from '../base/time.ts';
import { type ChangeStream, decodePublished, encodePublished, type Published } from './change-stream.ts';
import { type RedisClient, untilReady } from './connection.redis.ts';

export interface RedisStreamOptions {
  readonly client: RedisClient;
  /** Opened at `start`: for nothing but reading. */
  readonly reader: () => RedisClient;
  readonly key: string;
}

const KEPT = 10_000;
const MAX_UNDER_WAY = 1000;
const PATIENCE: Millis = 500;

type Entries = readonly (readonly [id: string, fields: readonly string[]])[];

export const createRedisStream = ({ client, reader, key }: RedisStreamOptions): ChangeStream => {
  let underWay = 0;
  let reading: Promise<void> | null = null;
  let connection: RedisClient | null = null;
  let stopped = false;

  /** The newest entry's id: what came before we listened is the poll's business. */
  const newest = async (from: RedisClient): Promise<string> => {
    const last: Entries = await from.xrevrange(key, '+', '-', 'COUNT', 1);
    return last[0]?.[0] ?? '0-0';
  };

  const read = async (from: RedisClient, begin: string | null, listener: (published: Published) => void): Promise<void> => {
    let position = begin;
    while (!stopped) {
      try {
        position ??= await newest(from);
        const answer: readonly (readonly [string, Entries])[] | null = await from.xread(
          'COUNT',
          200,
          'BLOCK',
          1000,
          'STREAMS',
          key,
          position,
        );
        for (const [id, fields] of answer?.[0]?.[1] ?? []) {
          position = id;
          const published = decodePublished(fields[1] ?? '');
          if (published !== null) listener(published);
        }
      } catch {
        // Away or busy: the poll carries the news meanwhile.
        if (!stopped) await sleep(200, undefined, { ref: false });
      }
    }
  };

  return {
    publish(published) {
      if (underWay >= MAX_UNDER_WAY) return;
      underWay += 1;
      client
        .xadd(key, 'MAXLEN', '~', KEPT, '*', 'c', encodePublished(published))
        .catch(() => null)
        .finally(() => {
          underWay -= 1;
        })
        .catch(() => null);
    },
    async start(listener) {
      stopped = false;
      connection = reader();
      await untilReady(connection, PATIENCE);
      reading = read(connection, await newest(connection).catch(() => null), listener);
    },
    async stop() {
      stopped = true;
      connection?.disconnect();
      await reading;
    },
  };
};
