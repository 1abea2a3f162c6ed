// Events onto a Redis Stream: field `id` is the event's own, the same at every delivery.
import { asked, type RedisClient } from './connection.redis.ts';
import type { EventSink } from './relay.ts';

const KEPT = 100_000;

export const createRedisEventSink = (client: RedisClient, key: string): EventSink => ({
  async deliver(messages) {
    for (const { id, tenantId, topic, key: about, body, at } of messages)
      await asked(
        client.xadd(
          key,
          'MAXLEN',
          '~',
          KEPT,
          '*',
          'id',
          id,
          'topic',
          topic,
          'tenant_id',
          tenantId,
          'key',
          about,
          'at',
          at.toISOString(),
          'body',
          JSON.stringify(body),
        ),
      );
  },
});
