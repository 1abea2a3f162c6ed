// YAML and JSON text → nodes with positions. Bounded before anything recursive runs; no aliases, tags or merges. A text of any length is
// read in short steps, but for the composer: it takes a document of 10 KB in a millisecond, one of the greatest size in three.
import {
  Composer,
  CST,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  Parser,
  type ParsedNode,
  Scalar,
  type YAMLMap,
} from 'yaml';
import type { Entry, Node, Position, SourceDocument, SourceProblem } from './node.ts';

/** Of one document: UTF-16 units, depth of nesting, members of one collection. */
export const DOCUMENT_LIMITS = { size: 32_768, depth: 24, members: 1000 } as const;

interface Refusal {
  readonly offset: number;
  readonly message: string;
  readonly next: string;
}

const refusal = (offset: number, message: string, next: string): Refusal => ({ offset, message, next });

/** null = a place to rest. */
type Steps<T> = Generator<null, T>;
/** Tokens between two rests. */
const STRIDE = 64;

/** Walks without recursion: what is too deep, too wide or refers elsewhere never reaches the composer, which recurses. */
function* refuseToken(root: CST.Token): Steps<Refusal | null> {
  const stack: { readonly token: CST.Token; readonly depth: number }[] = [{ token: root, depth: 0 }];
  let walked = 0;
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const { token, depth } = next;
    const { offset } = token;
    if (++walked % STRIDE === 0) yield null;
    if (depth > DOCUMENT_LIMITS.depth) return refusal(offset, `nested deeper than ${DOCUMENT_LIMITS.depth} levels`, 'write it flatter');
    if (token.type === 'alias') return refusal(offset, 'aliases (*name) are not supported', 'write the value out');
    if (token.type === 'document') {
      const marked = token.start.find(({ type }) => type === 'anchor' || type === 'tag');
      if (marked !== undefined) return refusal(marked.offset, `${marked.type}s are not supported`, 'leave it out');
      if (token.value !== undefined) stack.push({ token: token.value, depth });
      continue;
    }
    if (!CST.isCollection(token)) continue;
    if (token.items.length > DOCUMENT_LIMITS.members)
      return refusal(offset, `more than ${DOCUMENT_LIMITS.members} members`, 'split it into several policies');
    for (const { start, sep = [], key, value } of token.items) {
      const marked = [...start, ...sep].find(({ type }) => type === 'anchor' || type === 'tag');
      if (marked !== undefined) return refusal(marked.offset, `${marked.type}s are not supported`, 'leave it out');
      if (key !== undefined && key !== null) stack.push({ token: key, depth: depth + 1 });
      if (value !== undefined) stack.push({ token: value, depth: depth + 1 });
    }
  }
  return null;
}

const placer =
  (lines: LineCounter) =>
  (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };

/** Where the first line of a scalar's text stands, and how far its other lines are indented. */
const textAt = (source: string, node: Scalar, place: (offset: number) => Position) => {
  const offset = node.range?.[0] ?? 0;
  const at = place(offset);
  if (node.type === Scalar.BLOCK_LITERAL) {
    const below = source.indexOf('\n', offset) + 1;
    const indent = /^(?:[ \t]*\r?\n)*( *)/.exec(source.slice(below))?.[1]?.length ?? 0;
    return { line: at.line + 1, column: indent + 1, indent };
  }
  const quoted = node.type === Scalar.QUOTE_DOUBLE || node.type === Scalar.QUOTE_SINGLE;
  return { line: at.line, column: at.column + (quoted ? 1 : 0), indent: null };
};

const leaf = (source: string, node: Scalar | null, at: Position, from: number, place: (offset: number) => Position): Node => {
  const value = node === null ? null : node.value;
  if (node !== null && typeof value === 'string') return { kind: 'text', at, value, text: textAt(source, node, place) };
  if (value === null || typeof value === 'boolean' || typeof value === 'number') return { kind: 'value', at, value };
  throw refusal(from, 'a value of this kind is not supported', 'write a text, a number, true or false');
};

function* compose(source: string, document: Document.Parsed, place: (offset: number) => Position): Steps<Node | Refusal> {
  function* convert(node: ParsedNode | null | undefined, offset: number): Steps<Node> {
    const from = node?.range?.[0] ?? offset;
    const at = place(from);
    if (isAlias(node)) throw refusal(from, 'aliases (*name) are not supported', 'write the value out');
    if (isSeq(node)) {
      const items: Node[] = [];
      for (const item of node.items) {
        items.push(yield* convert(item as ParsedNode, from));
        yield null;
      }
      return { kind: 'list', at, items };
    }
    if (!isMap(node)) return leaf(source, (node as Scalar | undefined) ?? null, at, from, place);
    const entries: Entry[] = [];
    for (const { key, value } of (node as YAMLMap.Parsed).items) {
      const where = key.range?.[0] ?? from;
      if (!isScalar(key) || typeof key.value !== 'string') throw refusal(where, 'a key must be a text', 'quote it');
      entries.push({ key: key.value, at: place(where), value: yield* convert(value, where) });
    }
    return { kind: 'map', at, entries };
  }
  try {
    return yield* convert(document.contents, document.range[0]);
  } catch (thrown) {
    if (typeof thrown === 'object' && thrown !== null && 'offset' in thrown) return thrown as Refusal;
    throw thrown;
  }
}

/** Each with the offset where it ends. */
function* tokensOf(source: string, lines: LineCounter): Generator<{ readonly token: CST.Token; readonly end: number } | null> {
  const parser = new Parser(lines.addNewLine);
  lines.addNewLine(0);
  let read = 0;
  for (const lexeme of new Lexer().lex(source)) {
    for (const token of parser.next(lexeme)) yield { token, end: parser.offset };
    if (++read % STRIDE === 0) yield null;
  }
  for (const token of parser.end()) yield { token, end: source.length };
}

const tooLong = (offset: number): Refusal =>
  refusal(offset, `longer than ${DOCUMENT_LIMITS.size} characters`, 'split it into several policies');

/** Before it is composed: that takes its time. */
const tooLongToken = (source: string, { type, offset }: CST.Token, end: number): Refusal | null =>
  type === 'document' && end - offset > DOCUMENT_LIMITS.size && source.slice(offset, end).trim().length > DOCUMENT_LIMITS.size
    ? tooLong(offset)
    : null;

/**
 * The documents of a source one by one, and null wherever whoever reads may rest. Never throws. A document with a problem is left out;
 * those around it are read all the same.
 */
export function* sourceSteps(source: string): Generator<SourceDocument | SourceProblem | null> {
  const lines = new LineCounter();
  const place = placer(lines);
  const composer = new Composer({ strict: true, uniqueKeys: true, stringKeys: true, merge: false, schema: 'core', intAsBigInt: false });
  let seen = 0;
  let before = 0;
  // The composer answers a document when it sees what follows it.
  const pending: { readonly number: number; readonly from: number }[] = [];
  /** Where the last document ended that the composer does not see. */
  let refused = 0;

  const refuse = (document: number, { offset, message, next }: Refusal): SourceProblem => ({ document, ...place(offset), message, next });

  function* take(document: Document.Parsed): Steps<SourceDocument | SourceProblem | null> {
    const { number, from } = pending.shift() ?? { number: Math.max(1, seen), from: 0 };
    const [start, , end] = document.range;
    // With the comments that stand above it.
    const written = source.slice(Math.max(before, from), end);
    before = end;
    const first = document.errors[0];
    if (first !== undefined) {
      const message = first.message.split(/ at line \d+|:\n/)[0] ?? first.message;
      return refuse(number, { offset: first.pos[0], message, next: 'correct the YAML; JSON is YAML as well' });
    }
    const content = written.replace(/^\s*---/, '').trim();
    if (content.length > DOCUMENT_LIMITS.size) return refuse(number, tooLong(start));
    const node = yield* compose(source, document, place);
    if ('offset' in node) return refuse(number, node);
    // Nothing between two `---`, or comments alone, is no document.
    return node.kind === 'value' && node.value === null ? null : { number, node, content };
  }

  for (const read of tokensOf(source, lines)) {
    if (read === null) {
      yield null;
      continue;
    }
    const { token, end } = read;
    if (token.type === 'document') seen += 1;
    const wrong = (yield* refuseToken(token)) ?? tooLongToken(source, token, end);
    if (wrong !== null) {
      // What the composer has not seen it cannot trip over.
      refused = end;
      yield refuse(seen, wrong);
      continue;
    }
    if (token.type === 'document') pending.push({ number: seen, from: refused });
    for (const document of composer.next(token)) yield yield* take(document);
  }
  for (const document of composer.end()) yield yield* take(document);
}

/** The documents alone. */
export function* readSource(source: string): Generator<SourceDocument | SourceProblem> {
  for (const taken of sourceSteps(source)) if (taken !== null) yield taken;
}
