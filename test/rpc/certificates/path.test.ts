// The path validator against chains with one thing wrong (test/cases/certificates/paths.json), and its cost against hostile heaps.
import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { type Anchors, timeReason, validatePath } from '../../../src/certificates/path.ts';
import { forgeCodec } from '../../../src/certificates/x509.forge.ts';
import type { Certificate } from '../../../src/certificates/x509.ts';
import { cpuTime } from '../../harness.ts';
import { build, type Made, NOW, type Shape } from './chain.ts';

interface PathCase {
  readonly description: string;
  /** Times are seconds from now. */
  readonly root?: Shape;
  readonly intermediate?: Shape;
  readonly leaf?: Shape;
  readonly unknownRoot?: boolean;
  readonly unknownIntermediate?: boolean;
  readonly presentsRoot?: boolean;
  readonly presentsIntermediate?: boolean;
  readonly leafBelowRoot?: boolean;
  readonly leafBelowLeaf?: boolean;
  /** `<namespace>/<service>`, or the reason. */
  readonly wanted: string;
}

const CASES = JSON.parse(readFileSync(new URL('../../cases/certificates/paths.json', import.meta.url), 'utf8')) as readonly PathCase[];

const at = (shape: Shape = {}): Shape => ({
  ...shape,
  ...(shape.notBefore === undefined ? {} : { notBefore: NOW + shape.notBefore * 1000 }),
  ...(shape.notAfter === undefined ? {} : { notAfter: NOW + shape.notAfter * 1000 }),
});

const parsed = (made: Made): Certificate | null => forgeCodec.parseCertificate(made.der);
const there = (certificates: readonly (Certificate | null)[]): readonly Certificate[] => certificates.filter((one) => one !== null);

const outcome = (leaf: Certificate | null, presented: readonly Certificate[], anchors: Anchors): string => {
  if (leaf === null) return 'TOKEN_MALFORMED';
  const verdict = validatePath(leaf, presented, anchors);
  if (!verdict.ok) return verdict.reason;
  return timeReason(verdict, NOW) ?? `${verdict.name.namespace}/${verdict.name.service}`;
};

const run = (one: PathCase): string => {
  const root = build('root', null, at(one.root));
  const intermediate = build('intermediate', root, at(one.intermediate));
  const issuer = one.leafBelowRoot === true ? root : one.leafBelowLeaf === true ? build('leaf', intermediate) : intermediate;
  const leaf = build('leaf', issuer, at(one.leaf));
  const presented = [
    ...(one.presentsIntermediate === true ? [parsed(intermediate), parsed(issuer)] : []),
    ...(one.presentsRoot === true ? [parsed(root)] : []),
  ];
  const anchors = {
    trustDomain: 'test.example',
    roots: there(one.unknownRoot === true ? [parsed(build('root', null))] : [parsed(root)]),
    intermediates: there(one.unknownIntermediate === true ? [] : [parsed(intermediate)]),
  };
  return outcome(parsed(leaf), there(presented), anchors);
};

describe('a path', () => {
  it.each(CASES)('is judged: $description → $wanted', (one) => {
    expect(run(one)).toBe(one.wanted);
  });

  it('costs no more than its budget, however many look-alikes are shown', () => {
    const root = build('root', null);
    const intermediate = build('intermediate', root);
    const genuine = parsed(intermediate);
    const heap = Array.from({ length: 40 }, () => {
      const twin = build('intermediate', root, { signature: 'foreign' });
      return parsed({ ...twin });
    });
    // All claim to be the leaf's issuer: same name, same key id.
    const alike = there(heap).map((one) => ({
      ...one,
      fields: { ...one.fields, subject: genuine?.fields.subject ?? one.fields.subject, subjectKeyId: null },
    }));
    const leaf = parsed(build('leaf', intermediate));
    const before = cpuTime();
    expect(outcome(leaf, alike, { trustDomain: 'test.example', roots: there([parsed(root)]), intermediates: [] })).toBe(
      'SIGNATURE_INVALID',
    );
    expect(cpuTime() - before).toBeLessThan(250);
  });

  it('of every truncation and of every flipped octet is refused or malformed, never a crash', () => {
    const root = build('root', null);
    const intermediate = build('intermediate', root);
    const leaf = build('leaf', intermediate);
    const anchors = { trustDomain: 'test.example', roots: there([parsed(root)]), intermediates: there([parsed(intermediate)]) };
    for (let cut = 0; cut < leaf.der.length; cut += 1) expect(forgeCodec.parseCertificate(leaf.der.subarray(0, cut))).toBeNull();
    for (let octet = 0; octet < leaf.der.length; octet += 1) {
      const flipped = Buffer.from(leaf.der);
      flipped[octet] = (flipped[octet] ?? 0) ^ 0x04;
      expect(outcome(forgeCodec.parseCertificate(flipped), [], anchors)).not.toBe('shop/billing');
    }
  });
});
