// Events into the log, where nobody else takes them: that they happened, never what they say.
import type { Log } from '../server/platform.ts';
import type { EventSink } from './relay.ts';

export const createLogEventSink = (log: Log): EventSink => ({
  async deliver(messages) {
    for (const { id, topic, tenantId, key } of messages) log.info({ event_id: id, topic, tenant_id: tenantId, key }, 'event');
  },
});
