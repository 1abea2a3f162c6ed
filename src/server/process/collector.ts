// What V8's collector is told, once: what belongs to a call shall die with it, and what only starting needed is given back.
import { createHook } from 'node:async_hooks';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { mib } from '../../base/bytes.ts';

/** Kept for its shape, see below. */
let tick: unknown = null;

/**
 * Before anything is hot. Two habits of V8 that are right for programs and wrong for servers, together a quarter of the time of a call:
 * - Objects made where many survived while the new space was still small are made old from then on, and an old dead one keeps all
 *   young ones it knows alive until the next full collection.
 * - Once a collection finds no object of a literal with computed names, its shape is gone, and making the next takes the slow way for
 *   good. `process.nextTick` has such a literal and runs a dozen times a call, so one of its objects stays.
 */
export const letCallsDieYoung = (): void => {
  setFlagsFromString('--no-allocation-site-pretenuring');
  const hook = createHook({
    init(_id, type, _trigger, resource) {
      if (type === 'TickObject') tick ??= resource;
    },
  });
  hook.enable();
  process.nextTick(() => {});
  hook.disable();
};

/** Bytes up to which a heap may grow before it is collected, with what hangs on it outside; and what a larger one may grow by. */
const COMFORT = mib(80);
const LEAST_PERCENT = 25;

/**
 * With no more than a quarter of room a third of what large batches cost was spent by the threads that collect beside them. Dead or alive,
 * what is there counts: a heap that fills must not be promised room that it needs to live.
 */
const giveRoom = (): void => {
  const { used_heap_size: heap, external_memory: besides } = getHeapStatistics();
  const percent = Math.floor((COMFORT / (heap + besides) - 1) * 100);
  setFlagsFromString(`--heap-growing-percent=${Math.max(LEAST_PERCENT, percent)}`);
};

/**
 * From the first call on. V8 lets a heap grow to a multiple of what lives in it before it collects; what a server keeps hardly grows, so
 * all that buys is memory: 40 MB with 20,000 tokens, and as much again outside the heap, because calls leave header texts of Node's
 * HTTP/2 behind that only a full collection frees. Those count here too. At rest, what was freed is given back after seconds: no sooner,
 * because a collection that gives back forgets every shape that no object has at the moment, and with the shapes of a call the code that
 * was made for them.
 */
const staySmall = (): void => {
  giveRoom();
  setInterval(giveRoom, 250).unref();
  setFlagsFromString('--external-memory-accounted-in-global-limit');
  setFlagsFromString('--memory-reducer-delay-ms=3500');
};

/** Gives back parsed modules, migrations, first queries: one full collection, tens of milliseconds long, before the first call. */
export const settle = (): void => {
  staySmall();
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  setFlagsFromString('--no-expose-gc');
  if (typeof collect === 'function') (collect as (how: object) => void)({ type: 'major', execution: 'sync', flavor: 'last-resort' });
};
