// Sources → policies: every document read, every name looked up, every condition parsed and typed; every problem with its line.
import { parseCondition, type Schema } from '../condition/condition.ts';
import { packTree } from '../condition/packed.ts';
import { conditionsOf, type PolicyDocument } from './document.ts';
import { type Position, type TextPosition, within } from './node.ts';
import { readDocument } from './read.ts';
import { sourceSteps } from './source.yaml.ts';
import { type Standing, standingOf } from './standing.ts';

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

/** What the names in a policy may mean. */
export interface Vocabulary {
  /** The installation knows no tenant's types and roles, and only denies. */
  readonly installation: boolean;
  type(name: string): unknown;
  role(name: string): unknown;
  /** What a condition about resources of that type may speak of; '*' = only what every type has. */
  schema(type: string): Schema;
}

export const PROBLEMS_SHOWN = 1000;

/** Paths of everything in the document that names a resource type, and of what names a role. */
const namesIn = (
  document: PolicyDocument,
): { readonly types: readonly [string, string][]; readonly roles: readonly [string, string][] } => {
  const roles = (path: string, names: readonly string[]): [string, string][] => names.map((role) => [`${path}=${role}`, role]);
  const { requirements, rules, masks } = document;
  return {
    types: [
      ...(requirements === null ? [] : [['spec.resource', requirements.resource] as [string, string]]),
      ...rules.map((rule, index): [string, string] => [`spec.rules[${index}].resource`, rule.resource]),
      ...masks.map((mask): [string, string] => ['spec.resource', mask.resource]),
      ['spec.resource', document.about],
    ],
    roles: [
      ...roles('spec.allowedRoles', requirements?.roles ?? []),
      ...rules.flatMap((rule, index) => roles(`spec.rules[${index}].roles`, rule.roles)),
      ...masks.flatMap((mask, index) => roles(`spec.masks[${index}].exceptRoles`, mask.exceptRoles)),
    ],
  };
};

/** What can still be wrong once a document is read by itself: its name, and the conditions it offers and needs. */
const LATER = /^(?:metadata\.name|spec\.conditions\.|spec\.rules\[\d+\]\.conditions=)/;

const placesLater = (places: ReadonlyMap<string, TextPosition>): ReadonlyMap<string, TextPosition> => {
  const kept = new Map<string, TextPosition>();
  for (const [path, place] of places) if (LATER.test(path)) kept.set(path, place);
  return kept;
};

/** Yields nothing of worth: each yield is a place where the reader may rest. */
export function* readPolicies(
  sources: readonly PolicySource[],
  vocabulary: Vocabulary,
): Generator<void, { readonly policies: readonly ReadPolicy[]; readonly problems: readonly PolicyProblem[] }> {
  const policies: ReadPolicy[] = [];
  const problems: PolicyProblem[] = [];

  for (const { name: source, content: text } of sources) {
    for (const taken of sourceSteps(text)) {
      yield;
      if (taken === null) continue;
      if (problems.length >= PROBLEMS_SHOWN) return { policies, problems };
      if ('message' in taken) {
        const { document, line, column, message, next } = taken;
        problems.push({ source, document, line, column, field: '', message, next });
        continue;
      }
      const { document, problems: wrong, places } = readDocument(taken.node);
      const say = (place: Position, field: string, message: string, next: string): void =>
        void problems.push({ source, document: taken.number, line: place.line, column: place.column, field, message, next });
      const placeOf = (path: string): TextPosition => places.get(path) ?? places.get('spec.resource') ?? { ...taken.node.at, indent: null };
      for (const { line, column, field, message, next } of wrong) say({ line, column }, field, message, next);
      if (document === null || wrong.length > 0) continue;

      const before = problems.length;
      const { types, roles } = namesIn(document);
      if (!vocabulary.installation) {
        const missing = types.filter(([, type]) => type !== '*' && vocabulary.type(type) === undefined);
        // A rule that names no type of its own has its policy's.
        const unknown = new Set(missing.map(([path]) => (places.has(path) ? path : 'spec.resource')));
        for (const path of unknown)
          say(placeOf(path), path, 'no such resource type', 'declare it with PutResourceType, or correct the name');
        for (const [path, role] of roles)
          if (vocabulary.role(role) === undefined)
            say(placeOf(path), path.replace(/=.*/, ''), `no such role: ${role}`, 'make it with PutRole, or correct the name');
      }
      document.rules.forEach((rule, index) => {
        if (vocabulary.installation && rule.effect === 'allow')
          say(placeOf(`spec.rules[${index}].name`), `spec.rules[${index}].effect`, 'the installation only denies', 'allow in the tenant');
      });

      const trees: Record<string, string> = {};
      for (const { path, source: expression, type } of conditionsOf(document)) {
        const parsed = parseCondition(expression, vocabulary.schema(type));
        if (parsed.ok) trees[path] = packTree(parsed.condition.ast);
        else
          for (const problem of parsed.problems)
            say(within(placeOf(path), problem), path, problem.message, 'correct the expression; docs/policies.md lists what it may read');
        yield;
      }
      if (problems.length === before) {
        const { number, content } = taken;
        policies.push({ source, number, document, trees, content, standing: standingOf(document), places: placesLater(places) });
      }
    }
  }
  return { policies, problems };
}
