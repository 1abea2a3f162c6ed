// docs/conditions.md: what it shows type-checks, and every name it lists is there.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { conditionSchema, parseCondition } from '../../src/authorization/condition/condition.ts';
import { LIMITS } from '../../src/authorization/condition/limits.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/conditions.md'), 'utf8');
const examples = /```cel\n([^]*?)```/.exec(page)?.[1]?.trim().split('\n') ?? [];
const schema = conditionSchema();

describe('docs/conditions.md', () => {
  it.each(examples)('shows a condition that is accepted: %s', (source) => {
    expect(parseCondition(source, schema)).toMatchObject({ ok: true });
  });

  it('lists every field of subject and resource', () => {
    for (const name of ['subject', 'resource']) {
      const row = page.split('\n').find((line) => line.startsWith(`| \`${name}\``)) ?? '';
      const listed = [...row.matchAll(/`(\w+)`/g)].map((match) => match[1]).slice(1);
      expect(new Set(listed)).toEqual(new Set(Object.keys(schema.objects[name] ?? {})));
    }
  });

  it('states the limits', () => {
    const numbers = page.split('\n').find((line) => line.startsWith('**Limits**')) ?? '';
    for (const limit of [LIMITS.source, LIMITS.nodes, LIMITS.depth, LIMITS.nesting, LIMITS.steps, LIMITS.text / 1024, LIMITS.items])
      expect(numbers).toContain(limit.toLocaleString('en-US'));
  });
});
