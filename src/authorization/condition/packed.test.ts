// What is packed comes back as it was; what is damaged is told, not guessed.
import { describe, expect, it } from '@jest/globals';
import { conditionSchema, parseCondition } from './condition.ts';
import { packTree, unpackCondition, unpackTree } from './packed.ts';
import { listOf, mapOf, STRING } from './type.ts';

const schema = conditionSchema({
  resource: {
    amount: { kind: 'int' },
    color: { kind: 'string', values: ['red', 'blue'] },
    tags: listOf(STRING),
    sizes: mapOf({ kind: 'int' }),
  },
});

// Every kind of node, one way or another.
const SOURCES = [
  'true',
  'resource.amount > 5 && (resource.color == "red" || !("x" in resource.tags)) && action != "read"',
  'has(resource.amount) ? resource.tags[0] == "a" : context["region"] == "eu"',
  'resource.tags.exists(t, t.startsWith("a") && resource.tags.all(u, u != t))',
  'resource.tags.map(t, t != "x", t + "!").size() > resource.sizes["a"]',
  'resource.tags.filter(t, t.matches("^a+$")) == ["a", "b"] || {"a": 1, "b": 2}["a"] == 1',
  'now < timestamp("2026-01-01T00:00:00Z") + duration("1h") && b"abc" == bytes(resource.owner_id)',
  'dyn(resource.amount) == 1.5 || context.anything == null || int(context.text) >= -3',
];

describe('a packed condition', () => {
  it.each(SOURCES)('comes back as it was: %s', (source) => {
    const parsed = parseCondition(source, schema);
    if (!parsed.ok) throw new Error(parsed.problems[0]?.message);
    const tree = packTree(parsed.condition.ast);
    expect(unpackCondition({ source, tree })).toEqual(parsed.condition);
    expect(tree.length).toBeLessThan(JSON.stringify(parsed.condition.ast).length / 2);
  });

  it.each(['', 'null', '[99,"bool",0,true]', '[6,"bool",0,[[99,"bool",0]]]', '{'])('that is damaged is told: %s', (text) => {
    expect(() => unpackTree(text)).toThrow();
  });
});
