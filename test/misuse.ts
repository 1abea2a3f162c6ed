// Tokens of the misuse corpus (test/cases/tokens/misuse.json), made from a good one.
import { createHmac, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { filler, merged, type Recipe } from './recipe.ts';

export interface Misuse extends Recipe {
  readonly expect: string;
}

export const misuses = (
  JSON.parse(readFileSync(join(import.meta.dirname, 'cases/tokens/misuse.json'), 'utf8')) as { cases: readonly Misuse[] }
).cases;

export interface Maker {
  /** An ES256 key of the installation, and its id. */
  readonly ours: KeyObject;
  readonly kid: string;
  /** Milliseconds; whole seconds. */
  readonly now: number;
  /** Payload of a good token of a user (`usr_…`). */
  readonly good: Readonly<Record<string, unknown>>;
}

const foreign = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const retired = generateKeyPairSync('ec', { namedCurve: 'P-256' });

/** The token of a case; a good one without. */
export const tokenMaker = ({ ours, kid, now, good }: Maker) => {
  const b64 = (value: string | Uint8Array): string => Buffer.from(value as string).toString('base64url');

  const signature = (signed: string, by: string): string => {
    const p1363 = (key: KeyObject) => sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' });
    const hmac = (secret: string) => createHmac('sha256', secret).update(signed).digest();
    const publicKey = createPublicKey(ours);
    const bytes: Readonly<Record<string, () => Uint8Array>> = {
      ours: () => p1363(ours),
      foreign: () => p1363(foreign.privateKey),
      retired: () => p1363(retired.privateKey),
      none: () => Buffer.alloc(0),
      zeros: () => Buffer.alloc(64),
      ours_der: () => sign('sha256', Buffer.from(signed), ours),
      ours_cut: () => p1363(ours).subarray(0, 63),
      ours_long: () => Buffer.concat([p1363(ours), Buffer.from([0])]),
      public_pem_as_secret: () => hmac(publicKey.export({ type: 'spki', format: 'pem' }) as string),
      public_jwk_as_secret: () => hmac(JSON.stringify(publicKey.export({ format: 'jwk' }))),
    };
    return b64(bytes[by]?.() ?? Buffer.alloc(0));
  };

  const named = filler(now, {
    $kid: kid,
    $foreign_kid: 'foreign-key',
    $retired_kid: 'retired-key',
    $foreign_jwk: foreign.publicKey.export({ format: 'jwk' }),
    $2kib: 'x'.repeat(2048),
    $8kib: 'x'.repeat(8192),
  });
  /** In a text of several words too. */
  const fill: typeof named = (value) => {
    const filled = named(value);
    return typeof filled === 'string' ? filled.replaceAll('$kid', kid) : filled;
  };

  /** The last character of a segment with a bit set that encodes nothing. */
  const strayBits = (segment: string): string => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    return segment.slice(0, -1) + alphabet[alphabet.indexOf(segment.at(-1) ?? '') + 1];
  };

  const shapes: Readonly<Record<string, (header: string, payload: string, tag: string) => string>> = {
    padded: (h, p, s) => `${h}=.${p}.${s}`,
    stray_bits: (h, p, s) => `${h}.${p}.${strayBits(s)}`,
    plain_base64: (h, p, s) => `${h}.${p}.${s.slice(0, -2)}+/`,
    line_break: (h, p, s) => `${h}.${p.slice(0, 4)}\n${p.slice(4)}.${s}`,
    blank: (h, p, s) => ` ${h}.${p}.${s}`,
    two_segments: (h, p) => `${h}.${p}`,
    four_segments: (h, p, s) => `${h}.${p}.${s}.${s}`,
    jwe: (h, p, s) => `${h}.${p}.${s}.${p}.${s}`,
    json: (h, p, s) => JSON.stringify({ protected: h, payload: p, signature: s }),
    json_general: (h, p, s) => JSON.stringify({ payload: p, signatures: [{ protected: h, signature: s }] }),
    no_header: (_, p, s) => `.${p}.${s}`,
    no_payload: (h, _, s) => `${h}..${s}`,
    garbage: () => 'not.a.token',
    cut: (h, p) => `${h}.${p.slice(0, 20)}`,
    dots: () => '.'.repeat(1000),
    payload_bit: (h, p, s) => `${h}.${b64(Buffer.from(p, 'base64url').toString().replace('"sub":"u', '"sub":"v'))}.${s}`,
    other_header: (_, p, s) => `${b64(JSON.stringify({ kid, typ: 'at+jwt', alg: 'ES256' }))}.${p}.${s}`,
    header_not_utf8: (_, p, s) => `${b64(Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xff]), Buffer.from('"}')]))}.${p}.${s}`,
  };

  const make = (recipe: Partial<Misuse> = {}): string => {
    const header = b64(
      recipe.headerText === undefined ? merged(fill, { alg: 'ES256', typ: 'at+jwt', kid }, recipe.header) : String(fill(recipe.headerText)),
    );
    const payload = b64(recipe.payloadText ?? merged(fill, good, recipe.payload));
    const tag = signature(`${header}.${payload}`, recipe.key ?? 'ours');
    return shapes[recipe.shape ?? '']?.(header, payload, tag) ?? `${header}.${payload}.${tag}`;
  };

  return make;
};
