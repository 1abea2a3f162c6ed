// DER as written, against the octets of the standard and read back by node-forge.
import { describe, expect, it } from '@jest/globals';
import * as der from './der.ts';
import { oidOf, readDer } from './der.forge.ts';

const hex = (bytes: Buffer): string => bytes.toString('hex');

describe('DER', () => {
  it.each([
    ['no octets', der.octets(Buffer.alloc(0)), '0400'],
    ['127 octets', der.octets(Buffer.alloc(127)).subarray(0, 2), '047f'],
    ['128 octets', der.octets(Buffer.alloc(128)).subarray(0, 3), '048180'],
    ['256 octets', der.octets(Buffer.alloc(256)).subarray(0, 4), '04820100'],
    ['zero', der.unsigned(Buffer.from([0])), '020100'],
    ['an integer with a high bit', der.unsigned(Buffer.from([0x80])), '02020080'],
    ['an integer with leading zeros', der.unsigned(Buffer.from([0, 0, 0x7f])), '02017f'],
    ['digitalSignature', der.namedBits(0), '03020780'],
    ['digitalSignature, keyEncipherment', der.namedBits(0, 2), '030205a0'],
    ['keyCertSign, cRLSign', der.namedBits(5, 6), '03020106'],
    ['an OID', der.oid('1.2.840.10045.4.3.2'), '06082a8648ce3d040302'],
    ['the last second of UTCTime', der.time(Date.UTC(2049, 11, 31, 23, 59, 59)), `170d${Buffer.from('491231235959Z').toString('hex')}`],
    ['the first second of GeneralizedTime', der.time(Date.UTC(2050, 0, 1)), `180f${Buffer.from('20500101000000Z').toString('hex')}`],
  ])('writes %s', (_, bytes, wanted) => expect(hex(bytes)).toBe(wanted));

  it('writes nothing longer than 64 KiB', () => expect(() => der.octets(Buffer.alloc(65_536))).toThrow(RangeError));

  it.each(['0.9.2342.19200300.100.1.25', '2.5.4.3', '1.3.6.1.4.1.4294967295'])('reads its own OID %s', (dotted) =>
    expect(oidOf(readDer(der.oid(dotted)))).toBe(dotted),
  );

  it.each([
    ['an indefinite length', '3080020100' + '0000'],
    ['a length with leading zeros', '0482000100'],
    ['a long form where the short one does', '04810100'],
    ['a tag of several octets', '1f810100'],
    ['a truncated element', '30050201'],
    ['bytes behind it', '02010000'],
    ['nothing', ''],
  ])('refuses %s', (_, text) => expect(() => readDer(Buffer.from(text, 'hex'))).toThrow());

  it('refuses 33 levels', () => {
    let nested = der.sequence();
    for (let level = 0; level < 33; level += 1) nested = der.sequence(nested);
    expect(() => readDer(nested)).toThrow();
  });
});
