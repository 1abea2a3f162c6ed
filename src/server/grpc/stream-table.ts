// Lets the streams of a connection die young. Node keeps them in a Map and a Set, and V8 links each outgrown table of those to the one that
// follows: once the Map is old, every table it ever had is kept until the next full collection, and with the tables the streams that stood
// in them and all that belongs to their calls. Everything a connection ever served was promoted that way, a fifth of the server's time;
// the tables alone, one a stream, were a third of what was left to collect. So there are no tables here that are outgrown call by call.
import { types } from 'node:util';
import type { Server } from '@grpc/grpc-js';
import { http2ServersOf } from './http2-servers.ts';

/** What `node:http2` asks of its Map of streams. Open addressing: the numbers of a client's streams are 1, 3, 5, … and spread by themselves. */
export const createStreamTable = <V>() => {
  // 0 is free: it is no stream's number.
  let ids: number[] = Array.from({ length: 16 }, () => 0);
  let values: (V | undefined)[] = ids.map(() => undefined);
  let mask = ids.length - 1;
  let size = 0;

  const home = (id: number): number => (id >>> 1) & mask;
  /** Where it is, or where it would be put. */
  const find = (id: number): number => {
    let at = home(id);
    while (ids[at] !== id && ids[at] !== 0) at = (at + 1) & mask;
    return at;
  };
  const put = (id: number, value: V | undefined): void => {
    const at = find(id);
    ids[at] = id;
    values[at] = value;
  };
  const grow = (): void => {
    const [before, held] = [ids, values];
    ids = Array.from({ length: before.length * 2 }, () => 0);
    values = ids.map(() => undefined);
    mask = ids.length - 1;
    for (const [at, id] of before.entries()) if (id !== 0) put(id, held[at]);
  };

  const get = (id: number): V | undefined => values[find(id)];
  return {
    get,
    set(id: number, value: V): void {
      if (ids[find(id)] === 0 && ++size * 2 > ids.length) grow();
      put(id, value);
    },
    delete(id: number): boolean {
      let hole = find(id);
      if (ids[hole] === 0) return false;
      // Those behind it that would not be found any more move up.
      for (let at = (hole + 1) & mask; ids[at] !== 0; at = (at + 1) & mask) {
        const next = ids[at] ?? 0;
        if (((at - home(next)) & mask) < ((at - hole) & mask)) continue;
        ids[hole] = next;
        values[hole] = values[at];
        hole = at;
      }
      ids[hole] = 0;
      values[hole] = undefined;
      size -= 1;
      return true;
    },
    /** Visited are those that are there at the beginning, unless they are gone when their turn comes. */
    forEach(visit: (value: V, id: number) => void): void {
      const present = ids.filter((id) => id !== 0).toSorted((a, b) => a - b);
      for (const id of present) {
        const value = get(id);
        if (value !== undefined) visit(value, id);
      }
    },
    get size(): number {
      return size;
    },
  };
};

/** What it asks of its Set of streams without a number yet: on a server one, for a moment. */
export const createFew = <V>() => {
  const held: V[] = [];
  return {
    add(value: V): void {
      if (!held.includes(value)) held.push(value);
    },
    delete(value: V): boolean {
      const at = held.indexOf(value);
      if (at === -1) return false;
      held[at] = held.at(-1) as V;
      held.pop();
      return true;
    },
    forEach(visit: (value: V) => void): void {
      const present = held.slice();
      for (const value of present) if (held.includes(value)) visit(value);
    },
    get size(): number {
      return held.length;
    },
  };
};

interface SessionState {
  streams?: unknown;
  pendingStreams?: unknown;
}

/** Where Node keeps them otherwise, its own stay: slower, and right. */
const lighten = (session: object): void => {
  const key = Object.getOwnPropertySymbols(session).find(({ description }) => description === 'state');
  const state = key === undefined ? undefined : (session as Readonly<Record<symbol, SessionState>>)[key];
  if (types.isMap(state?.streams) && state.streams.size === 0) state.streams = createStreamTable();
  if (types.isSet(state?.pendingStreams) && state.pendingStreams.size === 0) state.pendingStreams = createFew();
};

/** For all connections that `server`'s injectors will bring. */
export const dieYoung = (server: Server): void => {
  for (const http2 of http2ServersOf(server)) http2.on('session', lighten);
};
