import fc from 'fast-check';
import { checkKeyGroups, keyGroupOf, keyGroupRange } from '../../../src/state/keys/routing.js';
import { keyArbitrary } from '../arbitraries.js';
import { coded } from '../harness.js';

test.each([
  [0, 94],
  [1, 86],
  [42, 29],
  [-1, 80],
  ['', 94],
  ['a', 81],
  ['key-1', 54],
  ['user-42', 20],
])('the key group of %j is %i', (key, group) => {
  expect(keyGroupOf(key)).toBe(group);
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
