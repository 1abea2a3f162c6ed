import { describe, expect, it } from '@jest/globals';
import { isLoopback, plainAddress } from '../../base/address.ts';
import { uriOf } from '../../base/peer-certificate.ts';

describe('the one URI of a certificate', () => {
  it.each<[string | undefined, string | null]>([
    [undefined, null],
    ['DNS:localhost', null],
    ['URI:spiffe://a/ns/x/sa/y', 'spiffe://a/ns/x/sa/y'],
    ['DNS:localhost, URI:spiffe://a/b, IP Address:127.0.0.1', 'spiffe://a/b'],
    ['URI:spiffe://a/b, URI:spiffe://a/c', null],
    // Node quotes a name with a comma in it, so that it cannot pass for two.
    ['DNS:"evil, URI:spiffe://a/admin"', null],
    ['DNS:"evil\\", URI:spiffe://a/admin"', null],
    ['URI:"spiffe://a/b, URI:spiffe://a/admin"', null],
    ['URI:"x", URI:spiffe://a/b', null],
  ])('of %j is %j', (names, wanted) => {
    expect(uriOf(names)).toBe(wanted);
  });
});

describe('an address', () => {
  it.each<[string, string, boolean]>([
    ['127.0.0.1', '127.0.0.1', true],
    ['127.8.8.8', '127.8.8.8', true],
    ['::1', '::1', true],
    ['::ffff:127.0.0.1', '127.0.0.1', true],
    ['::ffff:203.0.113.9', '203.0.113.9', false],
    ['10.0.0.1', '10.0.0.1', false],
    ['2001:db8::127', '2001:db8::127', false],
    ['', '', false],
  ])('%j is %j, loopback: %j', (address, plain, loopback) => {
    expect(plainAddress(address)).toBe(plain);
    expect(isLoopback(address)).toBe(loopback);
  });
});
