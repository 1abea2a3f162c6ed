// Regular expressions in linear time (RE2 syntax): time grows with the text's length times the pattern's size, never faster.
import { RE2JS } from '@bufbuild/re2';

export interface Pattern {
  /** Whether any part of the text matches. */
  test(text: string): boolean;
  /** Instructions of the compiled pattern: `a{100}` has a hundred. */
  readonly size: number;
}

/** null: not a regular expression of RE2's syntax (no look-around, no back-references). */
export const compilePattern = (source: string): Pattern | null => {
  try {
    const compiled = RE2JS.compile(source);
    return { test: (text) => compiled.test(text), size: compiled.re2().prog.numInst() };
  } catch {
    return null;
  }
};
