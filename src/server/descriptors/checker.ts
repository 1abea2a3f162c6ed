// A rule in force: a fast yes or no, and the sentences for a no. Pure.

export type Say = (field: string, description: string) => void;

export interface Checker<T = unknown> {
  readonly ok: (value: T) => boolean;
  /** Says every rule that `value`, found at `path`, breaks. */
  readonly explain: (value: T, path: string, say: Say) => void;
}

/** Accepts everything; recognised by identity, so that nothing is called for it. */
export const PASS: Checker = { ok: () => true, explain: () => {} };

export const rule = <T>(ok: (value: T) => boolean, sentence: string): Checker<T> => ({
  ok,
  explain: (value, path, say) => {
    if (!ok(value)) say(path, sentence);
  },
});

/** All of them. */
export const both = <T>(checkers: readonly Checker<T>[]): Checker<T> => {
  const real = checkers.filter((checker) => checker !== PASS);
  const [first, second] = real;
  if (first === undefined) return PASS;
  if (second === undefined) return first;
  return {
    ok: real.length === 2 ? (value) => first.ok(value) && second.ok(value) : (value) => real.every((checker) => checker.ok(value)),
    explain: (value, path, say) => {
      for (const checker of real) checker.explain(value, path, say);
    },
  };
};

/** Asked only where `applies`. */
export const where = <T>(applies: (value: T) => boolean, checker: Checker<T>): Checker<T> =>
  checker === PASS
    ? checker
    : {
        ok: (value) => !applies(value) || checker.ok(value),
        explain: (value, path, say) => {
          if (applies(value)) checker.explain(value, path, say);
        },
      };
