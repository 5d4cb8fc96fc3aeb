import fc from 'fast-check';
import { isDeepStrictEqual } from 'node:util';
import {
  CompositeKey,
  encodeKey,
  KeyReader,
  storedKey,
  userKey,
  type Key,
} from '../../../src/state/keys/keys.js';
import { keyArbitrary } from '../arbitraries.js';
import { coded } from '../harness.js';

const bytes = (key: Key): string => Buffer.from(encodeKey(storedKey(key))).toString('hex');
const positive = (key: unknown): unknown =>
  JSON.parse(JSON.stringify(key, (_, v: unknown) => (typeof v === 'bigint' ? `${v}n` : v)));

describe('keys', () => {
  test('round-trip', () => {
    fc.assert(
      fc.property(keyArbitrary, (key) => {
        const back = userKey(new KeyReader(encodeKey(storedKey(key))).key());
        expect(positive(back)).toEqual(positive(key));
        expect(bytes(back)).toBe(bytes(key));
      }),
    );
  });

  test('two keys have the same encoding exactly if they are equal', () => {
    fc.assert(
      fc.property(keyArbitrary, keyArbitrary, (a, b) => {
        expect(bytes(a) === bytes(b)).toBe(isDeepStrictEqual(canonical(a), canonical(b)));
      }),
    );
  });

  test('the order of fields does not matter; that of elements does', () => {
    expect(bytes({ a: 1, b: 'x' })).toBe(bytes({ b: 'x', a: 1 }));
    expect(bytes([1, 2])).not.toBe(bytes([2, 1]));
  });

  test('types differ: 1, "1", 1n, true, a date of 1', () => {
    expect(new Set([1, '1', 1n, true, new Date(1), [1], { a: 1 }].map(bytes)).size).toBe(7);
  });

  test('-0 is 0, NaN is itself', () => {
    expect(bytes(-0)).toBe(bytes(0));
    expect(bytes(NaN)).toBe(bytes(NaN));
  });

  test('lone surrogates stay distinct', () => {
    expect(bytes('\ud800')).not.toBe(bytes('\ud801'));
    expect(userKey(new KeyReader(encodeKey('\ud800')).key())).toBe('\ud800');
  });

  test('long strings come back', () => {
    for (const length of [63, 64, 127, 128, 5000, 300_000]) {
      const key = 'ä'.repeat(length);
      expect(new KeyReader(encodeKey(key)).key()).toBe(key);
    }
  });

  test('strings and numbers are stored unchanged; composites are looked up by encoding', () => {
    expect(storedKey('a')).toBe('a');
    expect(storedKey(1)).toBe(1);
    expect(storedKey({ a: 1 })).toBeInstanceOf(CompositeKey);
  });

  test('a field called __proto__ is a field', () => {
    const key = JSON.parse('{"__proto__":1}') as Key;
    expect(Object.keys(userKey(storedKey(key)) as object)).toEqual(['__proto__']);
  });

  class Point {
    x = 1;
  }
  const cyclic: unknown[] = [];
  cyclic.push(cyclic);
  test.each([
    ['undefined', undefined],
    ['a function', () => 1],
    ['a symbol', Symbol('s')],
    ['a class instance', new Point()],
    ['a map', new Map()],
    ['an invalid date', new Date(NaN)],
    ['an undefined field', { a: undefined }],
    ['a hole', [, 1]],
    ['a cycle', cyclic],
    ['a symbol as name', { [Symbol('s')]: 1 }],
  ])('%s is not a key', (_, key) => {
    expect(() => storedKey(key as Key)).toThrow(coded('UnsupportedKey'));
  });
});

/** Normalizes `-0` and the order of fields, for comparison. */
function canonical(key: Key): unknown {
  if (typeof key === 'number') return key + 0;
  if (key === null || typeof key !== 'object' || key instanceof Date) return key;
  if (Array.isArray(key)) return (key as readonly Key[]).map(canonical);
  return new Map(Object.entries(key).map(([name, value]) => [name, canonical(value)]));
}
