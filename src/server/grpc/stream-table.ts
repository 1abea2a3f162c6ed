// Lets the streams of a connection die young. Node keeps them in a Map, and V8 links each outgrown table of a Map to the one that follows:
// once the Map is old, every table it ever had is kept until the next full collection, with the streams that stood in it and all that
// belongs to their calls. Everything a connection ever served was promoted that way, which took a fifth of the server's time.
import type { EventEmitter } from 'node:events';
import { types } from 'node:util';
import type { Server } from '@grpc/grpc-js';

interface Box<V> {
  value: V | undefined;
}

/** A Map whose tables hold boxes, emptied when their entry goes: a dead table keeps nothing alive. What `node:http2` asks of its own. */
export const createStreamTable = <V>() => {
  const boxes = new Map<number, Box<V>>();
  return {
    get: (id: number): V | undefined => boxes.get(id)?.value,
    set(id: number, value: V): void {
      boxes.set(id, { value });
    },
    delete(id: number): boolean {
      const box = boxes.get(id);
      if (box !== undefined) box.value = undefined;
      return boxes.delete(id);
    },
    forEach(visit: (value: V, id: number) => void): void {
      boxes.forEach(({ value }, id) => {
        if (value !== undefined) visit(value, id);
      });
    },
    get size(): number {
      return boxes.size;
    },
  };
};

interface SessionState {
  streams?: unknown;
}

/** Where Node keeps it otherwise, its own Map stays: slower, and right. */
const lighten = (session: object): void => {
  const key = Object.getOwnPropertySymbols(session).find(({ description }) => description === 'state');
  const state = key === undefined ? undefined : (session as Readonly<Record<symbol, SessionState>>)[key];
  if (types.isMap(state?.streams) && state.streams.size === 0) state.streams = createStreamTable();
};

/** For all connections that `server`'s injectors will bring. Throws where the inside of grpc-js has changed. */
export const dieYoung = (server: Server): void => {
  const { http2Servers } = server as unknown as { readonly http2Servers?: ReadonlyMap<EventEmitter, unknown> };
  if (http2Servers === undefined) throw new Error('grpc-js no longer keeps its HTTP/2 servers in http2Servers');
  for (const http2 of http2Servers.keys()) http2.on('session', lighten);
};
