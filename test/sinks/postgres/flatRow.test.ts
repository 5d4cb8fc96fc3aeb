import fc from 'fast-check';
import { jsonEncoder } from '../../../src/formats/jsonEncoder.js';
import { flatRowEncoder } from '../../../src/sinks/postgres/flatRow.js';

const finite = fc.double({ noDefaultInfinity: true, noNaN: true });
const flat = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string(),
  fc.constantFrom('\ud800', '"\\\u2028\u0000', '', null, undefined, true, false, -0),
  finite,
  fc.integer(),
  fc.bigInt(),
  fc.date({ noInvalidDate: true }),
);

test('flat rows are written as the encoder of JSON writes them', () => {
  const flatJson = flatRowEncoder(['a', 'b c', 'é"']);
  const encode = jsonEncoder();
  fc.assert(
    fc.property(flat, flat, flat, fc.anything(), (a, b, c, d) => {
      const row = { d, a, 'b c': b, 'é"': c };
      expect(flatJson(row)).toBe(encode({ a, 'b c': b, 'é"': c }));
    }),
  );
});

test.each([
  0,
  -1,
  1,
  86_399_999,
  86_400_000,
  -86_400_000,
  -86_400_001,
  8.64e15,
  -8.64e15,
  Date.UTC(2026, 1, 28, 23, 59, 59, 999),
])('the date %d, whatever the one before', (time) => {
  const flatJson = flatRowEncoder(['at']);
  for (const at of [new Date(time), new Date(0), new Date(time), new Date(Math.min(time + 1, 8.64e15))])
    expect(flatJson({ at })).toBe(JSON.stringify({ at }));
});

test('numbers that JSON has not are their names', () => {
  expect(flatRowEncoder(['a', 'b', 'c'])({ a: NaN, b: -Infinity, c: Infinity })).toBe(
    '{"a":"NaN","b":"-Infinity","c":"Infinity"}',
  );
});

class Day extends Date {
  override toISOString(): string {
    return 'a day';
  }
}

test.each([
  ['an object', {}],
  ['a list', []],
  ['an invalid date', new Date(NaN)],
  ['a date with a form of its own', Object.assign(new Date(0), { toJSON: () => 'x' })],
  ['a date of a class of its own', new Day(0)],
  ['binary data', new Uint8Array(2)],
  ['a function', () => 1],
  ['a symbol', Symbol('s')],
])('a row with %s is left to the general encoder', (_, value) => {
  expect(flatRowEncoder(['a', 'b'])({ a: 1, b: value })).toBeUndefined();
});
