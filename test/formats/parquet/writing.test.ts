import { expectTypeOf } from 'expect-type';
import * as zlib from 'node:zlib';
import { JsonNumber } from '../../../src/formats/jsonNumbers.js';
import {
  parquet,
  types,
  type ParquetFields,
  type ParquetRecord,
  type ParquetRow,
  type ParquetType,
} from '../../../src/formats/parquet/index.js';
import type { MillraceError } from '../../../src/errors.js';
import type { Writer } from '../../../src/formats/writer.js';
import { Checkpointed, Collected, everything, fileOf } from './files.js';
import { decoded, rowsOf } from './reading.js';
import { pyarrow, readByDuckDb, readByPyarrow } from './written.js';

const record = {
  id: 9007199254740993n,
  text: 'Grüße',
  small: -7,
  yes: true,
  single: 1.5,
  double: 0.1,
  raw: Buffer.from('ab'),
  day: '2026-11-29',
  millis: new Date('2026-11-29T12:00:00.123Z'),
  micros: '2026-11-29T13:00:00.123456+01:00',
  nanos: 1n,
  price: 1.25,
  sum: '-12345678901234.5678',
  exact: new JsonNumber('1234567890123456789012345678.0123456789'),
  doc: { n: [1, null] },
  key: '8D9F7B1A-0000-4000-8000-000000000001',
  maybe: null,
  list: [1, null, 3n],
  lists: [[], ['a', 'b']],
  map: { a: 1, b: null },
  struct: { a: 1, b: [{ c: 'x', d: Buffer.from('d') }, { d: Buffer.alloc(0) }] },
};

const row = {
  ...record,
  raw: new Uint8Array(record.raw),
  millis: '2026-11-29T12:00:00.123Z',
  micros: '2026-11-29T12:00:00.123456Z',
  nanos: '1970-01-01T00:00:00.000000001Z',
  sum: new JsonNumber('-12345678901234.5678'),
  key: record.key.toLowerCase(),
  list: [1, null, 3],
  struct: {
    a: 1,
    b: [
      { c: 'x', d: new Uint8Array([100]) },
      { c: null, d: new Uint8Array() },
    ],
  },
};

/** Everything that may be absent is. */
const sparse = {
  ...record,
  maybe: undefined,
  list: [],
  lists: null,
  map: new Map([['x', -0]]),
  struct: undefined,
};

const hasZstd = 'zstdCompressSync' in zlib;
const codecs = ['none', 'snappy', 'gzip', ...(hasZstd ? (['zstd'] as const) : [])] as const;

const one = (type: ParquetType, options = {}): Writer<{ readonly v?: unknown }> =>
  parquet({ schema: { v: type }, ...options });

describe('a file with every type', () => {
  it('is read as it was written', async () => {
    const rows = await rowsOf(fileOf(everything, [record, sparse]), { dates: 'text' });
    const second = { ...row, maybe: null, list: [], lists: null, map: { x: -0 }, struct: null };
    expect(rows).toEqual([row, second]);
    const again = parquet({ schema: { id: types.int64, text: types.string } });
    expect(again.name).toBe('parquet');
  });

  it('has the types, values and statistics that DuckDB expects', async () => {
    const file = fileOf(everything, [record, sparse]);
    const columns = await readByDuckDb(file, (path) => `DESCRIBE SELECT * FROM '${path}'`);
    expect(
      Object.fromEntries(columns.map(({ column_name, column_type }) => [column_name, column_type])),
    ).toEqual({
      id: 'BIGINT',
      text: 'VARCHAR',
      small: 'INTEGER',
      yes: 'BOOLEAN',
      single: 'FLOAT',
      double: 'DOUBLE',
      raw: 'BLOB',
      day: 'DATE',
      millis: 'TIMESTAMP WITH TIME ZONE',
      micros: 'TIMESTAMP WITH TIME ZONE',
      nanos: 'TIMESTAMP WITH TIME ZONE',
      price: 'DECIMAL(9,2)',
      sum: 'DECIMAL(18,4)',
      exact: 'DECIMAL(38,10)',
      doc: 'JSON',
      key: 'UUID',
      maybe: 'DOUBLE',
      list: 'BIGINT[]',
      lists: 'VARCHAR[][]',
      map: 'MAP(VARCHAR, DOUBLE)',
      struct: 'STRUCT(a INTEGER, b STRUCT(c VARCHAR, d BLOB)[])',
    });
    const texts = await readByDuckDb(
      file,
      (path) =>
        `SELECT id, micros::VARCHAR AS micros, exact::VARCHAR AS exact, doc->>'n' AS doc, key::VARCHAR AS key,
                list::VARCHAR AS list, map::VARCHAR AS map, struct::VARCHAR AS struct FROM '${path}'`,
    );
    expect(texts[0]).toEqual({
      id: '9007199254740993',
      micros: '2026-11-29 12:00:00.123456+00',
      exact: '1234567890123456789012345678.0123456789',
      doc: '[1,null]',
      key: row.key,
      list: '[1, NULL, 3]',
      map: '{a=1.0, b=NULL}',
      struct: `{'a': 1, 'b': [{'c': x, 'd': d}, {'c': NULL, 'd': ''}]}`,
    });
    const statistics = await readByDuckDb(
      file,
      (path) =>
        `SELECT path_in_schema AS name, stats_min_value AS min, stats_max_value AS max, stats_null_count AS nulls
         FROM parquet_metadata('${path}')`,
    );
    const of = Object.fromEntries(statistics.map(({ name, ...rest }) => [String(name), rest]));
    expect(of).toMatchObject({
      id: { min: '9007199254740993', max: '9007199254740993', nulls: '0' },
      text: { min: 'Grüße', max: 'Grüße' },
      day: { min: '2026-11-29', max: '2026-11-29' },
      micros: { min: '2026-11-29 12:00:00.123456+00', max: '2026-11-29 12:00:00.123456+00' },
      price: { min: '1.25', max: '1.25' },
      exact: { min: '1234567890123456789012345678.0123456789' },
      maybe: { min: null, max: null, nulls: '2' },
      doc: { min: null, max: null, nulls: '0' },
    });
  });

  it('has row groups that queries can skip', async () => {
    const format = parquet({ schema: { id: types.int64, text: types.string }, rowGroup: { rows: 1000 } });
    const records = Array.from({ length: 3500 }, (_, i) => ({ id: i, text: `row ${i} ${'x'.repeat(30)}` }));
    const groups = await readByDuckDb(
      fileOf(format, records),
      (path) =>
        `SELECT row_group_num_rows AS rows, stats_min_value AS min, stats_max_value AS max, compression
         FROM parquet_metadata('${path}') WHERE path_in_schema = 'id' ORDER BY row_group_id`,
    );
    expect(groups).toEqual(
      [0, 1000, 2000, 3000].map((from) => ({
        rows: from === 3000 ? '500' : '1000',
        min: String(from),
        max: String(Math.min(from + 999, 3499)),
        compression: 'SNAPPY',
      })),
    );
  });

  it.each(codecs)('with compression: %s', async (compression) => {
    const format = parquet({ schema: { id: types.int64, text: types.string }, compression });
    const records = Array.from({ length: 5000 }, (_, i) => ({ id: i, text: `row ${i}` }));
    const file = fileOf(format, records);
    expect(await decoded(file)).toEqual(records);
    const [counted] = await readByDuckDb(
      file,
      (path) => `SELECT sum(id) AS sum, min(text) AS least FROM '${path}'`,
    );
    expect(counted).toEqual({ sum: '12497500', least: 'row 0' });
  });
});

if (pyarrow === undefined)
  process.stderr.write(
    'NO PYARROW: python3 cannot import it here, so its tests of files that are written do not run.\n',
  );
const described = pyarrow === undefined ? describe.skip : describe;
described(
  `pyarrow reads${pyarrow === undefined ? ' (pyarrow is missing: set MILLRACE_TEST_PYTHON)' : ''}`,
  () => {
    it('every type', () => {
      const schema = readByPyarrow(
        fileOf(everything, [record, sparse]),
        `str(table.schema.remove_metadata())`,
      );
      expect(schema).toContain('nanos: timestamp[ns, tz=UTC] not null');
      expect(schema).toContain('exact: decimal128(38, 10) not null');
      const rows = readByPyarrow(
        fileOf(everything, [record, sparse]),
        `str(table.select(['id', 'list', 'map', 'lists', 'exact', 'raw']).to_pylist())`,
      );
      expect(rows).toBe(
        `[{'id': 9007199254740993, 'list': [1, None, 3], 'map': [('a', 1.0), ('b', None)], 'lists': [[], ['a', 'b']], ` +
          `'exact': Decimal('1234567890123456789012345678.0123456789'), 'raw': b'ab'}, ` +
          `{'id': 9007199254740993, 'list': [], 'map': [('x', -0.0)], 'lists': None, ` +
          `'exact': Decimal('1234567890123456789012345678.0123456789'), 'raw': b'ab'}]`,
      );
    });

    it.each(codecs)('row groups, the last of which a restore has made: %s', (compression) => {
      const schema = { id: types.int64, text: types.optional(types.string) };
      const format = parquet({ schema, compression, rowGroup: { rows: 1000 } });
      const out = new Collected();
      const encoder = format.open(out);
      const checkpoint = new Checkpointed();
      for (let id = 0; id < 3900; id++) {
        encoder.write({ id, text: id % 3 === 0 ? null : `row ${id}` });
        if (id % 500 === 499) checkpoint.take(out, encoder);
      }
      const seen = readByPyarrow(
        checkpoint.sealed(format),
        `f"{table.num_rows} {sum(table['id'].to_pylist())} {table['text'].null_count} {table['text'][-1]}"`,
      );
      expect(seen).toBe(`3500 ${(3500 * 3499) / 2} 1167 row 3499`);
    });

    it('and what it writes of that is read as the same rows', async () => {
      const file = fileOf(everything, [record, sparse]);
      const options = {
        columns: Object.keys(record).filter((name) => name !== 'key'),
        dates: 'text',
      } as const;
      const again = readByPyarrow(
        file,
        `[b.getvalue().hex() for b in [io.BytesIO()] for _ in [pq.write_table(table, b, compression='gzip')]][0]`,
      );
      expect(await rowsOf(Buffer.from(again, 'hex'), options)).toEqual(await rowsOf(file, options));
    });
  },
);

describe('values at the edge', () => {
  const kept = async (type: ParquetType, values: readonly unknown[]): Promise<unknown[]> => {
    const rows = (await decoded(
      fileOf(
        one(type),
        values.map((v) => ({ v })),
      ),
    )) as { readonly v: unknown }[];
    return rows.map(({ v }) => v);
  };

  it.each<readonly [string, ParquetType, readonly unknown[]]>([
    ['double', types.double, [NaN, Infinity, -Infinity, -0, 0, -0, 5e-324, Number.MAX_VALUE]],
    ['float', types.float, [NaN, Infinity, -Infinity, -0, 0, 1.5]],
    ['int32', types.int32, [2147483647, -2147483648]],
    ['int64', types.int64, [2n ** 63n - 1n, -(2n ** 63n)]],
    ['string', types.string, ['', '\u0000', '😀', '\uFFFF', '"\n']],
    ['bytes', types.bytes, [new Uint8Array(), new Uint8Array([0, 255])]],
  ])('%s', async (_, type, values) => {
    expect(await kept(type, values)).toEqual(values);
    // Often enough for a dictionary.
    const often = Array.from({ length: 200 }, () => values).flat();
    expect(await kept(type, often)).toEqual(often);
    const nested = often.map((value) => [value]);
    expect(await kept(types.list(type as ParquetType<unknown>), nested)).toEqual(nested);
  });

  it('numbers that stand for others', async () => {
    expect(await kept(types.int32, [-0])).toEqual([0]);
    expect(await kept(types.float, [0.1])).toEqual([Math.fround(0.1)]);
    expect(await kept(types.decimal(5, 2), [-0, '-0.00', 1n, '1e2', '.5'.padStart(3, '0'), 0.07])).toEqual([
      0, 0, 1, 100, 0.5, 0.07,
    ]);
  });

  it('dates far away', async () => {
    const far = [new Date(8.64e15), new Date(-8.64e15)];
    expect(await kept(types.timestamp('millis'), far)).toEqual(far);
    expect(await kept(types.timestamp(), far)).toEqual(far);
    expect(await kept(types.date, [...far, '0001-01-01'])).toEqual([...far, new Date('0001-01-01')]);
  });

  it('names that objects have already', async () => {
    const schema = { ['__proto__']: types.string, constructor: types.optional(types.string) };
    const format = parquet({ schema });
    const plain = JSON.parse('{"__proto__": "x"}') as never;
    expect(JSON.stringify(await decoded(fileOf(format, [plain])))).toBe(
      '[{"__proto__":"x","constructor":null}]',
    );
  });

  it('bytes are copied', async () => {
    const bytes = new Uint8Array([1]);
    const out = new Collected();
    const encoder = one(types.bytes).open(out);
    encoder.write({ v: bytes });
    bytes[0] = 2;
    encoder.finish();
    expect(await decoded(out.bytes)).toEqual([{ v: new Uint8Array([1]) }]);
  });
});

describe('a record that does not fit', () => {
  const schema = { id: types.int32, nested: types.struct({ list: types.list(types.map(types.date)) }) };

  it.each([
    [{ nested: { list: [] } }, 'id is missing'],
    [{ id: null, nested: { list: [] } }, 'id is null'],
    [{ id: '1', nested: { list: [] } }, 'id is a value of type String, not an integer'],
    [{ id: 1.5, nested: { list: [] } }, 'id is not an integer of 32 bits'],
    [{ id: 1, nested: { list: [] }, other: 1 }, 'other is not in the schema'],
    [{ id: 1, nested: { list: [], 'a\u202eb': 1 } }, 'nested["a\\u{202e}b"] is not in the schema'],
    ['text', 'the record is a value of type String, not an object'],
    [{ id: 1, nested: [] }, 'nested is a value of type Array, not an object'],
    [
      { id: 1, nested: { list: [{}, { a: '2026-11-29', b: '2026-02-30' }] } },
      'nested.list[1]["b"] is not a date',
    ],
    [
      { id: 1, nested: { list: [{ a: new Date(1) }] } },
      'nested.list[0]["a"] has a time of day, which a date has not',
    ],
  ])('%j', (wrong, what) => {
    const out = new Collected();
    const encoder = parquet({ schema }).open(out);
    const held = encoder.held;
    expect(refusal(() => encoder.write(wrong as never))).toBe(
      `NotParquet: A record does not fit the schema of parquet(): ${what}. Map it before the sink, or change the type of the column.`,
    );
    expect(encoder.held).toBe(held);
  });

  it.each<readonly [string, ParquetType, unknown, string]>([
    ['string', types.string, 'a\ud800', 'has a lone surrogate, which UTF-8 cannot represent'],
    ['int64', types.int64, 2 ** 53, 'is not a safe integer: use a bigint'],
    ['int64', types.int64, 1.5, 'is not an integer'],
    ['int64', types.int64, NaN, 'is not an integer'],
    ['int64', types.int64, 2n ** 63n, 'does not fit into 64 bits'],
    ['float', types.float, 1e300, 'is too large for a float'],
    ['boolean', types.boolean, 0, 'is a value of type Number, not a boolean'],
    ['bytes', types.bytes, 'ab', 'is a value of type String, not a Uint8Array'],
    ['uuid', types.uuid, '8d9f7b1a', 'is not a UUID'],
    [
      'timestamp',
      types.timestamp(),
      '2026-11-29T12:00:00',
      'is not a timestamp with a time zone, such as 2026-11-29T12:00:00.5Z',
    ],
    [
      'timestamp',
      types.timestamp('millis'),
      '2026-11-29T12:00:00.1234Z',
      'has more digits than its unit, millis',
    ],
    ['timestamp', types.timestamp('nanos'), new Date(8.64e15), 'does not fit into 64 bits'],
    ['timestamp', types.timestamp(), new Date(NaN), 'is not a date'],
    ['decimal', types.decimal(4, 2), 100, 'has more than 2 digits before the point'],
    ['decimal', types.decimal(4, 2), 1.005, 'has more than 2 digits after the point'],
    ['decimal', types.decimal(4, 2), NaN, 'is not a decimal'],
    ['decimal', types.decimal(38, 0), '1e999', 'has more than 38 digits before the point'],
    ['json', types.json, () => 1, 'has no JSON form'],
    ['map', types.map(types.string), new Map([[1, 'a']]), '["1"] is a value of type Number, not a string'],
    ['list', types.list(types.string), 'abc', 'is a value of type String, not an array'],
  ])('%s', (_, type, value, what) => {
    const encoder = one(type).open(new Collected());
    expect(refusal(() => encoder.write({ v: value }))).toContain(
      ` v${what.startsWith('[') ? '' : ' '}${what}.`,
    );
  });

  it('is one with a surplus field, also if others come from getters, in any order', () => {
    class Row {
      constructor(private readonly more: object) {
        Object.assign(this, this.more);
        Object.defineProperty(this, 'more', { enumerable: false });
      }

      get a(): number {
        return 1;
      }
    }
    const encoder = parquet({
      schema: { a: types.int32, b: types.optional(types.int32), c: types.int32 },
    }).open(new Collected());
    const write = (record: object) => refusal(() => encoder.write(record as never));
    for (const fits of [{ c: 1 }, { b: 1, c: 1 }, { c: 1, b: 1 }, { c: 1, other: undefined }])
      expect(write(new Row(fits))).toBe('it was written');
    for (const wrong of [
      { c: 1, other: 1 },
      { other: 1, c: 1 },
      { c: 1, other: 1, b: 1 },
    ])
      expect(write(new Row(wrong))).toContain(' other is not in the schema.');
  });

  it('leaves no trace in the file', async () => {
    const out = new Collected();
    const encoder = parquet({ schema }).open(out);
    encoder.write({ id: 1, nested: { list: [] } });
    refusal(() => encoder.write({ id: 2, nested: { list: [{ a: 'x' }] } }));
    encoder.write({ id: 3, nested: { list: [] } });
    encoder.finish();
    expect(await decoded(out.bytes)).toMatchObject([{ id: 1 }, { id: 3 }]);
  });
});

const schemaOfVisits = {
  id: types.int64,
  note: types.optional(types.string),
  tags: types.list(types.struct({ name: types.string })),
};

test('a schema has the type of its records', () => {
  expect(Object.keys(schemaOfVisits)).toEqual(['id', 'note', 'tags']);
  expectTypeOf<{ id: number; tags: [] }>().toExtend<ParquetRecord<typeof schemaOfVisits>>();
  expectTypeOf<{ id: 1n; note: null; tags: { name: string }[] }>().toExtend<
    ParquetRecord<typeof schemaOfVisits>
  >();
  expectTypeOf<{ id: string; tags: [] }>().not.toExtend<ParquetRecord<typeof schemaOfVisits>>();
  expectTypeOf<{ note: string; tags: [] }>().not.toExtend<ParquetRecord<typeof schemaOfVisits>>();
  expectTypeOf<ParquetRow<typeof schemaOfVisits>['note']>().toEqualTypeOf<string | null>();
});

describe('options', () => {
  it.each<readonly [object, string]>([
    [{ schema: {} }, 'parquet: schema'],
    [{ schema: { id: 'int64' } }, 'parquet: schema.id'],
    [{ schema: { id: types.int64 }, compression: 'lz4' }, 'parquet: compression'],
    [{ schema: { id: types.int64 }, rowGroup: { rows: 0 } }, 'parquet: rowGroup.rows'],
    [{ schema: { id: types.int64 }, rowGroup: { size: 0 } }, 'parquet: rowGroup.size'],
    [{ schema: { id: types.int64 }, rowGroup: { size: 512 * 2 ** 20 + 1 } }, 'from 1 byte to 512 MiB'],
    [{ schema: { id: types.int64 }, rowGroup: { row: 1 } }, 'rowGroup.row'],
  ])('%j', (options, key) => {
    expect(() => parquet(options as { schema: ParquetFields })).toThrow(
      expect.objectContaining({
        code: 'InvalidOption',
        message: expect.stringContaining(key) as string,
      }) as Error,
    );
  });

  it('decimals have digits', () => {
    expect(() => types.decimal(39)).toThrow('precision from 1 to 38');
    expect(() => types.decimal(4, 5)).toThrow('precision from 1 to 38');
    expect(() => types.timestamp('seconds' as never)).toThrow("'millis', 'micros' or 'nanos'");
    expect(() => types.list(undefined as never)).toThrow('types of millrace/parquet');
    expect(() => parquet({ schema: { at: types.timestamp as never } })).toThrow(
      'types of millrace/parquet: call types.timestamp, as in types.timestamp().',
    );
    expect(() => types.list(types.decimal as never)).toThrow('call types.decimal, as in types.decimal(…).');
  });
});

function refusal(write: () => void): string {
  try {
    write();
  } catch (error) {
    const { code, message } = error as MillraceError;
    return `${code}: ${message}`;
  }
  return 'it was written';
}
