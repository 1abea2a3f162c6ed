// The proto3 JSON mapping, case by case: JSON → what our handlers decode, what they answer → JSON, and what is refused.
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import type { Fault } from '../../src/base/fault.ts';
import { descriptors } from '../../src/server/descriptors/registry.ts';
import { printJson, readJson } from '../../src/server/http/json.ts';

interface Codec {
  decode(bytes: Uint8Array): object;
  fromPartial(value: object): object;
  encode(value: object): { finish(): Uint8Array };
}

const codecs = new Map<string, Codec>();
const folder = new URL('../../src/gen/securityhub/v1/', import.meta.url);
for (const file of readdirSync(folder))
  for (const [name, value] of Object.entries((await import(new URL(file, folder).href)) as Record<string, Codec>))
    if (typeof value === 'object' && 'fromPartial' in value) codecs.set(`securityhub.v1.${name}`, value);

const codecOf = (name: string): Codec => {
  const codec = codecs.get(name);
  if (codec === undefined) throw new Error(`no ${name} is generated`);
  return codec;
};
const described = descriptors();
const messageOf = (name: string) => {
  const message = described.registry.getMessage(name);
  if (message === undefined) throw new Error(`no ${name} is described`);
  return message;
};

/** `{"$bytes": "6869"}` in a case stands for bytes, null for what is not there. */
const revive = (value: unknown): unknown => {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
  if ('$bytes' in value) return Buffer.from(String(value.$bytes), 'hex');
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, revive(inner)]));
};

interface Case {
  readonly description: string;
  readonly message: string;
}
const cases = <T extends Case>(file: string): [string, T][] =>
  (JSON.parse(readFileSync(new URL(`../cases/json/${file}.json`, import.meta.url), 'utf8')) as T[]).map((one) => [one.description, one]);

describe('proto3 JSON', () => {
  it.each(cases<Case & { readonly json: object; readonly decoded: Record<string, unknown> }>('requests'))(
    'of a request: %s',
    (_, { message, json, decoded }) => {
      const request = codecOf(message).decode(Buffer.from(readJson(messageOf(message), JSON.stringify(json), described))) as Record<
        string,
        unknown
      >;
      for (const [field, wanted] of Object.entries(decoded)) {
        if (wanted === null) expect(request[field]).toBeUndefined();
        else if (typeof wanted === 'object' && !Array.isArray(wanted)) expect(request[field]).toMatchObject(revive(wanted) as object);
        else expect(request[field]).toEqual(wanted);
      }
    },
  );

  it.each(cases<Case & { readonly answer: object; readonly json: object }>('answers'))(
    'of an answer: %s',
    (_, { message, answer, json }) => {
      const codec = codecOf(message);
      const bytes = codec.encode(codec.fromPartial(revive(answer) as object)).finish();
      expect(JSON.parse(printJson(messageOf(message), bytes, described))).toEqual(json);
    },
  );

  it.each(cases<Case & { readonly text: string; readonly field: string; readonly says: string }>('refusals'))(
    'refuses %s',
    (_, { message, text, field, says }) => {
      let fault: Fault | null = null;
      try {
        readJson(messageOf(message), text, described);
      } catch (thrown) {
        fault = thrown as Fault;
      }
      expect(fault).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'REQUEST_MALFORMED' });
      expect(fault?.violations.map((violation) => violation.field)).toEqual(field === '' ? [] : [field]);
      expect(fault?.message).toContain(says);
      expect(fault?.message).not.toContain('hunter2');
    },
  );
});
