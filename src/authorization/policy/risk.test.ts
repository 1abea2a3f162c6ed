// The table of risks: a change of one policy, its level and its reason.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import type { PolicyDocument } from './document.ts';
import { readDocument } from './read.ts';
import { assess } from './risk.ts';
import { readSource } from './source.yaml.ts';

interface Case {
  readonly it: string;
  readonly kind?: string;
  readonly about?: string;
  readonly installation?: boolean;
  readonly before?: object;
  readonly after?: object;
  readonly level: string;
  readonly says?: string;
}
const cases = parse(
  readFileSync(new URL('../../../test/cases/authorization/policies/risks.yaml', import.meta.url), 'utf8'),
) as readonly Case[];

const documentOf = (spec: object | undefined, kind: string, resource: string): PolicyDocument | null => {
  if (spec === undefined) return null;
  const text = JSON.stringify({
    apiVersion: 'securityhub/v1',
    kind,
    metadata: { name: 'p' },
    spec: { resource, ...spec },
  });
  const [taken] = readSource(text);
  if (taken === undefined || 'message' in taken) throw new Error('no document');
  const { document, problems } = readDocument(taken.node);
  if (problems.length > 0) throw new Error(JSON.stringify(problems));
  return document;
};

describe('a change of policies', () => {
  for (const { it: name, kind = 'ResourcePolicy', about = 'invoices', installation = false, before, after, level, says } of cases)
    it(`by ${name} is ${level}`, () => {
      const change = assess(documentOf(before, kind, about), documentOf(after, kind, about), installation);
      expect(change.level).toBe(level);
      if (says !== undefined) expect(change.reasons.join('\n')).toContain(says);
    });
});
