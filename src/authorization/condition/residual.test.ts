import { describe, expect, it } from '@jest/globals';
import { type Activation, conditionSchema, parseCondition, type Residual, residualOfCondition, rowsOf } from './condition.ts';
import { FALSE, type Filter, TRUE } from './filter.ts';
import { renderSql } from './sql.ts';

const schema = conditionSchema({
  resource: {
    amount: { kind: 'int' },
    department: { kind: 'string' },
    created_at: { kind: 'timestamp' },
    tags: { kind: 'list', of: { kind: 'string' } },
    level: { kind: 'string', values: ['low', 'high'] },
    meta: { kind: 'map', key: { kind: 'string' }, of: { kind: 'int' } },
  },
  subject: { department: { kind: 'string' }, areas: { kind: 'list', of: { kind: 'string' } } },
});

const activation: Activation = {
  subject: { type: 'user', id: 'u1', roles: ['editor'], attributes: { department: 'sales', areas: ['north', 'south'] } },
  resource: { type: 'invoice' },
  action: 'read',
  context: {},
  asserted: {},
  workload: '',
  environment: '',
  now: Date.parse('2026-01-01T12:00:00Z'),
};

const residual = (source: string): Residual => {
  const parsed = parseCondition(source, schema);
  if (!parsed.ok) throw new Error(`${source}: ${parsed.problems[0]?.message}`);
  return residualOfCondition(parsed.condition, schema, activation);
};

const filterOf = (source: string): Filter => {
  const result = residual(source);
  if (!result.ok) throw new Error(result.message);
  return result.filter;
};

const columns = {
  owner_id: 'i.owner_id',
  amount: 'amount',
  department: 'department',
  created_at: 'created_at',
  tags: 'tags',
  level: 'level',
};

describe('what is left of a condition when all but the row is known', () => {
  it.each([
    ['subject.id == "u1"', TRUE],
    ['resource.type == "invoice" && "admin" in subject.roles', FALSE],
    ['"editor" in subject.roles || resource.amount > 5', TRUE],
    ['subject.id == "u2" && resource.amount > 5', FALSE],
  ])('%s needs no row', (source, filter) => {
    expect(filterOf(source)).toEqual(filter);
  });

  it.each([
    ['resource.owner_id == subject.id', '("i"."owner_id" = $1::text)', ['u1']],
    ['1000 > resource.amount && "editor" in subject.roles', '("amount" < $1::bigint)', [1000]],
    ['resource.department in subject.areas', '("department" = ANY($1::text[]))', [['north', 'south']]],
    [
      'resource.tags.exists(t, t == subject.department)',
      '($1::text = ANY((CASE WHEN array_position("tags", NULL) IS NULL THEN "tags" END)))',
      ['sales'],
    ],
    ['now - resource.created_at < duration("30m")', '("created_at" > $1::timestamptz)', ['2026-01-01T11:30:00Z']],
    ['resource.level == "low"', '("level" = $1::text)', ['low']],
    ['!has(resource.department)', '(NOT ("department" IS NOT NULL))', []],
    ['subject.areas.exists(a, a == resource.department)', '(("department" = $1::text) OR ("department" = $2::text))', ['north', 'south']],
  ])('%s becomes %s', (source, sql, parameters) => {
    expect(renderSql(rowsOf([filterOf(source)], []), columns)).toEqual({ ok: true, sql, parameters });
  });

  it('never finds a row by a condition without a value, and never spares one from a deny', () => {
    const unknown = filterOf('subject.status == "active" && resource.amount > 1');
    expect(rowsOf([filterOf('subject.status == "active"')], [])).toEqual(FALSE);
    expect(renderSql(rowsOf([TRUE], [unknown]), columns)).toMatchObject({ sql: '((NULL::boolean AND ("amount" > $1::bigint)) IS FALSE)' });
  });

  it.each([
    ['resource.meta.x == 1', /meta/],
    ['resource.department.matches("^s")', /matches/],
    ['resource.tags.exists_one(t, t == "a")', /exists_one/],
    ['dyn(resource) == context.row', /value/],
    ['resource.created_at.getHours() > 8', /getHours/],
  ])('says where %s asks more than a filter can', (source, message) => {
    expect(residual(source)).toMatchObject({ ok: false, message: expect.stringMatching(message) });
  });

  it('names the attributes without a column', () => {
    expect(renderSql(filterOf('resource.amount > 1 || resource.owner_id == "x"'), { amount: 'amount' })).toEqual({
      ok: false,
      missing: ['resource.owner_id'],
    });
  });

  it('writes no value of a caller into the text', () => {
    const evil = { ...activation, subject: { ...activation.subject, id: "'; DROP TABLE x; --" } };
    const parsed = parseCondition('resource.owner_id == subject.id', schema);
    const result = parsed.ok ? residualOfCondition(parsed.condition, schema, evil) : null;
    expect(result?.ok && renderSql(result.filter, { owner_id: 'a"b' })).toEqual({
      ok: true,
      sql: '("a""b" = $1::text)',
      parameters: ["'; DROP TABLE x; --"],
    });
  });

  it('refuses a text that no database holds', () => {
    const odd = { ...activation, subject: { ...activation.subject, id: 'a\0b' } };
    const parsed = parseCondition('resource.owner_id == subject.id', schema);
    expect(parsed.ok && residualOfCondition(parsed.condition, schema, odd).ok).toBe(false);
  });

  it('survives JSON', () => {
    const filter = filterOf('resource.owner_id == subject.id || resource.tags.all(t, size(t) > 2)');
    expect(JSON.parse(JSON.stringify(filter))).toEqual(filter);
  });
});
