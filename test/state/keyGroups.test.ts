import fc from 'fast-check';
import { hashOf, keyGroupOf, keyGroupRange, maxParallelismFor } from '../../src/state/keyGroups.js';
import { storedKey, type Key } from '../../src/state/keys.js';

const group = (key: Key): number => keyGroupOf(hashOf(storedKey(key)), 128);

describe('key groups are those of Flink', () => {
  test.each([
    [0, 94],
    [1, 86],
    [42, 29],
    [-1, 80],
    ['', 94],
    ['a', 81],
    ['key-1', 54],
    ['user-42', 20],
  ])('%j is in group %i of 128', (key, expected) => {
    expect(group(key)).toBe(expected);
  });

  test('integers beyond 32 bits and bigints hash as Long, fractions as Double, booleans as Boolean', () => {
    expect(hashOf(4_294_967_296)).toBe(1);
    expect(hashOf(-1n)).toBe(0);
    expect(hashOf(-4_294_967_297)).toBe(1);
    expect(hashOf(1.5)).toBe(1_073_217_536);
    expect(hashOf(true)).toBe(1231);
    expect(hashOf(false)).toBe(1237);
    expect(hashOf(null)).toBe(0);
  });

  test('-0 and 0 are in one group', () => {
    expect(group(-0)).toBe(group(0));
  });

  test('default maximum parallelism leaves room to grow by half', () => {
    expect([1, 85, 86, 128, 1000, 100_000].map(maxParallelismFor)).toEqual([
      128, 128, 256, 256, 2048, 32_768,
    ]);
  });

  test('the ranges of all processes cover every group once', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 128 }), (parallelism) => {
        const groups = Array.from({ length: parallelism }, (_, i) => {
          const { first, last } = keyGroupRange(i, parallelism, 128);
          return Array.from({ length: last - first + 1 }, (__, n) => first + n);
        }).flat();
        expect(groups).toEqual(Array.from({ length: 128 }, (_, g) => g));
      }),
    );
  });
});
