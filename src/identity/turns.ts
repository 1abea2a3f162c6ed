// One after another for the same key: however often one account is tried from one place, others get their turn to be hashed.
import { Fault } from '../base/fault.ts';

/** `most` waiting for one key; whoever comes after that is told to come back (RESOURCE_EXHAUSTED / LOGIN_BUSY). */
export const createTurns = (most: number) => {
  const lines = new Map<string, { last: Promise<unknown>; length: number }>();
  return async <T>(key: string, work: () => Promise<T>): Promise<T> => {
    const line = lines.get(key) ?? { last: Promise.resolve(), length: 0 };
    if (line.length >= most)
      throw new Fault('RESOURCE_EXHAUSTED', 'LOGIN_BUSY', 'too many logins of this account are waiting', { retryAfter: 1000 });
    lines.set(key, line);
    line.length += 1;
    const turn = line.last.then(work);
    line.last = turn.catch(() => {});
    try {
      return await turn;
    } finally {
      line.length -= 1;
      if (line.length === 0) lines.delete(key);
    }
  };
};
