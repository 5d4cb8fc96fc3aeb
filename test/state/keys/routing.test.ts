import fc from 'fast-check';
import { hashOf, keyGroupOf as groupOfHash } from '../../../src/state/keys/keyGroups.js';
import { storedKey } from '../../../src/state/keys/keys.js';
import { checkKeyGroups, keyGroupOf, keyGroupRange } from '../../../src/state/keys/routing.js';
import { keyArbitrary } from '../arbitraries.js';
import { coded } from '../harness.js';

test('a key has the group in which operators hold its state', () => {
  fc.assert(
    fc.property(keyArbitrary, (key) => {
      expect(keyGroupOf(key)).toBe(groupOfHash(hashOf(storedKey(key)), 128));
    }),
  );
});

test('equal keys have one group, and a value that is no key is refused', () => {
  expect(keyGroupOf({ a: 1, b: 2 })).toBe(keyGroupOf({ b: 2, a: 1 }));
  expect(keyGroupOf(-0)).toBe(keyGroupOf(0));
  expect(() => keyGroupOf(undefined as never)).toThrow(coded('UnsupportedKey'));
});

test('every key belongs to exactly one of any number of jobs', () => {
  fc.assert(
    fc.property(keyArbitrary, fc.integer({ min: 1, max: 128 }), (key, jobs) => {
      const group = keyGroupOf(key);
      const owners = Array.from({ length: jobs }, (_, i) => keyGroupRange(i, jobs)).filter(
        ({ first, last }) => first <= group && group <= last,
      );
      expect(owners).toHaveLength(1);
    }),
  );
});

test('ranges follow each other, and none is larger than another by more than one group', () => {
  for (let jobs = 1; jobs <= 128; jobs++) {
    const ranges = Array.from({ length: jobs }, (_, i) =>
      checkKeyGroups('keyGroups', keyGroupRange(i, jobs)),
    );
    expect([ranges[0]?.first, ranges.at(-1)?.last]).toEqual([0, 127]);
    ranges.slice(1).forEach(({ first }, i) => {
      expect(first).toBe(ranges[i]!.last + 1);
    });
    const sizes = ranges.map(({ first, last }) => last - first);
    expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThan(2);
  }
});

test.each([
  [0, 0],
  [0, 129],
  [0, 1.5],
  [-1, 2],
  [2, 2],
  [0.5, 2],
  ['0' as never, 2],
])('there is no range %j of %j', (index, jobs) => {
  expect(() => keyGroupRange(index, jobs)).toThrow(expect.objectContaining({ code: 'InvalidOption' }));
});
