// A parsed document as plain data with positions: what the reader of policies sees, whether it was YAML or JSON.

/** Lines and columns count from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Where a text's own lines stand in the source. `indent` is null where lines were folded: then only the beginning is known. */
export interface TextPosition extends Position {
  readonly indent: number | null;
}

export type Node =
  | { readonly kind: 'map'; readonly at: Position; readonly entries: readonly Entry[] }
  | { readonly kind: 'list'; readonly at: Position; readonly items: readonly Node[] }
  | { readonly kind: 'text'; readonly at: Position; readonly value: string; readonly text: TextPosition }
  | { readonly kind: 'value'; readonly at: Position; readonly value: number | boolean | null };

export interface Entry {
  readonly key: string;
  readonly at: Position;
  readonly value: Node;
}

export interface SourceDocument {
  /** From 1. */
  readonly number: number;
  readonly node: Node;
  /** As it was written. */
  readonly content: string;
}

export interface SourceProblem extends Position {
  /** From 1. */
  readonly document: number;
  readonly message: string;
  readonly next: string;
}

/** The position of a text's own line and column, both from 1. */
export const within = (text: TextPosition, inner: Position): Position => {
  if (inner.line === 1) return { line: text.line, column: text.column + inner.column - 1 };
  return text.indent === null ? text : { line: text.line + inner.line - 1, column: text.indent + inner.column };
};
