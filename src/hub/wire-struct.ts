// google.protobuf.Struct → a plain object, read in one go: the generated decoder makes three objects for each value.
import { LOST } from '../server/rpc/decode.ts';
import { type Cursor, fieldEnd, ODD, varint, word } from './wire-cursor.ts';

/** Deeper ones are for the generated decoder, and for the rule that refuses them. */
const DEEPEST = 16;

// Tags of Value, and of what holds values.
const NULL = 8;
const NUMBER = 17;
const TEXT = 26;
const BOOL = 32;
const STRUCT = 42;
const LIST = 50;
const ITEM = 10;
const KEY = 10;
const VALUE = 18;

const number = (cursor: Cursor, end: number): number => {
  if (end - cursor.at < 8) throw ODD;
  cursor.at += 8;
  return cursor.bytes.readDoubleLE(cursor.at - 8);
};

/** undefined where no kind is set, as ts-proto has it. */
const value = (cursor: Cursor, end: number, depth: number): unknown => {
  let read: unknown;
  while (cursor.at < end) {
    switch (varint(cursor, end)) {
      case NULL:
        if (varint(cursor, end) !== 0) throw ODD;
        read = null;
        break;
      case NUMBER:
        read = number(cursor, end);
        break;
      case TEXT:
        read = word(cursor, end);
        break;
      case BOOL:
        read = varint(cursor, end) !== 0;
        break;
      case STRUCT:
        read = struct(cursor, fieldEnd(cursor, end), depth + 1);
        break;
      case LIST:
        read = list(cursor, fieldEnd(cursor, end), depth + 1);
        break;
      default:
        throw ODD;
    }
  }
  return read;
};

const list = (cursor: Cursor, end: number, depth: number): readonly unknown[] => {
  if (depth > DEEPEST) throw ODD;
  const items: unknown[] = [];
  while (cursor.at < end) {
    if (varint(cursor, end) !== ITEM) throw ODD;
    items.push(value(cursor, fieldEnd(cursor, end), depth));
  }
  return items;
};

const member = (cursor: Cursor, end: number, depth: number, into: Record<string, unknown>): void => {
  let key = '';
  let read: unknown;
  while (cursor.at < end) {
    const tag = varint(cursor, end);
    if (tag === KEY) key = word(cursor, end);
    else if (tag === VALUE) read = value(cursor, fieldEnd(cursor, end), depth);
    else throw ODD;
  }
  if (key === LOST) throw ODD;
  if (read !== undefined) into[key] = read;
};

/** As `Struct.unwrap(Struct.decode(…))`. */
export const struct = (cursor: Cursor, end: number, depth = 1): Record<string, unknown> => {
  if (depth > DEEPEST) throw ODD;
  const members: Record<string, unknown> = {};
  while (cursor.at < end) {
    if (varint(cursor, end) !== KEY) throw ODD;
    member(cursor, fieldEnd(cursor, end), depth, members);
  }
  return members;
};
