import { describe, expect, it } from '@jest/globals';
import { type Activation, type Condition, compileCondition, conditionSchema, parseCondition } from './condition.ts';

const schema = conditionSchema({
  resource: {
    amount: { kind: 'int' },
    price: { kind: 'double' },
    tags: { kind: 'list', of: { kind: 'string' } },
    department: { kind: 'string' },
    expires_at: { kind: 'timestamp' },
    level: { kind: 'string', values: ['low', 'high'] },
    meta: { kind: 'map', key: { kind: 'string' }, of: { kind: 'int' } },
  },
  subject: { department: { kind: 'string' } },
});

const activation: Activation = {
  subject: { type: 'user', id: 'u1', roles: ['editor'], attributes: { department: 'sales' } },
  resource: {
    type: 'invoice',
    id: 'i1',
    owner_id: 'u1',
    attributes: {
      amount: 5,
      price: 2.5,
      tags: ['a', 'b'],
      department: 'sales',
      expires_at: '2030-01-01T00:00:00Z',
      level: 'low',
      meta: { x: 1 },
    },
  },
  action: 'read',
  context: { ip: '10.1.2.3', n: 3, deep: { a: [1, { b: 2 }] } },
  asserted: {},
  workload: '',
  environment: 'production',
  now: Date.parse('2026-01-01T12:00:00Z'),
};

const parsed = (source: string): Condition => {
  const result = parseCondition(source, schema);
  if (!result.ok) throw new Error(`${source}: ${result.problems[0]?.message}`);
  return result.condition;
};

const evaluate = (source: string, over: Partial<Activation> = {}): unknown => {
  // Through JSON, as a worker or a table would carry it.
  const condition = JSON.parse(JSON.stringify(parsed(source))) as Condition;
  return compileCondition(condition, schema).evaluate({ ...activation, ...over });
};

const withAttributes = (attributes: Record<string, unknown>): Partial<Activation> => ({ resource: { ...activation.resource, attributes } });

describe('a condition', () => {
  it.each([
    ['resource.owner_id == subject.id', true],
    ['resource.amount < 10 && resource.department == subject.department', true],
    ['"c" in resource.tags', false],
    ['resource.tags.exists(t, t.startsWith("b"))', true],
    ['now < resource.expires_at', true],
    ['now + duration("1h") < timestamp("2026-01-01T13:00:00Z")', false],
    ['now.getHours("Europe/Berlin") == 13', true],
    ['resource.level in ["low"]', true],
    ['resource.meta["x"] + 1 == 2', true],
    ['has(resource.meta.y)', false],
    ['context.deep.a[1].b == 2', true],
    ['resource.amount / 0 == 1 || true', true],
    ['context.ip.matches("^10\\\\.")', true],
  ])('%s is %s', (source, expected) => {
    expect(evaluate(source)).toBe(expected);
  });

  it('names the attribute that is missing', () => {
    expect(evaluate('resource.amount < 10', withAttributes({}))).toMatchObject({
      cause: 'missing_attribute',
      attribute: 'resource.amount',
    });
    expect(evaluate('resource.amount < 10', withAttributes({ amount: null }))).toMatchObject({ cause: 'missing_attribute' });
  });

  it.each([
    [{ amount: '5' }, 'resource.amount < 10'],
    [{ amount: 5.5 }, 'resource.amount < 10'],
    [{ amount: 2 ** 53 }, 'resource.amount < 10'],
    [{ tags: ['a', 5] }, '"a" in resource.tags'],
    [{ tags: 'a' }, '"a" in resource.tags'],
    [{ level: 'middle' }, 'resource.level == "low"'],
    [{ expires_at: 'tomorrow' }, 'now < resource.expires_at'],
    [{ department: 7 }, 'resource.department == "7"'],
  ])('refuses to guess what %j is in %s', (attributes, source) => {
    expect(evaluate(source, withAttributes(attributes))).toMatchObject({ cause: 'wrong_type' });
  });

  it.each(['constructor', '__proto__', 'toString', 'hasOwnProperty'])('does not find %s where nobody put it', (name) => {
    expect(evaluate(`context["${name}"] == 1`)).toMatchObject({ cause: 'missing_attribute' });
    expect(evaluate(`has(context.deep.${name})`)).toBe(false);
    expect(evaluate(`"${name}" in context`)).toBe(false);
  });

  it.each([
    ['resource.amuont < 10', 1, 9, /not declared/],
    ['resource.amount\n  == "5"', 2, 3, /int is never string/],
    ['resource.level == "middle"', 1, 19, /one of low, high/],
    ['resource.amount', 1, 1, /is a bool/],
    ['resource.amount + 1', 1, 1, /is a bool/],
    ['unknown == 1', 1, 1, /not known here/],
    ['"x".matches("(?=a)")', 1, 13, /RE2/],
    ['"x".matches("(a{100}){9}")', 1, 13, /at most 250/],
    ['"x".matches(resource.department)', 1, 4, /constant/],
    ['now < timestamp("noon")', 1, 17, /RFC 3339/],
    ['1u == 1', 1, 1, /unsigned/],
    ['9007199254740993 > resource.amount', 1, 1, /larger ids as strings/],
    ['resource.amount == 1.0', 1, 17, /int is never double/],
    ['(true', 1, 6, /syntax/],
    ['', 1, 1, /syntax/],
  ])('%s is refused at %i:%i', (source, line, column, message) => {
    expect(parseCondition(source, schema)).toMatchObject({
      ok: false,
      problems: [{ line, column, message: expect.stringMatching(message) }],
    });
  });

  it('reports every problem at once', () => {
    const result = parseCondition('resource.a == 1 && subject.b == 2', schema);
    expect(result).toMatchObject({ ok: false, problems: [{ column: 9 }, { column: 27 }] });
  });

  it.each([
    ['too long', `${'true && '.repeat(600)}true`],
    ['too many parts', `[${'1,'.repeat(600)}1].size() > 0`],
    ['too deep', `${'('.repeat(5)}${'!'.repeat(1)}${'size([['.repeat(40)}1${']])'.repeat(40)} > 0)))))`],
    ['so deep that the parser gives up', `${'('.repeat(1500)}true${')'.repeat(1500)}`],
    ['too costly', 'resource.tags.all(a, resource.tags.all(b, resource.tags.all(c, a == b || b == c)))'],
  ])('%s is refused when it is written', (_, source) => {
    expect(parseCondition(source, schema).ok).toBe(false);
  });

  it('ends an evaluation that takes too many steps', () => {
    const tags = Array.from({ length: 2000 }, (_, i) => `t${i}`);
    const source = 'resource.tags.all(a, resource.tags.all(b, a.size() == b.size() || true))';
    expect(evaluate(source, withAttributes({ tags }))).toMatchObject({ cause: 'budget_exceeded' });
  });

  it('ends a search of a long text by a large pattern', () => {
    const context = { text: 'ab'.repeat(2000) };
    expect(evaluate('context.text.matches("(a|b)*a(a|b){60}$")', { context })).toMatchObject({ cause: 'budget_exceeded' });
    expect(evaluate('context.text.matches("^[ab]+$")', { context: { text: 'ab'.repeat(100) } })).toBe(true);
  });

  it('ends a comparison of values nested without end, and of large ones again and again', () => {
    const nested = (depth: number): unknown => Array.from({ length: depth }).reduce((inner) => [inner], 1);
    const deep = { context: { a: nested(3000), b: nested(3000) } };
    expect(evaluate('context.a == context.b', deep)).toMatchObject({ cause: 'budget_exceeded' });
    expect(evaluate('context.a in [context.b]', deep)).toMatchObject({ cause: 'budget_exceeded' });
    const wide = Array.from({ length: 5000 }, (_, i) => i);
    expect(evaluate('context.a.all(x, context.a == context.b)', { context: { a: wide, b: [...wide] } })).toMatchObject({
      cause: 'budget_exceeded',
    });
    const tags = Array.from({ length: 9000 }, () => 'x');
    expect(evaluate('resource.tags.all(t, size(resource.tags) > 0)', withAttributes({ tags }))).toMatchObject({ cause: 'budget_exceeded' });
  });

  it('reports no more problems than people read', () => {
    const result = parseCondition(`x${'||x'.repeat(500)}`, schema);
    expect(result.ok ? 0 : result.problems.length).toBe(20);
  });

  it('ends a check whose conditions together take too many steps', () => {
    const compiled = compileCondition(parsed('resource.tags.all(t, t != "x")'), schema);
    const meter = { left: 10 };
    expect([1, 2, 3].map(() => compiled.evaluate(activation, meter))).toMatchObject([
      true,
      { cause: 'budget_exceeded' },
      { cause: 'budget_exceeded' },
    ]);
    expect(compiled.evaluate(activation)).toBe(true);
  });

  it('tells what it reads', () => {
    expect(parsed('resource.owner_id == subject.id && context["ip"] != "" && resource.tags.exists(t, t == action)')).toMatchObject({
      attributes: ['action', 'context.ip', 'resource.owner_id', 'resource.tags', 'subject.id'],
      usesNow: false,
    });
    expect(parsed('now > resource.expires_at').usesNow).toBe(true);
  });
});
