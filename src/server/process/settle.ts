// Gives back the memory that only starting needed: parsed modules, migrations, first queries.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** One full collection, tens of milliseconds long: once, before the first call. */
export const settle = (): void => {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  setFlagsFromString('--no-expose-gc');
  if (typeof collect === 'function') (collect as (how: object) => void)({ type: 'major', execution: 'sync', flavor: 'last-resort' });
};
