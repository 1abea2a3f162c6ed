// The map in parts against Map, on random changes; and the maps it was changed from.
import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { emptyPartedMap, type PartedMap } from './parted-map.ts';

const key = fc.oneof(fc.constantFrom('a', 'b', '__proto__', ''), fc.string({ maxLength: 3 }));
const changes = fc.array(fc.array(fc.tuple(key, fc.option(fc.nat())), { maxLength: 20 }), { maxLength: 10 });

const contents = (map: PartedMap<number>, keys: readonly string[]) => ({
  size: map.size,
  found: keys.map((one) => map.get(one)),
  values: [...map.values()].sort((a, b) => a - b),
});

it('holds what a Map holds after the same changes, and so does every map before', () => {
  fc.assert(
    fc.property(changes, (batches) => {
      const keys = [...new Set(batches.flatMap((batch) => batch.map(([one]) => one))), 'missing'];
      const seen: { readonly map: PartedMap<number>; readonly held: unknown }[] = [];
      const wanted = new Map<string, number>();
      let map = emptyPartedMap<number>();
      for (const batch of batches) {
        seen.push({ map, held: contents(map, keys) });
        const change = map.change();
        for (const [one, value] of batch)
          if (value === null) {
            change.delete(one);
            wanted.delete(one);
          } else {
            change.set(one, value);
            wanted.set(one, value);
          }
        map = change.done();
        const values = [...wanted.values()].sort((a, b) => a - b);
        expect(contents(map, keys)).toEqual({ size: wanted.size, found: keys.map((one) => wanted.get(one)), values });
      }
      for (const { map: before, held } of seen) expect(contents(before, keys)).toEqual(held);
    }),
  );
});
