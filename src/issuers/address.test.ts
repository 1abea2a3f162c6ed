import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { addressAllowed, urlProblem } from './address.ts';

const PRODUCTION = { production: true, hosts: [] };
const DEVELOPMENT = { production: false, hosts: [] };

describe('an address to connect to', () => {
  it.each<[string, boolean, boolean]>([
    ['10.0.0.7', true, true],
    ['192.168.1.1', true, true],
    ['203.0.113.9', true, true],
    ['2001:db8::1', true, true],
    ['fd12:3456::1', true, true],
    ['127.0.0.1', false, true],
    ['127.8.8.8', false, true],
    ['::1', false, true],
    ['::ffff:127.0.0.1', false, true],
    ['0.0.0.0', false, false],
    ['::', false, false],
    ['169.254.169.254', false, false],
    ['::ffff:169.254.169.254', false, false],
    ['::ffff:a9fe:a9fe', false, false],
    ['64:ff9b::a9fe:a9fe', false, false],
    ['2002:a9fe:a9fe::', false, false],
    ['::169.254.169.254', false, false],
    ['fe80::1', false, false],
    ['fe80::1%eth0', false, false],
    ['ff02::1', false, false],
    ['224.0.0.1', false, false],
    ['255.255.255.255', false, false],
    ['100.100.100.200', false, false],
    ['fd00:ec2::254', false, false],
    ['fd20:ce::254', false, false],
    ['no address', false, false],
    ['', false, false],
  ])('%s: in production %s, in development %s', (address, production, development) => {
    expect([addressAllowed(address, PRODUCTION), addressAllowed(address, DEVELOPMENT)]).toEqual([production, development]);
  });

  it('is never link-local, however it is dressed as IPv6', () => {
    const octet = fc.integer({ min: 0, max: 255 });
    fc.assert(
      fc.property(octet, octet, (c, d) => {
        const hex = ((c << 8) | d).toString(16);
        for (const dressed of [
          `169.254.${c}.${d}`,
          `::ffff:169.254.${c}.${d}`,
          `::ffff:a9fe:${hex}`,
          `0:0:0:0:0:ffff:a9fe:${hex}`,
          `64:ff9b::a9fe:${hex}`,
        ])
          expect([dressed, addressAllowed(dressed, DEVELOPMENT)]).toEqual([dressed, false]);
      }),
    );
  });
});

describe('where keys may come from', () => {
  it.each<[string, string | null, string | null]>([
    ['https://id.example.com/keys', null, null],
    ['https://10.1.2.3:6443/openid/v1/jwks', null, null],
    ['https://[2001:db8::1]/keys', null, null],
    ['http://127.0.0.1:8080/keys', 'must begin with https://', null],
    ['http://localhost/keys', 'must begin with https://', null],
    ['https://localhost/keys', 'names this machine', null],
    ['https://x.localhost/keys', 'names this machine', null],
    ['https://127.0.0.1/keys', 'names an address that keys never come from', null],
    ['https://2130706433/keys', 'names an address that keys never come from', null],
    ['https://0x7f.1/keys', 'names an address that keys never come from', null],
    ['http://id.example.com/keys', 'must begin with https://', 'must begin with https://'],
    ['https://169.254.169.254/latest', 'names an address that keys never come from', 'names an address that keys never come from'],
    ['https://[::ffff:a9fe:a9fe]/', 'names an address that keys never come from', 'names an address that keys never come from'],
    ['https://user:secret@id.example.com/', 'must not carry a password', 'must not carry a password'],
    ['https://id.example.com/#x', 'must not have a fragment', 'must not have a fragment'],
    ['ftp://id.example.com/', 'must begin with https://', 'must begin with https://'],
    ['/keys', 'is no absolute address', 'is no absolute address'],
  ])('%s: in production %s, in development %s', (url, production, development) => {
    expect([urlProblem(url, PRODUCTION), urlProblem(url, DEVELOPMENT)]).toEqual([production, development]);
  });

  it.each<[string, boolean]>([
    ['https://id.example.com/', true],
    ['https://deep.below.example.com/', true],
    ['https://example.com/', false],
    ['https://evilexample.com/', false],
    ['https://sso.example.net/', true],
    ['https://sso.example.net.evil.org/', false],
  ])('with a list of hosts %s is on it: %s', (url, listed) => {
    const problem = urlProblem(url, { production: true, hosts: ['*.example.com', 'sso.example.net'] });
    expect(problem).toBe(listed ? null : 'names a host that TRUSTED_ISSUER_HOSTS does not list');
  });
});
