import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { minutes } from '../base/time.ts';
import { createSessionWatch } from './session-watch.ts';

const at = (address: string, deviceId = '') => ({ address, deviceId });
const HOME = at('192.0.2.1');
const ABROAD = at('203.0.113.1');

describe('the watch over sessions', () => {
  it('takes the first place for usual, and its whole network', () => {
    const watch = createSessionWatch(10, minutes(10));
    expect(watch.isUsual('s', HOME, 0)).toBe(false);
    expect(watch.see('s', HOME, 0, true)).toBeNull();
    expect(watch.isUsual('s', HOME, 1)).toBe(true);
    expect(watch.see('s', at('192.0.2.99'), 2, true)).toBeNull();
  });

  it('finds another network strange for a while, first once and then again', () => {
    const watch = createSessionWatch(10, minutes(10));
    watch.see('s', HOME, 0, true);
    expect(watch.see('s', ABROAD, 1, true)).toEqual({ strange: 'address', first: true });
    expect(watch.isUsual('s', ABROAD, 2)).toBe(false);
    expect(watch.see('s', ABROAD, 2, true)).toEqual({ strange: 'address', first: false });
    expect(watch.see('s', ABROAD, 1 + minutes(10), true)).toBeNull();
    expect(watch.isUsual('s', ABROAD, 1 + minutes(10))).toBe(true);
    expect(watch.isUsual('s', HOME, 3)).toBe(true);
  });

  it('never finds it usual where nothing is forgiven', () => {
    const watch = createSessionWatch(10, minutes(10));
    watch.see('s', HOME, 0, false);
    expect(watch.see('s', ABROAD, 1, false)).toEqual({ strange: 'address', first: true });
    expect(watch.see('s', ABROAD, minutes(600), false)).toEqual({ strange: 'address', first: false });
    expect(watch.see('s', HOME, minutes(600), false)).toBeNull();
  });

  it('finds another device strange, and nothing where none was told', () => {
    const watch = createSessionWatch(10, minutes(10));
    watch.see('s', at('192.0.2.1', 'laptop'), 0, true);
    expect(watch.see('s', HOME, 1, true)).toBeNull();
    expect(watch.see('s', at('192.0.2.1', 'phone'), 2, true)).toEqual({ strange: 'device', first: true });
  });

  it('knows one session from another', () => {
    const watch = createSessionWatch(10, minutes(10));
    watch.see('a', HOME, 0, true);
    expect(watch.see('b', ABROAD, 0, true)).toBeNull();
  });

  it('holds no more sessions than it has room for, and few places of each', () => {
    const watch = createSessionWatch(10, minutes(10));
    for (let n = 0; n < 1000; n += 1) watch.see(`s${n}`, HOME, n, true);
    expect(watch.size).toBe(10);
    for (let n = 0; n < 1000; n += 1) watch.see('s999', at(`10.${n % 250}.${n % 7}.1`), 1000 + n, true);
    // The first is still what the others are compared with.
    expect(watch.isUsual('s999', HOME, 3000)).toBe(true);
  });

  it('lets a minute’s uses through at once, then one at a time', () => {
    const watch = createSessionWatch(10, minutes(10));
    const used = Array.from({ length: 12 }, () => watch.exceeds('s', 10, 0));
    expect(used.filter((one) => !one)).toHaveLength(10);
    expect(watch.exceeds('s', 10, 5999)).toBe(true);
    expect(watch.exceeds('s', 10, 6000)).toBe(false);
    expect(watch.exceeds('s', 10, 6000)).toBe(true);
  });

  it('never lets more through in any stretch than its minutes allow and one minute more', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 600 }), fc.array(fc.integer({ min: 0, max: 5000 }), { maxLength: 200 }), (limit, gaps) => {
        const watch = createSessionWatch(10, minutes(10));
        let now = 0;
        let passed = 0;
        for (const gap of gaps) {
          now += gap;
          if (!watch.exceeds('s', limit, now)) passed += 1;
          expect(passed).toBeLessThanOrEqual(limit * (1 + now / 60_000) + 1e-6);
        }
      }),
    );
  });
});
