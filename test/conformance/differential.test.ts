// Our closures against the library's evaluator, on random expressions and values: the same value, or an error in both.
import { type CelInput, celEnv, parse, plan } from '@bufbuild/cel';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { create } from '@bufbuild/protobuf';
import { DurationSchema } from '@bufbuild/protobuf/wkt';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { check } from '../../src/authorization/condition/check.ts';
import { compileBool } from '../../src/authorization/condition/compile.ts';
import { packTree, unpackTree } from '../../src/authorization/condition/packed.ts';
import { parseSyntax } from '../../src/authorization/condition/parse.cel.ts';
import type { Schema } from '../../src/authorization/condition/type.ts';
import { attributes, expressions, FIELDS } from './expressions.ts';

/** Seconds to search; SECONDS_OF_FUZZ=600 for a night. */
const SECONDS = Number(process.env.SECONDS_OF_FUZZ ?? 5);

const schema: Schema = {
  variables: { r: { kind: 'object', name: 'r' } },
  objects: { r: Object.fromEntries(Object.entries(FIELDS).map(([name, type]) => [name, { type }])) },
};

const env = celEnv();

/** A JSON attribute as the library wants its values. */
const given = (name: string, value: unknown): CelInput => {
  const kind = FIELDS[name]?.kind;
  if (kind === 'int') return BigInt(value as number);
  if (kind === 'timestamp') return timestampFromDate(new Date(value as string));
  if (kind === 'duration') return create(DurationSchema, { seconds: BigInt((value as string).slice(0, -1)) });
  if (kind === 'bytes') return new Uint8Array(Buffer.from(value as string, 'base64'));
  if (name === 'ints') return (value as number[]).map(BigInt);
  if (name === 'map') return new Map(Object.entries(value as Record<string, number>).map(([key, one]) => [key, BigInt(one)]));
  return value as CelInput;
};

const theirs = (source: string, values: Readonly<Record<string, unknown>>): boolean | 'error' => {
  const r = new Map(Object.entries(values).map(([name, value]) => [name, given(name, value)]));
  try {
    const result = plan(env, parse(source))({ r });
    return typeof result === 'boolean' ? result : 'error';
  } catch {
    return 'error';
  }
};

type Ours = boolean | { readonly error: string } | { readonly refused: string };

const ours = (source: string, values: Readonly<Record<string, unknown>>): Ours => {
  const parsed = parseSyntax(source);
  const checked = parsed.ok ? check(source, parsed.syntax, schema, { patternSize: () => 1 }) : parsed;
  if (!checked.ok) return { refused: checked.problems.map(({ message }) => message).join('; ') };
  // Trees are kept packed: every one takes that way.
  const result = compileBool(unpackTree(packTree(checked.expr)), schema)({ r: values });
  return typeof result === 'boolean' ? result : { error: result.message };
};

describe('random conditions', () => {
  it(
    'have the value that the library gives them',
    () => {
      const end = Date.now() + SECONDS * 1000;
      let [values, errors] = [0, 0];
      for (let round = 0; Date.now() < end; round++)
        fc.assert(
          fc.property(expressions, attributes, (source, bound) => {
            const mine = ours(source, bound);
            // Two types that are never equal are refused when written; the library answers false.
            if (typeof mine === 'object' && 'refused' in mine && mine.refused.includes(' is never ')) return;
            if (typeof mine === 'boolean') values++;
            else errors++;
            const wanted = theirs(source, bound);
            if (wanted === 'error' && typeof mine === 'object' && 'error' in mine) return;
            expect({ source, bound, value: mine }).toEqual({ source, bound, value: wanted });
          }),
          { numRuns: 200 },
        );
      // A search that only ever saw errors, or only values, would prove little.
      expect(values).toBeGreaterThan(100 * SECONDS);
      expect(errors).toBeGreaterThan(20 * SECONDS);
    },
    SECONDS * 1000 + 60_000,
  );
});
