import { describe, expect, it } from '@jest/globals';
import { boundedMap } from './bounded.ts';

describe('a bounded map', () => {
  it('forgets an entry when its time has come', () => {
    const map = boundedMap<string, number>(2);
    map.set('a', 1, 100);
    expect(map.get('a', 99)).toBe(1);
    expect(map.get('a', 100)).toBeUndefined();
    expect(map.size).toBe(0);
  });

  it('drops what was not used at its capacity', () => {
    const map = boundedMap<string, number>(2);
    map.set('a', 1, 100);
    map.set('b', 2, 100);
    map.get('a', 0);
    map.set('c', 3, 100);
    expect(map.get('b', 0)).toBeUndefined();
    expect(map.get('a', 0)).toBe(1);
  });

  it('never holds more than its capacity, also when everything in it was used', () => {
    const map = boundedMap<number, number>(200);
    for (let key = 0; key < 1000; key++) {
      map.set(key, key, 100);
      map.get(key, 0);
      expect(map.size).toBeLessThanOrEqual(200);
    }
    expect(map.get(999, 0)).toBe(999);
  });

  it.each([1, 63, 64, 200, 1000, 5000])('makes room for a sixty-fourth at once, and for one at least (%s)', (capacity) => {
    const map = boundedMap<number, number>(capacity);
    for (let key = 0; key < capacity; key++) map.set(key, key, 100);
    let [least, most] = [capacity, 0];
    for (let key = capacity; key < 3 * capacity; key++) {
      if (key % 3 === 0) map.get(key - capacity / 2, 0);
      map.set(key, key, 100);
      least = Math.min(least, map.size);
      most = Math.max(most, map.size);
    }
    expect(most).toBe(capacity);
    expect(least).toBeGreaterThan(capacity - Math.max(1, capacity / 64));
  });

  it('keeps what is asked for again and again while others pass through', () => {
    const map = boundedMap<string, number>(1000);
    map.set('often', 1, 100);
    for (let key = 0; key < 20_000; key++) {
      map.set(`once ${key}`, key, 100);
      expect(map.get('often', 0)).toBe(1);
    }
  });

  it('answers for as many as it holds when all are asked in turn', () => {
    const map = boundedMap<number, number>(5000);
    for (let key = 0; key < 5000; key++) map.set(key, key, 100);
    let found = 0;
    for (let turn = 0; turn < 3; turn++) for (let key = 0; key < 5000; key++) if (map.get(key, 0) === key) found++;
    expect(found).toBe(15_000);
  });
});
