// What replicas tell one another between two polls, as text. Whoever could forge an entry could only make a replica refuse more.
import { type AppliedChange, CHANGE_KINDS, type ChangeKind } from './storage.ts';

export interface Published {
  readonly generation: number;
  readonly changes: readonly AppliedChange[];
}

/** Only ever sooner than the poll: entries may be lost, repeated, or come in any order. */
export interface ChangeStream {
  /** Best effort: never waits, never throws, drops when too much is under way. */
  publish(published: Published): void;
  /** Resolves when it listens, or after half a second without the other side. */
  start(listener: (published: Published) => void): Promise<void>;
  stop(): Promise<void>;
}

export const encodePublished = ({ generation, changes }: Published): string =>
  JSON.stringify([generation, ...changes.map((c) => [c.seq, c.kind, c.tenantId, c.key, c.until, c.detail])]);

const kinds: readonly string[] = CHANGE_KINDS;
const isKind = (value: unknown): value is ChangeKind => typeof value === 'string' && kinds.includes(value);
const isText = (value: unknown, length: number): value is string => typeof value === 'string' && value.length <= length;

const changeFrom = (value: unknown): AppliedChange | null => {
  if (!Array.isArray(value)) return null;
  const [seq, kind, tenantId, key, until, detail]: readonly unknown[] = value;
  if (!Number.isSafeInteger(seq) || !isKind(kind) || !isText(tenantId, 256) || !isText(key, 256) || !isText(detail, 64)) return null;
  if (until !== null && typeof until !== 'number') return null;
  return { seq: Number(seq), kind, tenantId, key, until, detail };
};

/** Null for anything that is not an entry of ours; a change of unknown kind is left to the poll. */
export const decodePublished = (text: string): Published | null => {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return null;
  }
  if (!Array.isArray(parsed)) return null;
  const [generation, ...rest]: readonly unknown[] = parsed;
  if (!Number.isSafeInteger(generation)) return null;
  return { generation: Number(generation), changes: rest.map(changeFrom).filter((change) => change !== null) };
};
