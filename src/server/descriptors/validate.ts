// Checks every request against the bounds that stand in the proto.
import type { FieldViolation } from '../../base/fault.ts';
import type { Checker } from './checker.ts';
import { createCompiler } from './compile.ts';
import { type Descriptors, descriptors } from './registry.ts';

/** Empty when the request keeps to the bounds. `path` is the method's, with or without the slash; `request` as ts-proto decodes it. */
export type Validate = (path: string, request: unknown) => readonly FieldViolation[];

const NONE: readonly FieldViolation[] = [];

// As many as an error's trailers can carry.
const MOST = 16;

/** Compiles the checkers of every method at once: a rule that cannot be compiled stops the start. A method we do not describe has no bounds. */
export const createValidator = (from: Descriptors = descriptors()): Validate => {
  const compile = createCompiler(from);
  const checkers = new Map<string, Checker>();
  for (const type of from.registry) {
    if (type.kind !== 'service') continue;
    for (const method of type.methods) {
      const checker = compile(method.input);
      checkers.set(`${type.typeName}/${method.name}`, checker);
      checkers.set(`/${type.typeName}/${method.name}`, checker);
    }
  }
  return (path, request) => {
    const checker = checkers.get(path);
    if (checker === undefined || checker.ok(request)) return NONE;
    const violations: FieldViolation[] = [];
    checker.explain(request, '', (field, description) => {
      if (violations.length < MOST) violations.push({ field, description });
    });
    return violations;
  };
};
