// Sources → policies: every document read, every name looked up, every condition parsed and typed; every problem with its line.
import { parseCondition } from '../condition/condition.ts';
import { packTree } from '../condition/packed.ts';
import { conditionsOf, type PolicyDocument } from './document.ts';
import { type Position, type SourceDocument, type TextPosition, within } from './node.ts';
import { readDocument } from './read.ts';
import { sourceSteps } from './source.yaml.ts';
import { type Standing, standingOf } from './standing.ts';
import { strangeNames, type Vocabulary } from './vocabulary.ts';

export interface PolicySource {
  readonly name: string;
  readonly content: string;
}

export interface PolicyProblem extends Position {
  readonly source: string;
  /** From 1; 0 = about the set as a whole. */
  readonly document: number;
  readonly field: string;
  readonly message: string;
  readonly next: string;
}

export interface ReadPolicy {
  readonly source: string;
  readonly number: number;
  readonly document: PolicyDocument;
  /** Its conditions by path, typed and packed: what a check evaluates. */
  readonly trees: Readonly<Record<string, string>>;
  readonly content: string;
  readonly standing: Standing;
  /** Of what the set as a whole may find wrong with it. */
  readonly places: ReadonlyMap<string, TextPosition>;
}

export const PROBLEMS_SHOWN = 1000;

/** Says what is wrong at a place of the document. */
type Report = (at: Position, field: string, message: string, next: string) => void;

/** By path, typed and packed; what does not parse is reported. Yields at each. */
function* readConditions(
  document: PolicyDocument,
  { schema }: Pick<Vocabulary, 'schema'>,
  placeOf: (path: string) => TextPosition,
  report: Report,
): Generator<void, Readonly<Record<string, string>>> {
  const trees: Record<string, string> = {};
  for (const { path, source, type } of conditionsOf(document)) {
    const parsed = parseCondition(source, schema(type));
    if (parsed.ok) trees[path] = packTree(parsed.condition.ast);
    for (const problem of parsed.ok ? [] : parsed.problems)
      report(within(placeOf(path), problem), path, problem.message, 'correct the expression; docs/policies.md lists what it may read');
    yield;
  }
  return trees;
}

/** What can still be wrong once a document is read by itself: its name, and the conditions it offers and needs. */
const LATER = /^(?:metadata\.name|spec\.conditions\.|spec\.rules\[\d+\]\.conditions=)/;

const placesLater = (places: ReadonlyMap<string, TextPosition>): ReadonlyMap<string, TextPosition> => {
  const kept = new Map<string, TextPosition>();
  for (const [path, place] of places) if (LATER.test(path)) kept.set(path, place);
  return kept;
};

/** null where anything is wrong with it, which is reported. */
function* readPolicy(
  source: string,
  { number, content, node }: SourceDocument,
  vocabulary: Vocabulary,
  problems: PolicyProblem[],
): Generator<void, ReadPolicy | null> {
  const before = problems.length;
  const report: Report = ({ line, column }, field, message, next) =>
    void problems.push({ source, document: number, line, column, field, message, next });
  const { document, problems: wrong, places } = readDocument(node);
  for (const { field, message, next, ...at } of wrong) report(at, field, message, next);
  if (document === null || wrong.length > 0) return null;

  const placeOf = (path: string): TextPosition => places.get(path) ?? places.get('spec.resource') ?? { ...node.at, indent: null };
  for (const { at, field, message, next } of strangeNames(document, vocabulary, places)) {
    report(placeOf(at), field, message, next);
    if (problems.length >= PROBLEMS_SHOWN) return null;
    yield;
  }
  const trees = yield* readConditions(document, vocabulary, placeOf, report);
  if (problems.length > before) return null;
  return { source, number, document, trees, content, standing: standingOf(document), places: placesLater(places) };
}

/** Yields nothing of worth: each yield is a place where the reader may rest. */
export function* readPolicies(
  sources: readonly PolicySource[],
  vocabulary: Vocabulary,
): Generator<void, { readonly policies: readonly ReadPolicy[]; readonly problems: readonly PolicyProblem[] }> {
  const policies: ReadPolicy[] = [];
  const problems: PolicyProblem[] = [];
  for (const { name: source, content: text } of sources)
    for (const taken of sourceSteps(text)) {
      yield;
      if (taken === null) continue;
      if (problems.length >= PROBLEMS_SHOWN) return { policies, problems };
      if ('message' in taken) problems.push({ source, field: '', ...taken });
      else {
        const policy = yield* readPolicy(source, taken, vocabulary, problems);
        if (policy !== null) policies.push(policy);
      }
    }
  return { policies, problems };
}
