// The twin of the Redis Stream inside one process.
import type { ChangeStream, Published } from './change-stream.ts';

/** Streams made from one hub hear one another, in a later turn, as over a network. */
export const createMemoryHub = (): (() => ChangeStream) => {
  const listeners = new Set<(published: Published) => void>();
  return () => {
    let own: ((published: Published) => void) | null = null;
    return {
      publish(published) {
        for (const listener of listeners) setImmediate(() => listeners.has(listener) && listener(published));
      },
      async start(listener) {
        own = listener;
        listeners.add(listener);
      },
      async stop() {
        if (own !== null) listeners.delete(own);
      },
    };
  };
};
