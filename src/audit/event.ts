// An audit event as it is kept: an entry with its id, its time and how often it happened; every part bounded and storable.
import type { AuditEntry } from '../base/event.ts';
import type { Instant } from '../base/time.ts';

export interface AuditEvent extends AuditEntry {
  /** `evt_` + 10 characters of time + 3 of order within the millisecond + 13 random ones: sorts by time. */
  readonly id: string;
  readonly time: Instant;
  /** How many equal happenings this event stands for. */
  readonly count: number;
  readonly riskIndicators: readonly string[];
}

/** Details of an event, as JSON, stay within this many bytes. */
export const DETAILS_MAX = 8 * 1024;

const DIGITS = '0123456789abcdefghjkmnpqrstvwxyz';
const DEPTH = 8;

const base32 = (value: number, length: number): string => {
  let out = '';
  for (let rest = value; out.length < length; rest = Math.floor(rest / 32)) out = DIGITS[rest % 32] + out;
  return out;
};

/** Random bytes that an id needs. */
export const ID_RANDOM = 13;

/** `random` is `ID_RANDOM` bytes; `order` counts ids within one millisecond of one process. */
export const eventId = (time: Instant, order: number, random: Uint8Array): string => {
  let tail = '';
  for (let i = 0; i < ID_RANDOM; i += 1) tail += DIGITS[(random[i] ?? 0) % 32];
  return `evt_${base32(time, 10)}${base32(order, 3)}${tail}`;
};

// Postgres can keep neither NUL nor half a surrogate pair, and an event that cannot be kept would hold up all others.
const storable = (text: string): string => {
  const formed = text.isWellFormed() ? text : text.toWellFormed();
  return formed.includes('\0') ? formed.replaceAll('\0', '\ufffd') : formed;
};

const bounded = (text: string, length: number): string => {
  const clean = storable(text);
  return clean.length <= length ? clean : `${clean.slice(0, length - 1).toWellFormed()}…`;
};

const plain = (value: unknown, depth: number): unknown => {
  if (typeof value === 'string') return storable(value);
  if (typeof value === 'bigint') return value.toString();
  if (value === null || typeof value !== 'object') return typeof value === 'function' || typeof value === 'symbol' ? null : value;
  if (value instanceof Uint8Array) return { bytes: value.length };
  if (depth === 0) return '…';
  if (Array.isArray(value)) return value.slice(0, 1000).map((item) => plain(item, depth - 1));
  if (value instanceof Date) return value.toJSON();
  return Object.fromEntries(
    Object.entries(value)
      .slice(0, 1000)
      .map(([name, member]) => [bounded(name, 256), plain(member, depth - 1)]),
  );
};

/** Of text and numbers alone, so short that no escaping makes it too large, and clean as it is: most details of most events. */
const isPlain = (details: Readonly<Record<string, unknown>>): boolean => {
  let length = 0;
  for (const name in details) {
    const value = details[name];
    if (typeof value === 'string') {
      if (storable(value) !== value) return false;
      length += value.length;
    } else if (typeof value !== 'number' && typeof value !== 'boolean') return false;
    if (storable(name) !== name || name.length > 256) return false;
    // JSON makes six characters of one at most; a number has 25.
    length += name.length + 32;
  }
  return length * 6 <= DETAILS_MAX;
};

/** Details that can be kept: clean, and cut with a mark (`truncated`, the size before, the beginning) where they are too large. */
export const boundedDetails = (details: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> => {
  if (isPlain(details)) return details;
  const clean = plain(details, DEPTH) as Record<string, unknown>;
  const json = JSON.stringify(clean);
  const size = Buffer.byteLength(json);
  if (size <= DETAILS_MAX) return clean;
  return { truncated: true, bytes: size, beginning: json.slice(0, 2000).toWellFormed() };
};

/** The event that is kept for `entry`. */
export const eventFrom = (entry: AuditEntry, id: string, time: Instant, count: number): AuditEvent => ({
  id,
  time,
  count,
  tenantId: bounded(entry.tenantId, 128),
  type: bounded(entry.type, 128),
  actor: {
    type: bounded(entry.actor.type, 32),
    id: bounded(entry.actor.id, 256),
    tenantId: bounded(entry.actor.tenantId, 128),
  },
  resource: bounded(entry.resource, 512),
  action: bounded(entry.action, 128),
  result: entry.result,
  reason: bounded(entry.reason, 128),
  level: entry.level,
  method: bounded(entry.method, 256),
  ipAddress: bounded(entry.ipAddress, 64),
  sessionId: bounded(entry.sessionId, 128),
  requestId: bounded(entry.requestId, 128),
  details: boundedDetails(entry.details),
  riskIndicators: (entry.riskIndicators ?? []).slice(0, 32).map((word) => bounded(word, 64)),
});
