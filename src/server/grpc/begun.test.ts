import { EventEmitter } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import { type BegunStream, createBegun } from './begun.ts';

/** A stream that remembers how it was closed. */
const newStream = () => {
  const codes: (number | undefined)[] = [];
  const close = (code?: number): void => void codes.push(code);
  const stream = Object.assign(new EventEmitter(), { close });
  return { stream: stream as unknown as BegunStream, codes, leave: () => void stream.emit('close') };
};

const CALM = 11;

describe('requests that have begun', () => {
  it('and are whole take no room, however many there are', () => {
    const begun = createBegun(4);
    const stalls = newStream();
    begun.begin(stalls.stream);
    for (let round = 0; round < 1000; round++) {
      const { stream, codes } = newStream();
      begun.begin(stream);
      begun.whole(stream);
      expect(codes).toEqual([]);
    }
    expect(stalls.codes).toEqual([]);
  });

  it('beyond the bound go, the first ones first, and make room for those who come', () => {
    const begun = createBegun(200);
    const all = Array.from({ length: 201 }, newStream);
    for (const { stream } of all) begun.begin(stream);
    expect(all.map(({ codes }) => codes)).toEqual([...Array(64).fill([CALM]), ...Array(137).fill([])]);
    // One that was let go and is whole all the same frees nobody else's place.
    for (const { stream } of all.slice(0, 64)) begun.whole(stream);
    const more = Array.from({ length: 63 }, newStream);
    for (const { stream } of more) begun.begin(stream);
    expect(more.flatMap(({ codes }) => codes)).toEqual([]);
    begun.begin(newStream().stream);
    expect(all.slice(64, 128).map(({ codes }) => codes)).toEqual(Array(64).fill([CALM]));
  });

  it('and were given up leave their place at once', () => {
    const begun = createBegun(3);
    const [first, second, third, fourth] = [newStream(), newStream(), newStream(), newStream()];
    for (const { stream } of [first, second, third]) begun.begin(stream);
    second.leave();
    begun.begin(fourth.stream);
    expect([first.codes, second.codes, third.codes, fourth.codes]).toEqual([[], [], [], []]);
  });
});
