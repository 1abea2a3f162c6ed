// What is wrong with a condition, and where: lines and columns count from 1.

export interface Problem {
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

export const problemAt = (source: string, at: number, message: string): Problem => {
  // The parser counts the space before an operator to the operator.
  const space = /^\s*/.exec(source.slice(at))?.[0].length ?? 0;
  const before = source.slice(0, at + space).split('\n');
  return { line: before.length, column: (before.at(-1) ?? '').length + 1, message };
};
