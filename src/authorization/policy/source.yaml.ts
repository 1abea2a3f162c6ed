// YAML and JSON text → nodes with positions. Bounded before anything recursive runs; no aliases, tags or merges.
import {
  Composer,
  CST,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  Parser,
  type ParsedNode,
  Scalar,
  type YAMLMap,
} from 'yaml';
import type { Node, Position, SourceDocument, SourceProblem } from './node.ts';

/** Of one document: UTF-16 units, depth of nesting, members of one collection. */
export const DOCUMENT_LIMITS = { size: 32_768, depth: 24, members: 1000 } as const;

interface Refusal {
  readonly offset: number;
  readonly message: string;
  readonly next: string;
}

const refusal = (offset: number, message: string, next: string): Refusal => ({ offset, message, next });

/** Walks without recursion: what is too deep, too wide or refers elsewhere never reaches the composer, which recurses. */
const refuseToken = (root: CST.Token): Refusal | null => {
  const stack: { readonly token: CST.Token; readonly depth: number }[] = [{ token: root, depth: 0 }];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const { token, depth } = next;
    const { offset } = token;
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
};

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

const compose = (source: string, document: Document.Parsed, place: (offset: number) => Position): Node | Refusal => {
  const convert = (node: ParsedNode | null | undefined, offset: number): Node => {
    const from = node?.range?.[0] ?? offset;
    const at = place(from);
    if (node === null || node === undefined) return { kind: 'value', at, value: null };
    if (isAlias(node)) throw refusal(from, 'aliases (*name) are not supported', 'write the value out');
    if (isSeq(node)) return { kind: 'list', at, items: node.items.map((item) => convert(item as ParsedNode, from)) };
    if (isMap(node)) return { kind: 'map', at, entries: (node as YAMLMap.Parsed).items.map(({ key, value }) => entry(key, value, from)) };
    const { value } = node as Scalar;
    if (typeof value === 'string') return { kind: 'text', at, value, text: textAt(source, node as Scalar, place) };
    if (value === null || typeof value === 'boolean' || typeof value === 'number') return { kind: 'value', at, value };
    throw refusal(from, 'a value of this kind is not supported', 'write a text, a number, true or false');
  };
  const entry = (key: ParsedNode, value: ParsedNode | null, offset: number) => {
    const from = key.range?.[0] ?? offset;
    if (!isScalar(key) || typeof key.value !== 'string') throw refusal(from, 'a key must be a text', 'quote it');
    return { key: key.value, at: place(from), value: convert(value, from) };
  };
  try {
    return convert(document.contents, document.range[0]);
  } catch (thrown) {
    if (typeof thrown === 'object' && thrown !== null && 'offset' in thrown) return thrown as Refusal;
    throw thrown;
  }
};

/**
 * The documents of a source one by one, so that whoever reads may rest in between. Never throws. A document with a problem is
 * left out; those around it are read all the same.
 */
export function* readSource(source: string): Generator<SourceDocument | SourceProblem> {
  const lines = new LineCounter();
  const place = placer(lines);
  const composer = new Composer({ strict: true, uniqueKeys: true, stringKeys: true, merge: false, schema: 'core', intAsBigInt: false });
  let seen = 0;
  let before = 0;
  // The composer answers a document when it sees what follows it.
  const pending: number[] = [];

  const refuse = (document: number, { offset, message, next }: Refusal): SourceProblem => ({ document, ...place(offset), message, next });

  const take = (document: Document.Parsed): SourceDocument | SourceProblem | null => {
    const number = pending.shift() ?? Math.max(1, seen);
    const [start, , end] = document.range;
    // With the comments that stand above it.
    const written = source.slice(before, end);
    before = end;
    const first = document.errors[0];
    if (first !== undefined) {
      const message = first.message.split(/ at line \d+|:\n/)[0] ?? first.message;
      return refuse(number, { offset: first.pos[0], message, next: 'correct the YAML; JSON is YAML as well' });
    }
    const content = written.replace(/^\s*---/, '').trim();
    if (content.length > DOCUMENT_LIMITS.size)
      return refuse(number, refusal(start, `longer than ${DOCUMENT_LIMITS.size} characters`, 'split it into several policies'));
    const node = compose(source, document, place);
    if ('offset' in node) return refuse(number, node);
    // Nothing between two `---`, or comments alone, is no document.
    return node.kind === 'value' && node.value === null ? null : { number, node, content };
  };

  for (const token of new Parser(lines.addNewLine).parse(source)) {
    if (token.type === 'document') seen += 1;
    const wrong = refuseToken(token);
    if (wrong !== null) {
      // What the composer has not seen it cannot trip over.
      yield refuse(seen, wrong);
      continue;
    }
    if (token.type === 'document') pending.push(seen);
    for (const document of composer.next(token)) {
      const taken = take(document);
      if (taken !== null) yield taken;
    }
  }
  for (const document of composer.end()) {
    const taken = take(document);
    if (taken !== null) yield taken;
  }
}
