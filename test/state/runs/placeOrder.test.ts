import fc from 'fast-check';
import { PlaceOrder } from '../../../src/state/runs/placeOrder.js';

/** Hashes of 32 bits, many of them equal. */
const hashes = fc.oneof(fc.integer(), fc.constantFrom(-(2 ** 31), -2049, -1, 0, 1, 2047, 2048, 2 ** 31 - 1));

test('entries are sorted by group, then hash, then order of addition, for any step size', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ hash: hashes, group: fc.nat(299) }), { maxLength: 500 }),
      fc.integer({ min: 1, max: 600 }),
      (entries, slice) => {
        const order = new PlaceOrder(entries.length, 300);
        for (const { hash, group } of entries) order.add(hash, group);
        let steps = 1;
        while (order.sort(slice)) steps++;
        expect(steps).toBe(4 * Math.max(Math.ceil(entries.length / slice), 1));

        const sorted = entries
          .map((each, number) => ({ ...each, number }))
          .sort((a, b) => a.group - b.group || a.hash - b.hash || a.number - b.number);
        expect(entries.map((_, place) => order.entry(place))).toEqual(sorted.map(({ number }) => number));
      },
    ),
  );
});

test('an entry is tied if the next one has the same hash', () => {
  const given = [7, -3, 7, 9, 7];
  const order = new PlaceOrder(given.length, 1);
  for (const hash of given) order.add(hash, 0);
  while (order.sort(2));
  expect([0, 1, 2, 3, 4].map((place) => order.tied(place))).toEqual([false, true, true, false, false]);
});
