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

  it('drops the least recently used entry at its capacity', () => {
    const map = boundedMap<string, number>(2);
    map.set('a', 1, 100);
    map.set('b', 2, 100);
    map.get('a', 0);
    map.set('c', 3, 100);
    expect(map.get('b', 0)).toBeUndefined();
    expect(map.get('a', 0)).toBe(1);
  });
});
