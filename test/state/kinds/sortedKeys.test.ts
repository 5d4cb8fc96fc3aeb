import fc from 'fast-check';
import { compareKeys, storedKey } from '../../../src/state/keys/keys.js';
import { sortedKeys } from '../../../src/state/kinds/sortedKeys.js';

test('keys come in the order of their encodings, however many there are', () => {
  const many = fc.oneof(
    fc.array(fc.oneof(fc.string({ unit: 'binary' }), fc.integer(), fc.double(), fc.boolean()), {
      maxLength: 20,
    }),
    fc.nat(3000).map((count) => Array.from({ length: count }, (_, n) => (n * 7919) % 3001)),
  );
  fc.assert(
    fc.property(many, (some) => {
      const keys = [...new Set(some)].map((key) => storedKey(key));
      expect([...sortedKeys(keys)].flat()).toEqual(keys.toSorted(compareKeys));
    }),
    { numRuns: 50 },
  );
});

test('the caller gets its turn while keys are sorted', () => {
  let taken = 0;
  const keys = (function* () {
    for (; taken < 10_000; taken++) yield taken;
  })();
  const portions = sortedKeys(keys);
  expect(portions.next()).toEqual({ done: false, value: [] });
  expect(taken).toBeLessThan(1000);
});
