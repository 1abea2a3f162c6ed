// Regular expressions in linear time (RE2 syntax).
import { RE2JS } from '@bufbuild/re2';

export interface Pattern {
  /** Whether any part of the text matches. */
  test(text: string): boolean;
}

/** null: not a regular expression of RE2's syntax (no look-around, no back-references). */
export const compilePattern = (source: string): Pattern | null => {
  try {
    return RE2JS.compile(source);
  } catch {
    return null;
  }
};
