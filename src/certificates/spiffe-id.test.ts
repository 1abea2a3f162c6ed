// SPIFFE IDs that are, and those that are not (SPIFFE-ID §2.1–§2.4).
import { describe, expect, it } from '@jest/globals';
import { parseSpiffeId, serviceOf, spiffeIdOf } from './spiffe-id.ts';

describe('a SPIFFE ID', () => {
  it.each([
    ['spiffe://example.org', { trustDomain: 'example.org', path: '' }],
    ['spiffe://example.org/a/b', { trustDomain: 'example.org', path: '/a/b' }],
    ['spiffe://my_domain-1/A.b_c-d', { trustDomain: 'my_domain-1', path: '/A.b_c-d' }],
    ['spiffe://example.org/...', { trustDomain: 'example.org', path: '/...' }],
  ])('is %s', (text, wanted) => expect(parseSpiffeId(text)).toEqual(wanted));

  it.each([
    '',
    'example.org/a',
    'https://example.org/a',
    'SPIFFE://example.org/a',
    'spiffe://',
    'spiffe:///a',
    'spiffe://Example.org/a',
    'spiffe://example.org:80/a',
    'spiffe://user@example.org/a',
    'spiffe://example.org/',
    'spiffe://example.org/a/',
    'spiffe://example.org//a',
    'spiffe://example.org/./a',
    'spiffe://example.org/../a',
    'spiffe://example.org/%41',
    'spiffe://example.org/a?b',
    'spiffe://example.org/a#b',
    'spiffe://example.org/ä',
    `spiffe://${'a'.repeat(256)}/b`,
    `spiffe://example.org/${'a'.repeat(2048)}`,
  ])('is not %p', (text) => expect(parseSpiffeId(text)).toBeNull());

  it('of ours names a service, there and back', () => {
    const name = { namespace: 'shop', service: 'billing' };
    expect(serviceOf('example.org', spiffeIdOf('example.org', name))).toEqual(name);
  });

  it.each([
    'spiffe://example.com/ns/shop/sa/billing',
    'spiffe://example.org/ns/shop/sa/billing/extra',
    'spiffe://example.org/sa/billing/ns/shop',
    'spiffe://example.org/ns/Shop/sa/billing',
    'spiffe://example.org/ns/-shop/sa/billing',
    'spiffe://example.org/ns/shop/sa',
  ])('names no service of ours: %s', (text) => expect(serviceOf('example.org', text)).toBeNull());
});
