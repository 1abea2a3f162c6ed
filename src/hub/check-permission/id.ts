// Names decisions: unique and in order within a process, random between processes, and cheap enough for a million a second.
import type { Random } from '../../base/random.ts';

export interface DecisionIds {
  next(): string;
  /** The one given last. */
  last(): string;
  /** Writes the next id as ASCII; it always has `length` bytes. */
  write(into: Uint8Array, at: number): void;
  readonly length: number;
}

const DIGITS = Buffer.from('0123456789abcdefghijklmnopqrstuv', 'latin1');
/** 32⁹: at a million a second, a year. */
const PLACES = 9;
const ZERO = DIGITS[0] as number;

/** What comes after each digit; 0 after the last, where the next place counts on. */
const AFTER = new Uint8Array(256);
DIGITS.forEach((digit, at) => {
  AFTER[digit] = DIGITS[at + 1] ?? 0;
});

/** `dec_` + 22 random characters of the process + the count in base 32, always of one length. */
export const createDecisionIds = (random: Pick<Random, 'id'>): DecisionIds => {
  const bytes = Buffer.from(`${random.id('dec')}-${'0'.repeat(PLACES)}`, 'latin1');

  const advance = (): void => {
    for (let place = bytes.length - 1; place >= bytes.length - PLACES; place -= 1) {
      const next = AFTER[bytes[place] as number] as number;
      bytes[place] = next === 0 ? ZERO : next;
      if (next !== 0) return;
    }
  };

  return {
    next() {
      advance();
      return bytes.toString('latin1');
    },
    last: () => bytes.toString('latin1'),
    write(into, at) {
      advance();
      into.set(bytes, at);
    },
    length: bytes.length,
  };
};
