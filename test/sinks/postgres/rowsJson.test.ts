import fc from 'fast-check';
import { jsonEncoder } from '../../../src/formats/jsonEncoder.js';
import { parseExactly } from '../../../src/formats/jsonNumbers.js';
import { rowsJson } from '../../../src/sinks/postgres/rowsJson.js';

test('rows of plain JSON are what they are, without other columns', () => {
  const rows = fc.array(fc.record({ a: fc.jsonValue(), b: fc.bigInt(), c: fc.jsonValue() }));
  fc.assert(
    fc.property(rows, (given) => {
      const encode = jsonEncoder();
      const expected = given.map(({ a, b }) => encode({ a, b }));
      expect(rowsJson(given, ['a', 'b'])).toBe(`[${expected.join()}]`);
      expect(parseExactly(rowsJson(given, ['b']))).toHaveLength(given.length);
    }),
  );
});

test('typed arrays are lists, as a serializer of the caller may bring them back', () => {
  const list = new Float32Array([1.5, NaN]);
  expect(rowsJson([{ list }], ['list', 'missing'])).toBe('[{"list":[1.5,"NaN"]}]');
});

test('an invalid date is poison, with its row and path', () => {
  const rows = [{ at: 1 }, { at: [{ x: new Date(NaN) }] }];
  expect(() => rowsJson(rows, ['at'])).toThrow(
    expect.objectContaining({
      code: 'PoisonBatch',
      message: 'Row 1 of the batch: at.0.x is an invalid date. Map the record before the sink.',
    }) as Error,
  );
});
