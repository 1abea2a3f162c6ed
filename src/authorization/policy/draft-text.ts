// A draft as it is stored: a line for each piece, so that megabytes of documents are written and read in short steps.
import type { Draft } from './policy.ts';

/** UTF-16 units of one piece. */
const PIECE = 32_768;
/** Names of one line. */
const NAMES = 500;

type Line =
  | { readonly prune: boolean }
  | { readonly deleted: readonly string[] }
  /** Begins a source. */
  | { readonly name: string }
  /** Goes on with it. */
  | { readonly text: string };

/** Yields nothing of worth: each yield is a place to rest. */
export function* printDraft({ sources, deleted, prune }: Draft): Generator<void, string> {
  const lines: string[] = [];
  const write = (line: Line): void => void lines.push(JSON.stringify(line));
  write({ prune });
  for (let at = 0; at < deleted.length; at += NAMES) write({ deleted: deleted.slice(at, at + NAMES) });
  for (const { name, content } of sources) {
    write({ name });
    for (let at = 0; at < content.length; at += PIECE) {
      write({ text: content.slice(at, at + PIECE) });
      yield;
    }
  }
  return lines.join('\n');
}

export function* readDraft(text: string): Generator<void, Draft> {
  // Written as one object before there were lines.
  if (text.startsWith('{"sources":')) return JSON.parse(text) as Draft;
  const found: { readonly name: string; readonly pieces: string[] }[] = [];
  const deleted: string[] = [];
  let prune = false;
  for (let from = 0; from <= text.length; ) {
    const end = text.indexOf('\n', from);
    const line = JSON.parse(text.slice(from, end < 0 ? text.length : end)) as Line;
    if ('prune' in line) prune = line.prune;
    else if ('deleted' in line) deleted.push(...line.deleted);
    else if ('name' in line) found.push({ name: line.name, pieces: [] });
    else found.at(-1)?.pieces.push(line.text);
    from = end < 0 ? text.length + 1 : end + 1;
    yield;
  }
  return { sources: found.map(({ name, pieces }) => ({ name, content: pieces.join('') })), deleted, prune };
}
