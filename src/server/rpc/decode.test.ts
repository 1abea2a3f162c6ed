// What the strict decoder refuses, on messages of the real methods, written byte by byte: our own encoders cannot write them.
import { describe, expect, it } from '@jest/globals';
import { LoginRequest, AuthenticationServiceService } from '../../gen/securityhub/v1/authentication.ts';
import { SecurityHubService } from '../../gen/securityhub/v1/security_hub.ts';
import { decode } from './decode.ts';
import type { Method } from './define.ts';

const ENCRYPT = SecurityHubService.encrypt as Method;
const CHECK = SecurityHubService.checkPermission as Method;
const LOGIN = AuthenticationServiceService.login as Method;

/** One length-delimited field; short enough for one byte of length. */
const field = (number: number, ...parts: readonly (string | Buffer)[]): Buffer => {
  const body = Buffer.concat(parts.map((part) => Buffer.from(part)));
  return Buffer.concat([Buffer.from([(number << 3) | 2, body.length]), body]);
};
/** An entry of a map<string, …>, which is also one of a Struct. */
const entry = (number: number, name: string, value: string | Buffer): Buffer => field(number, field(1, name), field(2, value));
const member = (name: string, value: Buffer): Buffer => entry(1, name, value);
const NUMBER = Buffer.from('11000000000000f03f', 'hex');
const struct = (...members: readonly Buffer[]): Buffer => field(5, ...members);
const list = (...values: readonly Buffer[]): Buffer => field(6, ...values.map((value) => field(1, value)));

const decoding = (method: Method, bytes: Uint8Array) => (): unknown => decode(method, bytes);

describe('decoding', () => {
  it('refuses an attribute whose name a plain object would lose, and names the map', () => {
    const context = field(5, entry(5, 'a', '1'), entry(5, '__proto__', '2'));
    expect(decoding(ENCRYPT, context)).toThrow(
      expect.objectContaining({
        code: 'INVALID_ARGUMENT',
        reason: 'REQUEST_INVALID',
        violations: [{ field: 'context.attributes', description: 'must not have the name __proto__' }],
      }),
    );
  });

  it('says so where a whole number is larger than is kept exactly', () => {
    // min_policy_revision = 2^64 - 1
    const bytes = Buffer.from([10 << 3, ...Buffer.alloc(9, 0xff), 1]);
    expect(decoding(CHECK, bytes)).toThrow(
      expect.objectContaining({ reason: 'REQUEST_MALFORMED', message: expect.stringContaining('2⁵³') }),
    );
  });

  it('keeps every other name', () => {
    const names = ['constructor', '__proto__x', 'toString', ''];
    const { context } = decode(ENCRYPT, field(5, ...names.map((name) => entry(5, name, name)))) as {
      context: { attributes: Record<string, string> };
    };
    expect(Object.entries(context.attributes)).toEqual(names.map((name) => [name, name]));
  });

  it.each([
    ['at the top of a Struct', field(8, member('__proto__', NUMBER)), 'context'],
    ['deep in a Struct', field(8, member('a', list(NUMBER, struct(member('b', struct(member('__proto__', NUMBER))))))), 'context.a[1].b'],
    ['in the attributes of a resource', field(5, field(6, member('__proto__', struct()))), 'resource.attributes'],
    ['in a member of a choice', field(2, field(4, member('__proto__', NUMBER))), 'subject.attributes'],
  ])('refuses that name %s', (_, bytes, holder) => {
    expect(decoding(CHECK, bytes)).toThrow(expect.objectContaining({ violations: [expect.objectContaining({ field: holder })] }));
  });

  it('takes the same text as a value, and is none the worse for it afterwards', () => {
    const request = LoginRequest.fromPartial({ username: '__proto__', password: '__proto__', scopes: ['__proto__'] });
    expect(decode(LOGIN, LoginRequest.encode(request).finish())).toEqual(request);
    expect(decode(CHECK, field(8, member('a', NUMBER)))).toMatchObject({ context: { a: 1 } });
  });

  it.each([
    ['truncated bytes', '0a05'],
    ['invalid UTF-8', '2202c328'],
    ['half a surrogate pair', '2203eda080'],
    ['an integer beyond 2^53', `50${'ff'.repeat(7)}7f`],
    ['a zero tag, which ends a message for some readers', '2201780022017a'],
  ])('refuses %s', (_, hex) => {
    expect(decoding(CHECK, Buffer.from(hex, 'hex'))).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', reason: 'REQUEST_MALFORMED' }),
    );
  });
});
