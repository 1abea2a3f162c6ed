import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type Activation, compileCondition, conditionSchema, parseCondition } from './condition.ts';

const schema = conditionSchema({
  resource: {
    from: { kind: 'timestamp' },
    to: { kind: 'timestamp' },
    windows: { kind: 'list', of: { kind: 'timestamp' } },
    life: { kind: 'duration' },
  },
});

const NOW = Date.parse('2026-03-01T12:00:00.500Z');
const after = (millis: number): string => new Date(NOW + millis).toISOString();

const activationAt = (now: number, attributes: Record<string, unknown>): Activation => ({
  subject: {},
  resource: { attributes },
  action: 'read',
  context: {},
  asserted: {},
  workload: '',
  environment: '',
  now,
});

const compiled = (source: string) => {
  const parsed = parseCondition(source, schema);
  if (!parsed.ok) throw new Error(`${source}: ${parsed.problems[0]?.message}`);
  return compileCondition(parsed.condition, schema);
};

const next = (source: string, attributes: Record<string, unknown>): number =>
  compiled(source).nextChange(activationAt(NOW, attributes)) - NOW;

describe('the next change of a condition', () => {
  it.each([
    ['resource.life > duration("1h")', { life: '2h' }, Infinity],
    ['now < resource.to', { to: after(5000) }, 5000],
    ['now <= resource.to', { to: after(5000) }, 5000],
    ['now <= resource.to', { to: after(0) }, 1],
    ['now < resource.to', { to: after(-1) }, Infinity],
    ['resource.from <= now && now < resource.to', { from: after(1000), to: after(5000) }, 1000],
    ['resource.from <= now && now < resource.to', { from: after(-1000), to: after(5000) }, 5000],
    ['now - resource.from < duration("1m")', { from: after(-50_000) }, 10_000],
    ['resource.from + resource.life > now', { from: after(0), life: '90s' }, 90_000],
    ['now < resource.to', {}, Infinity],
    ['resource.windows.exists(w, now < w)', { windows: [after(-5), after(700), after(300)] }, 300],
    ['now.getHours("Europe/Berlin") < 18', {}, 900_000 - 500],
    ['now.getMinutes() < 30', {}, 59_500],
    ['(now - resource.from).getHours() >= 1', { from: after(-1000) }, 3_599_000],
    ['string(now) == "x"', {}, 1],
    ['now - now == duration("0s")', {}, Infinity],
  ])('of %s with %j', (source, attributes, expected) => {
    expect(next(source, attributes)).toBe(expected);
  });

  const sources = [
    'now < resource.to',
    'now <= resource.to || now == resource.from',
    '!(resource.from < now) && now >= resource.to',
    'now - resource.from < resource.life ? now < resource.to : now > resource.from',
    'resource.windows.exists_one(w, w < now)',
    'resource.windows.all(w, now - w > resource.life)',
    'now.getMinutes() % 2 == 0 && now.getHours("Asia/Kathmandu") > 3',
    'size(resource.windows.filter(w, w <= now)) == 1',
    'int(now) % 3 == 0',
    'resource.to - now > resource.life',
  ];
  const instant = fc.integer({ min: -200_000, max: 200_000 });

  it('is never too late: until then the value stays as it is', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...sources),
        fc.record({ from: instant, to: instant, windows: fc.array(instant, { maxLength: 4 }), life: fc.integer({ min: -300, max: 300 }) }),
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 8, maxLength: 8 }),
        (source, { from, to, windows, life }, places) => {
          const condition = compiled(source);
          const attributes = { from: after(from), to: after(to), windows: windows.map(after), life: `${life}s` };
          const value = condition.evaluate(activationAt(NOW, attributes));
          const end = Math.min(condition.nextChange(activationAt(NOW, attributes)), NOW + 600_000);
          expect(end).toBeGreaterThan(NOW);
          for (const place of [...places, 1])
            expect(condition.evaluate(activationAt(Math.floor(NOW + place * (end - 1 - NOW)), attributes))).toBe(value);
        },
      ),
      { numRuns: 2000 },
    );
  });
});
