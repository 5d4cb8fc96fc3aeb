import fc from 'fast-check';
import { hashOf, keyGroupOf, keyGroupRange, maxParallelismFor } from '../../../src/state/keys/keyGroups.js';
import { storedKey, type Key } from '../../../src/state/keys/keys.js';

const group = (key: Key): number => keyGroupOf(hashOf(storedKey(key)), 128);

/**
 * Flink's published formulas (`MathUtils.murmurHash`, `KeyGroupRangeAssignment`, the hashes of `java.lang`), in exact
 * arithmetic modulo 2 to the power of 32.
 */
const flink = {
  int: (n: bigint): bigint => BigInt.asUintN(32, n),
  rotated: (n: bigint, by: bigint): bigint => flink.int((n << by) | (n >> (32n - by))),
  murmur: (code: bigint): bigint => {
    let hash = flink.int(flink.int(code) * 0xcc9e2d51n);
    hash = flink.int(flink.rotated(hash, 15n) * 0x1b873593n);
    hash = flink.int(flink.rotated(hash, 13n) * 5n + 0xe6546b64n);
    hash ^= 4n;
    hash = flink.int((hash ^ (hash >> 16n)) * 0x85ebca6bn);
    hash = flink.int((hash ^ (hash >> 13n)) * 0xc2b2ae35n);
    const signed = BigInt.asIntN(32, hash ^ (hash >> 16n));
    if (signed >= 0n) return signed;
    return signed === -(2n ** 31n) ? 0n : -signed;
  },
  string: (text: string): bigint =>
    Array.from({ length: text.length }, (_, i) => BigInt(text.charCodeAt(i))).reduce(
      (hash, unit) => flink.int(31n * hash + unit),
      0n,
    ),
  long: (n: bigint): bigint => flink.int(n ^ (BigInt.asUintN(64, n) >> 32n)),
  group: (hash: bigint, maxParallelism: number): number =>
    Number(flink.murmur(hash) % BigInt(maxParallelism)),
  /** Of one key group, and so of its operator. */
  operator: (group: number, parallelism: number, maxParallelism: number): number =>
    Math.floor((group * parallelism) / maxParallelism),
};

describe('as an independent implementation of the formulas computes them', () => {
  const most = fc.constantFrom(1, 128, 200, 256, 4096, 32_768);
  const same = (key: Key, hash: bigint, max: number): void => {
    expect(keyGroupOf(hashOf(storedKey(key)), max)).toBe(flink.group(hash, max));
  };

  test('strings', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), most, (key, max) => {
        same(key, flink.string(key), max);
      }),
      { numRuns: 1000 },
    );
  });

  test('integers', () => {
    fc.assert(
      fc.property(fc.oneof(fc.integer(), fc.constantFrom(-(2 ** 31), 2 ** 31 - 1)), most, (key, max) => {
        same(key, BigInt(key), max);
      }),
      { numRuns: 1000 },
    );
  });

  test('longs', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), most, (key, max) => {
        same(key, flink.long(key), max);
      }),
      { numRuns: 1000 },
    );
  });

  test('the ranges of all processes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200 }), (parallelism) => {
        const owners = Array.from({ length: parallelism }, (_, i) => {
          const { first, last } = keyGroupRange(i, parallelism, 200);
          return Array.from({ length: last - first + 1 }, () => i);
        }).flat();
        expect(owners).toEqual(owners.map((_, group) => flink.operator(group, parallelism, 200)));
      }),
    );
  });
});

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
