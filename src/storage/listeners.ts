// Who wants to hear of which changes.
import type { AppliedChange, Feed } from './storage.ts';

export interface Listeners {
  readonly on: Feed['on'];
  /** Tells every listener of its kind; a listener that throws does not keep the others from hearing. */
  tell(change: AppliedChange): void;
  reset(): void;
}

export const createListeners = (onFailure: (error: unknown, change: AppliedChange) => void): Listeners => {
  const byKind = new Map<string, ((change: AppliedChange) => void)[]>();
  const resets: (() => void)[] = [];
  return {
    on(kinds, listener, reset) {
      for (const kind of kinds) byKind.set(kind, [...(byKind.get(kind) ?? []), listener]);
      if (reset !== undefined) resets.push(reset);
    },
    tell(change) {
      for (const listener of byKind.get(change.kind) ?? []) {
        try {
          listener(change);
        } catch (error) {
          onFailure(error, change);
        }
      }
    },
    reset() {
      for (const reset of resets) reset();
    },
  };
};
