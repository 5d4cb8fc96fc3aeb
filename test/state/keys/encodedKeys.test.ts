import fc from 'fast-check';
import { compareEncoded, hashOfEncoded, keyEnd } from '../../../src/state/keys/encodedKeys.js';
import { hashOf } from '../../../src/state/keys/keyGroups.js';
import { compareKeys, encodeKey, storedKey, type Key } from '../../../src/state/keys/keys.js';
import { keyArbitrary } from '../arbitraries.js';

/** A key's encoding with other bytes around it. */
function placed(key: Key, before: number): { bytes: Buffer; start: number; end: number } {
  const encoded = encodeKey(storedKey(key));
  const bytes = Buffer.concat([Buffer.alloc(before, 7), encoded, Buffer.alloc(3, 7)]);
  return { bytes, start: before, end: before + encoded.length };
}

/** NaN as computed by the CPU, with other bits than the constant. */
const negativeNaN = Buffer.from('fff8000000000000', 'hex').readDoubleBE(0);

/** Long ones, whose length takes more than a byte, too. */
const keys = fc.oneof(
  fc.constant(negativeNaN),
  keyArbitrary,
  fc.string({ minLength: 120, maxLength: 300 }),
  fc.string({ unit: 'binary', minLength: 60, maxLength: 200 }),
);

test('the end and the hash of a key are those of what was encoded', () => {
  fc.assert(
    fc.property(keys, fc.nat(9), (key, before) => {
      const { bytes, start, end } = placed(key, before);
      expect(keyEnd(bytes, start)).toBe(end);
      expect(hashOfEncoded(bytes, start, end)).toBe(hashOf(storedKey(key)));
    }),
    { numRuns: 1000 },
  );
});

test('the order is that of keys', () => {
  fc.assert(
    fc.property(keys, keys, fc.nat(9), (a, b, before) => {
      const [x, y] = [placed(a, before), placed(b, 2)];
      const order = compareEncoded(x.bytes, x.start, x.end, y.bytes, y.start, y.end);
      expect(Math.sign(order)).toBe(compareKeys(storedKey(a), storedKey(b)));
    }),
    { numRuns: 1000 },
  );
});

test('a truncated or missing key is an error', () => {
  fc.assert(
    fc.property(keys, (key) => {
      const encoded = encodeKey(storedKey(key));
      for (let length = 0; length < Math.min(encoded.length, 40); length++)
        expect(() => keyEnd(encoded.subarray(0, length), 0)).toThrow(RangeError);
    }),
  );
  expect(() => keyEnd(Buffer.of(10), 0)).toThrow('no key starts with byte 10');
});
