import { EventEmitter } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import { createUnfinished, type IncomingStream, type Unfinished } from './unfinished.ts';

/** A stream that remembers how it was closed. */
const streamOn = (unfinished: Unfinished, one = false) => {
  const events = new EventEmitter();
  const closed: (number | undefined)[] = [];
  const stream = Object.assign(events, { close: (code?: number) => (closed.push(code), events.emit('close')) });
  unfinished.watch(stream as unknown as IncomingStream, one);
  return {
    send: (bytes: Uint8Array) => void events.emit('data', Buffer.from(bytes)),
    halfClose: () => void events.emit('end'),
    end: () => void events.emit('close'),
    closed,
  };
};

const message = (size: number): Buffer => {
  const bytes = Buffer.alloc(5 + size);
  bytes.writeUInt32BE(size, 1);
  return bytes;
};

describe('unfinished messages', () => {
  it('are held until they are whole, however they are cut', () => {
    const unfinished = createUnfinished(1000);
    const stream = streamOn(unfinished);
    const bytes = Buffer.concat([message(0), message(10), message(3)]);
    const held = [...bytes].map((byte) => {
      stream.send(Buffer.of(byte));
      return unfinished.held;
    });
    expect(held).toEqual([1, 2, 3, 4, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0, 1, 2, 3, 4, 5, 6, 7, 0]);
  });

  it('that are whole are held on where only one was asked for, until the sender says that nothing follows', () => {
    const unfinished = createUnfinished(1000);
    const [honest, stalls] = [streamOn(unfinished, true), streamOn(unfinished, true)];
    for (const stream of [honest, stalls]) {
      stream.send(message(400).subarray(0, 300));
      stream.send(message(400).subarray(300));
    }
    expect(unfinished.held).toBe(810);
    honest.halfClose();
    expect(unfinished.held).toBe(405);
    const third = streamOn(unfinished, true);
    third.send(message(900).subarray(0, 800));
    expect([honest.closed, stalls.closed, third.closed, unfinished.held]).toEqual([[], [11], [], 800]);
  });

  it('that come in one piece are never held, several in one as well', () => {
    const unfinished = createUnfinished(10);
    const stream = streamOn(unfinished);
    stream.send(Buffer.concat([message(500), message(0), message(500)]));
    expect([unfinished.held, stream.closed]).toEqual([0, []]);
  });

  it('beyond the bound the oldest goes, with ENHANCE_YOUR_CALM, and those who are quick stay', () => {
    const unfinished = createUnfinished(300);
    const [stalls, later, quick] = [streamOn(unfinished), streamOn(unfinished), streamOn(unfinished)];
    stalls.send(message(500).subarray(0, 150));
    later.send(message(500).subarray(0, 100));
    quick.send(message(500).subarray(0, 100));
    expect([stalls.closed, later.closed, quick.closed, unfinished.held]).toEqual([[11], [], [], 200]);
    quick.send(message(500).subarray(100));
    expect([quick.closed, unfinished.held]).toEqual([[], 100]);
    later.end();
    expect(unfinished.held).toBe(0);
  });
});
