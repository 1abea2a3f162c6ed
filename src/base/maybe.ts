// Work that may be done at once or later: a promise is made only where somebody waits.
import type { MaybePromise } from './call.ts';

/** By shape, not by class: a promise may come from another realm. */
export const isPromise = <T>(value: MaybePromise<T>): value is Promise<T> =>
  typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';

/** `next` of the value: now if it is here, later if it is awaited. */
export const andThen = <T, R>(value: MaybePromise<T>, next: (value: T) => MaybePromise<R>): MaybePromise<R> =>
  isPromise(value) ? value.then(next) : next(value);
