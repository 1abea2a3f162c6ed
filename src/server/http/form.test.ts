import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { readForm } from './form.ts';

const read = (text: string | Uint8Array) => {
  const form = readForm(typeof text === 'string' ? Buffer.from(text) : text);
  return form === null ? null : Object.fromEntries(form);
};

describe('a form', () => {
  it.each<[string, string | Uint8Array, Record<string, string> | null]>([
    ['of two parameters', 'token=abc&token_type_hint=access_token', { token: 'abc', token_type_hint: 'access_token' }],
    ['with blanks and escapes', 'a=x+y%20z&b=%C3%A9', { a: 'x y z', b: 'é' }],
    ['with an empty value and a bare name', 'a=&b', { a: '', b: '' }],
    ['with an equals sign in a value', 'a=b=c', { a: 'b=c' }],
    ['that is empty', '', {}],
    ['with a parameter twice', 'token=a&token=b', null],
    ['with a parameter twice, once escaped', 'token=a&t%6Fken=b', null],
    ['with a broken escape', 'token=%zz', null],
    ['with half a UTF-8 letter escaped', 'token=%C3', null],
    ['with bytes that are no UTF-8', Uint8Array.of(0x61, 0x3d, 0xff), null],
  ])('%s', (_, text, expected) => expect(read(text)).toEqual(expected));

  it('reads whatever URLSearchParams writes', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(fc.string({ unit: 'grapheme', minLength: 1 }), fc.string({ unit: 'grapheme' })), {
          selector: ([name]) => name,
        }),
        (pairs) => {
          expect(read(new URLSearchParams(pairs).toString())).toEqual(Object.fromEntries(pairs));
        },
      ),
    );
  });
});
