// Nobody waits longer than a slice: the slicer yields once its time is used up, and the steps of policy work are short beside it.
import { describe, expect, it } from '@jest/globals';
import { conditionSchema } from '../condition/condition.ts';
import { compileSet, EMPTY_SET, NO_TYPES, type StoredBody } from './compile-set.ts';
import { ANY_TYPE } from './declared.ts';
import type { PolicyDocument } from './document.ts';
import { concerns, lacking, planOf } from './plan.ts';
import { readPolicies } from './read-policies.ts';
import type { Vocabulary } from './vocabulary.ts';
import { atOnce, inSlices } from '../../base/slices.ts';

/** Milliseconds that anything may hold the event loop. */
const BUDGET = 2;

describe('work in slices', () => {
  it.each([0.01, 0.3, 0.9])('with steps of %d ms never holds the event loop for 2 ms', async (step) => {
    let [now, began, longest, turns] = [0, 0, 0, 0];
    let over = false;
    // Another's turn: whatever passed since the last one was held by the work.
    const turn = (): void => {
      longest = Math.max(longest, now - began);
      began = now;
      turns += 1;
      if (!over) setImmediate(turn);
    };
    setImmediate(turn);
    const work = function* (): Generator<void, string> {
      for (let at = 0; at < 200; at += 1) {
        now += step;
        yield;
      }
      return 'done';
    };
    expect(await inSlices(work(), () => now)).toBe('done');
    longest = Math.max(longest, now - began);
    over = true;
    expect(longest).toBeLessThan(BUDGET);
    expect(turns).toBeGreaterThanOrEqual(Math.floor((200 * step) / BUDGET));
  });
});

const ROUNDS = 7;

/** The longest step, each as short as it was in the best of some rounds: what the machine did besides is in one round, not in all. */
const longestStep = <T>(make: () => Generator<unknown, T>): { readonly longest: number; readonly result: T } => {
  let best: number[] = [];
  for (let round = 1; ; round += 1) {
    const took: number[] = [];
    const work = make();
    for (;;) {
      const began = performance.now();
      const step = work.next();
      took.push(performance.now() - began);
      if (step.done !== true) continue;
      best = took.map((one, at) => Math.min(one, best[at] ?? one));
      if (round === ROUNDS) return { longest: Math.max(...best), result: step.value };
      break;
    }
  }
};

const schema = conditionSchema({ resource: { status: { kind: 'string' }, amount: { kind: 'int' } } });
const vocabulary: Vocabulary = { ...ANY_TYPE, installation: false, role: () => true, schema: () => schema };

const policy = (name: string, rules: number): string =>
  `apiVersion: securityhub/v1\nkind: ResourcePolicy\nmetadata: { name: ${name} }\nspec:\n  resource: things\n  rules:\n${Array.from(
    { length: rules },
    (_, at) =>
      `    - { name: r${at}, effect: allow, actions: [a${at % 7}], roles: [clerk], condition: 'resource.status == "S${at}" && resource.amount > ${at}' }\n`,
  ).join('')}`;

// A thousand rules in each. The composer takes a document in one go: two milliseconds for one of 15 KB.
const SETS: readonly (readonly [string, number, readonly { readonly name: string; readonly content: string }[]])[] = [
  ['500 policies', BUDGET, Array.from({ length: 500 }, (_, at) => ({ name: `f${at}`, content: policy(`p${at}`, 2) }))],
  ['policies of 100 rules', BUDGET * 2, Array.from({ length: 10 }, (_, at) => ({ name: `f${at}`, content: policy(`p${at}`, 100) }))],
];

const otherwise = (document: PolicyDocument): PolicyDocument => ({
  ...document,
  rules: document.rules.map((rule) => ({ ...rule, condition: 'true' })),
});

describe.each(SETS)('no step of a bulk of %s is long', (_, reading, sources) => {
  const read = longestStep(() => readPolicies(sources, vocabulary));
  const { policies } = read.result;
  const bodies = policies.map(
    ({ document, trees }): StoredBody => ({
      name: document.name,
      version: 1,
      content: '',
      body: JSON.stringify({ document, trees }),
      offers: false,
    }),
  );
  const change = { version: 1, gone: [], types: NO_TYPES, installation: false };

  it('when they are read', () => {
    expect(read.result.problems).toEqual([]);
    expect(read.longest).toBeLessThan(reading);
  });

  it('when they are weighed against those they replace', () => {
    const before = new Map(
      policies.map(({ document, content }) => [document.name, { content: `# ${content}`, document: otherwise(document) }]),
    );
    const input = { policies, deleted: [], standing: policies.length, before, installation: false, leaning: [] };
    const { longest, result } = longestStep(() => planOf(input));
    expect(result.going).toHaveLength(policies.length);
    expect(longest).toBeLessThan(BUDGET / 2);
    expect(longestStep(() => concerns(policies, [])).longest).toBeLessThan(BUDGET / 2);
    expect(longestStep(() => lacking(policies, [], new Set())).longest).toBeLessThan(BUDGET / 2);
  });

  it('when they are compiled, and when one of them changes', () => {
    const all = longestStep(() => compileSet(EMPTY_SET, { ...change, come: bodies }, vocabulary));
    expect(all.result.policies.size).toBe(policies.length);
    expect(all.longest).toBeLessThan(BUDGET / 2);
    const one = bodies.slice(0, 1).map((body) => ({ ...body, version: 2 }));
    const next = { ...change, version: 2, come: one, gone: one.map(({ name }) => name) };
    const changed = longestStep(() => compileSet(all.result, next, vocabulary));
    expect(changed.result.index.size).toBe(policies.length);
    expect(changed.longest).toBeLessThan(BUDGET / 2);
    expect(atOnce(compileSet(all.result, next, vocabulary)).policies.get('p0')?.version).toBe(2);
  });
});
