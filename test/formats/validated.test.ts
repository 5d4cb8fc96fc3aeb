/** Schemas of formats whose records are not made of fields: lines, bytes, whole objects. */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { expectTypeOf } from 'expect-type';
import fc from 'fast-check';
import { NEVER } from 'rxjs';
import { lengthPrefixed } from '../../src/formats/lengthPrefixed.js';
import type { Reader } from '../../src/formats/reader.js';
import { text } from '../../src/formats/text.js';
import { whole, type WholeObject } from '../../src/formats/whole.js';
import { deadLetter, files } from '../../src/sources/files.js';
import { effort } from '../support/effort.js';
import { memoryWith, readAll } from '../sources/harness.js';
import { decodeAll } from './decodeAll.js';
import { shorterThan } from './samples.js';

describe('lines that a schema rejects', () => {
  const pieces = fc.array(fc.constantFrom('a', 'ä', '€', 'bcd', '\n', '\r', '\r\n', '|', '\uFEFF'), {
    maxLength: 30,
  });
  it.each(['\n', 'any', '|', '€a'])('are malformed, with their place: line end %j', (lineEnd) => {
    fc.assert(
      fc.property(pieces, fc.integer({ min: 1, max: 20 }), (parts, block) => {
        const content = Buffer.from(parts.join(''));
        const plain = decodeAll(text({ lineEnd }), content, block);
        const { records, bad, lines } = decodeAll(text({ lineEnd, schema: shorterThan(3) }), content, block);
        expect(records).toEqual(plain.records.filter(({ length }) => length < 3).map((line) => [line]));
        expect(lines).toBe(plain.lines);
        const mark = /^\uFEFF/;
        for (const { offset, length, line, text: shown, reason } of bad) {
          expect(content.toString('utf8', offset, offset + length)).toBe(shown);
          expect(shown.replace(mark, '')).toBe(plain.records[line - 1]);
          expect(reason).toBe('rejected by the schema: too long');
        }
        expect(bad).toHaveLength(plain.records.length - records.length);
      }),
      { numRuns: effort(100, 1000) },
    );
  });
});

it('records of bytes that a schema rejects are malformed, with their place among those that are for another reason', () => {
  const stored = Buffer.from('0161' + '03626364' + '06626364656667' + '0465666768' + '0178' + '0561', 'hex');
  const format = lengthPrefixed({ bytes: 1, max: 5, schema: shorterThan(3) });
  for (const block of [1, 8, 1000]) {
    const { records, bad } = decodeAll(format, stored, block);
    expect(records).toEqual([[Buffer.from('a')], [Buffer.from('x')]]);
    expect(bad.map(({ offset, length, line, reason }) => [offset, length, line, reason])).toEqual([
      [2, 4, 2, 'rejected by the schema: too long'],
      [6, 7, 3, 'it has 6 bytes, and max is 5'],
      [13, 5, 4, 'rejected by the schema: too long'],
      [20, 2, 6, 'the object ends in a record of 6 bytes'],
    ]);
  }
});

it('objects that a schema rejects go where malformed records go', async () => {
  const source = files('memory://lake/raw/', {
    format: whole({
      schema: {
        '~standard': {
          version: 1,
          vendor: 'test',
          validate: (value) => {
            const { uri, content } = value as WholeObject;
            return content.length < 3
              ? { value: `${uri} ${content.toString()}` }
              : { issues: [{ message: 'too long' }] };
          },
        },
      } satisfies StandardSchemaV1<unknown, string>,
    }),
    onMalformed: deadLetter(() => NEVER),
  });
  const { records, letters, error } = await readAll(
    source,
    memoryWith({ 'raw/a': 'a', 'raw/b': 'bcd', 'raw/c': 'c' }),
  );
  expect(error).toBeUndefined();
  expect(records).toEqual(['memory://lake/raw/a a', 'memory://lake/raw/c c']);
  expect(letters).toMatchObject([
    { object: 'memory://lake/raw/b', offset: 0, text: 'bcd', reason: 'rejected by the schema: too long' },
  ]);
});

it('errors of the schema and of the consumer are thrown', () => {
  const boom = new Error('boom');
  const failing = { '~standard': { version: 1 as const, vendor: 'test', validate: () => { throw boom; } } }; // prettier-ignore
  expect(() => decodeAll(text({ schema: failing }), 'a\n')).toThrow(boom);
  const slow = { '~standard': { version: 1 as const, vendor: 'test', validate: () => Promise.resolve({ value: 1 }) } }; // prettier-ignore
  expect(() => decodeAll(lengthPrefixed({ bytes: 1, schema: slow }), Buffer.of(0))).toThrow(
    'The test schema given to lengthPrefixed returned a promise',
  );
  expect(() => whole({ schema: {} as never })).toThrow('whole: schema');
});

it('the record has the type of the schema; what is written has not', () => {
  const schema: StandardSchemaV1<string, { readonly n: number }> = shorterThan(3) as never;
  expectTypeOf(text({ schema })).toExtend<Reader<{ readonly n: number }>>();
  expectTypeOf(text({ schema }).encode).parameter(0).toEqualTypeOf<string>();
  expectTypeOf(lengthPrefixed({ bytes: 4, schema })).toExtend<Reader<{ readonly n: number }>>();
  expectTypeOf(whole({ schema })).toEqualTypeOf<Reader<{ readonly n: number }>>();
  expectTypeOf(whole()).toEqualTypeOf<Reader<WholeObject>>();
  // @ts-expect-error Without a schema, records have no other type.
  whole<{ readonly n: number }>();
  expectTypeOf(text()).toExtend<Reader<string>>();
});
