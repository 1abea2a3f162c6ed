// What the names in a policy may mean, and those that mean nothing. Pure.
import type { Schema } from '../condition/condition.ts';
import { type Declarations, type StrangeName, unknownActions, unknownPermissions } from './declared.ts';
import type { PolicyDocument } from './document.ts';

/** What the names in a policy may mean. */
export interface Vocabulary extends Declarations {
  /** The installation knows no tenant's types and roles, and only denies. */
  readonly installation: boolean;
  role(name: string): unknown;
  /** What a condition about resources of that type may speak of; '*' = only what every type has. */
  schema(type: string): Schema;
}

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

const unknownTypes = (
  types: readonly [string, string][],
  vocabulary: Vocabulary,
  written: Pick<ReadonlySet<string>, 'has'>,
): readonly StrangeName[] => {
  const missing = types.filter(([, type]) => type !== '*' && vocabulary.type(type) === undefined);
  // A rule that names no type of its own has its policy's.
  const paths = new Set(missing.map(([path]) => (written.has(path) ? path : 'spec.resource')));
  return [...paths].map((path) => ({
    at: path,
    field: path,
    message: 'no such resource type',
    next: 'declare it with PutResourceType, or correct the name',
  }));
};

const unknownRoles = (roles: readonly [string, string][], vocabulary: Vocabulary): readonly StrangeName[] =>
  roles
    .filter(([, role]) => vocabulary.role(role) === undefined)
    .map(([path, role]) => ({
      at: path,
      field: path.replace(/=.*/, ''),
      message: `no such role: ${role}`,
      next: 'make it with PutRole, or correct the name',
    }));

const allowing = ({ rules }: PolicyDocument): readonly StrangeName[] =>
  rules.flatMap(({ effect }, index) =>
    effect === 'allow'
      ? [
          {
            at: `spec.rules[${index}].name`,
            field: `spec.rules[${index}].effect`,
            message: 'the installation only denies',
            next: 'allow in the tenant',
          },
        ]
      : [],
  );

/** `written`: paths of what the text says itself. */
export function* strangeNames(
  document: PolicyDocument,
  vocabulary: Vocabulary,
  written: Pick<ReadonlySet<string>, 'has'>,
): Generator<StrangeName> {
  if (vocabulary.installation) return yield* allowing(document);
  const { types, roles } = namesIn(document);
  yield* unknownTypes(types, vocabulary, written);
  yield* unknownActions(document, vocabulary, written);
  yield* unknownPermissions(document, vocabulary);
  yield* unknownRoles(roles, vocabulary);
}
