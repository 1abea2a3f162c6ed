// BatchCheckRequest as most callers write it, read without the detours of the generated decoder, which reads all the others.
// Tags are those of the protos; a test holds what is read here against what the generated decoder reads.
import { type Resource, Subject } from '../../gen/securityhub/v1/authorization.ts';
import { BatchCheckRequest, type PermissionCheck } from '../../gen/securityhub/v1/security_hub.ts';
import { type Cursor, fieldEnd, isSame, ODD, skip, text, varint, word } from '../wire-cursor.ts';
import { struct } from '../wire-struct.ts';

const NO_OTHERS = BatchCheckRequest.fromPartial({});

/** Several actions on one resource are asked about in a row: what has the same bytes as the one before is the same object. */
interface Seen {
  start: number;
  end: number;
  resource: Resource | undefined;
}

const readResource = (cursor: Cursor, end: number): Resource => {
  const read: Resource = { type: '', id: '', tenantId: '', ownerId: '', classification: '', attributes: undefined, parents: [] };
  while (cursor.at < end)
    switch (varint(cursor, end)) {
      case 10:
        read.type = word(cursor, end);
        break;
      case 18:
        read.id = text(cursor, end);
        break;
      case 26:
        read.tenantId = word(cursor, end);
        break;
      case 34:
        read.ownerId = text(cursor, end);
        break;
      case 42:
        read.classification = word(cursor, end);
        break;
      case 50:
        read.attributes = struct(cursor, fieldEnd(cursor, end));
        break;
      case 58:
        read.parents.push(readParent(cursor, fieldEnd(cursor, end)));
        break;
      default:
        throw ODD;
    }
  return read;
};

const readParent = (cursor: Cursor, end: number): Resource['parents'][number] => {
  const read = { type: '', id: '' };
  while (cursor.at < end) {
    const tag = varint(cursor, end);
    if (tag === 10) read.type = word(cursor, end);
    else if (tag === 18) read.id = text(cursor, end);
    else throw ODD;
  }
  return read;
};

const sameResource = (cursor: Cursor, end: number, seen: Seen): Resource => {
  const { bytes, at: start } = cursor;
  const length = end - start;
  if (seen.resource !== undefined && seen.end - seen.start === length && isSame(bytes, seen.start, bytes, start, length)) {
    cursor.at = end;
    return seen.resource;
  }
  seen.resource = readResource(cursor, end);
  seen.start = start;
  seen.end = end;
  return seen.resource;
};

/** One who is only named. What else is said of him is left to the generated decoder. */
const readSubject = (cursor: Cursor, end: number): Subject => {
  const read = Subject.fromPartial({});
  while (cursor.at < end) {
    const tag = varint(cursor, end);
    if (tag === 10) read.tenantId = word(cursor, end);
    else if (tag === 18) read.type = word(cursor, end);
    else if (tag === 26) read.id = text(cursor, end);
    else throw ODD;
  }
  return read;
};

const readCheck = (cursor: Cursor, end: number, seen: Seen): PermissionCheck => {
  const read: PermissionCheck = {
    id: '',
    action: '',
    resource: undefined,
    principal: undefined,
    tokenContext: undefined,
    context: undefined,
    workload: '',
    environment: '',
    minPolicyRevision: 0,
  };
  while (cursor.at < end)
    switch (varint(cursor, end)) {
      case 10:
        read.id = text(cursor, end);
        break;
      case 18:
        read.action = word(cursor, end);
        break;
      case 26:
        read.resource = sameResource(cursor, fieldEnd(cursor, end), seen);
        break;
      case 42:
        read.principal = { $case: 'subject', value: readSubject(cursor, fieldEnd(cursor, end)) };
        break;
      case 58:
        read.context = struct(cursor, fieldEnd(cursor, end));
        break;
      case 66:
        read.workload = word(cursor, end);
        break;
      case 74:
        read.environment = word(cursor, end);
        break;
      default:
        throw ODD;
    }
  return read;
};

const readUsual = (bytes: Buffer, generated: (bytes: Buffer) => BatchCheckRequest): BatchCheckRequest => {
  const cursor: Cursor = { bytes, at: 0 };
  const end = bytes.length;
  const checks: PermissionCheck[] = [];
  const others: Buffer[] = [];
  const seen: Seen = { start: 0, end: 0, resource: undefined };
  let principal: BatchCheckRequest['principal'];
  let context: BatchCheckRequest['context'];
  while (cursor.at < end) {
    const start = cursor.at;
    const tag = varint(cursor, end);
    if (tag === 66) checks.push(readCheck(cursor, fieldEnd(cursor, end), seen));
    else if (tag === 18) principal = { $case: 'subject', value: readSubject(cursor, fieldEnd(cursor, end)) };
    else if (tag === 34) context = struct(cursor, fieldEnd(cursor, end));
    else {
      skip(cursor, tag, end);
      others.push(bytes.subarray(start, cursor.at));
    }
  }
  const rest = others.length === 0 ? NO_OTHERS : generated(Buffer.concat(others));
  // Where both have found something, the order of the fields decides, which the generated decoder sees.
  if (rest.checks.length > 0 || (rest.principal && principal) || (rest.context && context)) throw ODD;
  return { ...rest, principal: principal ?? rest.principal, context: context ?? rest.context, checks };
};

/** null: not as usual, or no such message at all. `generated` reads the fields that are seldom set. */
export const readBatchCheck = (bytes: Buffer, generated: (bytes: Buffer) => BatchCheckRequest): BatchCheckRequest | null => {
  try {
    return readUsual(bytes, generated);
  } catch {
    return null;
  }
};
