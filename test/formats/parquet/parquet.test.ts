import * as zlib from 'node:zlib';
import fc from 'fast-check';
import { NEVER } from 'rxjs';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { MillraceError } from '../../../src/errors.js';
import type { Json } from '../../../src/flow/index.js';
import { JsonNumber } from '../../../src/formats/jsonNumbers.js';
import { parquet, types as columnTypes, type ParquetOptions } from '../../../src/formats/parquet/index.js';
import { deadLetter, files } from '../../../src/sources/files.js';
import { counting } from '../../../src/store/decorators/counting.js';
import { memoryWith, readAll, slicedFiles, type StoredPosition } from '../../sources/harness.js';
import { rowsOf } from './reading.js';
import { pyarrow, writtenByDuckDb, writtenByPyarrow } from './written.js';
import { effort } from '../../support/effort.js';

const uri = 'memory://lake/raw';

/** The code and the message of the error that it ends with. */
async function failure(content: Uint8Array, options: ParquetOptions<unknown> = {}): Promise<unknown> {
  return rowsOf(content, options).then(
    (rows) => rows.length,
    (error: unknown) => {
      const { code, message } = error as MillraceError;
      return `${code}: ${message}`;
    },
  );
}

const types = `SELECT * FROM (VALUES
  (true, 1::TINYINT, 9007199254740993::BIGINT, 7::BIGINT, 18446744073709551615::UBIGINT, 4294967295::UINTEGER, 1.5::FLOAT, 0.1::DOUBLE,
   1.25::DECIMAL(9,2), 12345678901234567890.12::DECIMAL(38,2), -0.05::DECIMAL(4,2), 'Grüße', 'ab'::BLOB,
   DATE '2026-11-29', TIMESTAMP '2026-11-29 12:00:00.123456', TIMESTAMP_NS '1969-12-31 23:59:59.999999999', TIME '23:59:01.5',
   [1, NULL, 3]::BIGINT[], [[1], []]::INTEGER[][], {'a': 9007199254740993::BIGINT, 'b': [1.10::DECIMAL(4,2)]},
   MAP {'k': 1::BIGINT}, '{"n": 144126219108390099}'::JSON, '8d9f7b1a-0000-4000-8000-000000000001'::UUID, 'x'::ENUM('x', 'y')),
  (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)
) t(yes, tiny, big, small, unsigned, word, single, double, price, exact, minus, text, bytes,
    day, micros, nanos, time, list, lists, struct, map, json, uuid, enum)`;

const values = {
  yes: true,
  tiny: 1,
  big: 9007199254740993n,
  small: 7,
  unsigned: 18446744073709551615n,
  word: 4294967295,
  single: 1.5,
  double: 0.1,
  price: 1.25,
  exact: new JsonNumber('12345678901234567890.12'),
  minus: -0.05,
  text: 'Grüße',
  bytes: new Uint8Array(Buffer.from('ab')),
  day: new Date('2026-11-29'),
  micros: new Date('2026-11-29T12:00:00.123Z'),
  nanos: new Date('1969-12-31T23:59:59.999Z'),
  time: '23:59:01.500',
  list: [1, null, 3],
  lists: [[1], []],
  struct: { a: 9007199254740993n, b: [1.1] },
  map: { k: 1 },
  json: { n: 144126219108390099n },
  uuid: '8d9f7b1a-0000-4000-8000-000000000001',
  enum: 'x',
};
const nulls = Object.fromEntries(Object.keys(values).map((name) => [name, null]));

const hasZstd = 'zstdDecompressSync' in zlib;
const codecs = ['snappy', 'gzip', 'uncompressed', 'brotli', ...(hasZstd ? ['zstd'] : [])];

/** Three row groups. */
const numbers = (rows = 5000): string =>
  `SELECT i::BIGINT AS id, 'row ' || i AS text, [i, i + 1] AS list, CASE WHEN i % 3 = 0 THEN NULL ELSE i END AS sparse, repeat(md5(i::VARCHAR), 20) AS ballast FROM range(${rows}) t(i)`;
const row = (i: number): object => ({
  id: i,
  text: `row ${i}`,
  list: [i, i + 1],
  sparse: i % 3 === 0 ? null : i,
});
const small = ['id', 'text', 'list', 'sparse'];

describe('files that DuckDB writes', () => {
  it('all types, and nulls of all', async () => {
    const [first, second] = await rowsOf(await writtenByDuckDb(types));
    expect(first).toEqual(values);
    expect(second).toEqual(nulls);
  });

  it("dates: 'text' keeps all digits", async () => {
    const columns = ['micros', 'day', 'nanos'];
    const [first] = await rowsOf(await writtenByDuckDb(types), { dates: 'text', columns });
    expect(first).toEqual({
      micros: '2026-11-29T12:00:00.123456Z',
      day: '2026-11-29',
      nanos: '1969-12-31T23:59:59.999999999Z',
    });
    expect(Object.keys(first as object)).toEqual(columns);
  });

  it.each(codecs)('%s, version 1 and 2 of pages, several row groups', async (codec) => {
    for (const version of ['V1', 'V2']) {
      const options = `CODEC ${codec}, PARQUET_VERSION ${version}, ROW_GROUP_SIZE 2048`;
      const rows = await rowsOf(await writtenByDuckDb(numbers(), options), { columns: small });
      expect(rows).toEqual(Array.from({ length: 5000 }, (_, i) => row(i)));
    }
  });

  it('no rows, no columns of that name', async () => {
    const empty = await writtenByDuckDb(`${numbers()} WHERE i < 0`);
    expect(await rowsOf(empty)).toEqual([]);
    expect(await failure(empty, { columns: ['id', 'name'] })).toMatch(
      /^UnknownColumn: memory:\/\/lake\/raw\/a.parquet has no column 'name': it has id, text, list, sparse, ballast/,
    );
  });
});

if (pyarrow === undefined)
  process.stderr.write(
    'NO PYARROW: python3 cannot import it here, so its tests of files that are read do not run.\n',
  );
const described = pyarrow === undefined ? describe.skip : describe;
described(
  `files that pyarrow writes${pyarrow === undefined ? ' (pyarrow is missing: set MILLRACE_TEST_PYTHON)' : ''}`,
  () => {
    const table = `pa.table({'id': pa.array(range(3000), pa.int64()),
    'text': [f'row {i}' for i in range(3000)],
    'price': pa.array([decimal.Decimal(i) / 4 for i in range(3000)], pa.decimal128(20, 2)),
    'at': pa.array([dt.datetime(2026, 1, 1) + dt.timedelta(microseconds=i) for i in range(3000)], pa.timestamp('us', 'UTC')),
    'nested': [{'list': [{'x': i}, None], 'none': None if i % 2 else 'odd'} for i in range(3000)],
    'flag': [i % 2 == 0 for i in range(3000)],
    'double': [i / 2 for i in range(3000)]})`;
    it.each([
      `compression='snappy', row_group_size=1000`,
      `compression='gzip', data_page_version='2.0', row_group_size=700, data_page_size=1000`,
      `compression='none', use_dictionary=False, row_group_size=1000, column_encoding={'id': 'DELTA_BINARY_PACKED', 'text': 'DELTA_BYTE_ARRAY', 'double': 'BYTE_STREAM_SPLIT'}`,
      `compression='brotli', use_deprecated_int96_timestamps=True`,
      ...(hasZstd ? [`compression='zstd', use_compliant_nested_type=False`] : []),
    ])('%s', async (options) => {
      const rows = await rowsOf(await writtenByPyarrow(table, options), { dates: 'text' });
      expect(rows).toEqual(
        Array.from({ length: 3000 }, (_, i) => ({
          id: i,
          text: `row ${i}`,
          price: i / 4,
          at: `2026-01-01T00:00:00${i === 0 ? '' : `.${String(i).padStart(6, '0').replace(/000$/, '')}`}Z`,
          nested: { list: [{ x: i }, null], none: i % 2 === 1 ? null : 'odd' },
          flag: i % 2 === 0,
          double: i / 2,
        })),
      );
    });
  },
);

describe('positions', () => {
  it('a run that is cut after any rows, with requests of any size, continues after them', async () => {
    const content = await writtenByDuckDb(numbers(3000), 'ROW_GROUP_SIZE 2048');
    const store = memoryWith({ 'raw/a.parquet': content, 'raw/b.parquet': content });
    const all = Array.from({ length: 6000 }, (_, i) => row(i % 3000));
    const read = (slice: number, fragment: number, position?: Json) => {
      const options = { format: parquet({ columns: small }), prefetch: { fragment, window: 2 } };
      return readAll(slicedFiles(uri, options, slice), store, position);
    };
    const whole = await read(400, 100_000);
    expect(whole.error).toBeUndefined();
    expect(whole.records).toEqual(all);
    const near = whole.positions.filter(({ records }) =>
      [0, 1, 2047, 2048, 2999, 3000].some((at) => Math.abs(records - at) < 5),
    );
    const cuts = fc.oneof(fc.constantFrom(...near), fc.constantFrom(...whole.positions));
    const sizes = fc.integer({ min: 1000, max: 200_000 });
    await fc.assert(
      fc.asyncProperty(cuts, sizes, async (cut, fragment) => {
        const position = JSON.parse(JSON.stringify(cut.position)) as Json;
        const rest = await read(10_000, fragment, position);
        expect(rest.error).toBeUndefined();
        expect(rest.records).toEqual(all.slice(cut.records));
        expect(rest.positions[0]!.position).toEqual(position);
      }),
      { numRuns: effort(6, 15) },
    );
  });

  it('an object of which no row has been passed on is unread, although its first group is requested', async () => {
    const content = await writtenByDuckDb(numbers(10));
    const store = memoryWith({ 'raw/a.parquet': content });
    const { positions } = await readAll(slicedFiles(uri, { format: parquet() }, 1), store);
    const before = positions.filter(({ records }) => records === 0);
    expect(before.length).toBeGreaterThan(1);
    for (const { position } of before)
      expect((position as unknown as StoredPosition).object?.offset ?? 0).toBe(0);
    expect(
      (positions.find(({ records }) => records > 0)?.position as unknown as StoredPosition).object?.line,
    ).toBe(1);
  });

  it('of another version of the object is refused', async () => {
    const content = await writtenByDuckDb(numbers(3000), 'ROW_GROUP_SIZE 2048');
    const store = memoryWith({ 'raw/a.parquet': content });
    const source = slicedFiles(uri, { format: parquet({ columns: ['id'] }) }, 1);
    const { position } = (await readAll(source, store)).positions.find(({ records }) => records === 100)!;
    store.put('raw/a.parquet', Buffer.concat([content, Buffer.alloc(1)])).subscribe();
    expect((await readAll(source, store, position)).error).toMatchObject({ code: 'ObjectChanged' });
  });
});

it('only the bytes of the columns that are asked for are moved, and a resumed run moves no earlier group', async () => {
  const content = await writtenByDuckDb(numbers(20_000), 'ROW_GROUP_SIZE 10240, CODEC uncompressed');
  const { store, counts } = counting(memoryWith({ 'raw/a.parquet': content }));
  const source = slicedFiles(uri, { format: parquet({ columns: ['id'] }) }, 1000);
  const { positions, records } = await readAll(source, store);
  expect(records).toHaveLength(20_000);
  const footer = 64 * 1024;
  const moved = counts().bytesDown;
  expect(content.length).toBeGreaterThan(12_000_000);
  expect(moved).toBeLessThan(footer + 20_000 * 9);
  const second = positions.find((each) => each.records > 10_240)!;
  await readAll(source, store, second.position);
  expect(counts().bytesDown - moved).toBeLessThan(footer + 10_000 * 9);
});

/** A block of LZ4, as its specification describes it. */
function unpackLz4(block: Uint8Array, length: number): Uint8Array {
  const out = new Uint8Array(length);
  let to = 0;
  for (let at = 0; at < block.length;) {
    const token = block[at++]!;
    const more = (short: number): number => {
      let all = short;
      if (short === 15) for (let byte = 255; byte === 255; all += byte) byte = block[at++]!;
      return all;
    };
    const literals = more(token >> 4);
    out.set(block.subarray(at, at + literals), to);
    at += literals;
    to += literals;
    if (at >= block.length) break;
    const distance = block[at]! + 256 * block[at + 1]!;
    at += 2;
    for (let left = more(token & 15) + 4; left > 0; left--, to++) out[to] = out[to - distance]!;
  }
  return out;
}

describe('a schema of another file', () => {
  const sql = `SELECT 1::BIGINT AS big, 2::INTEGER AS word, 'x' AS text, 1.5::DOUBLE AS double, 1.25::DECIMAL(9,2) AS price,
    DATE '2026-11-29' AS day, TIMESTAMP '2026-11-29 12:00:00' AS at, 'ab'::BLOB AS raw, [1, 2]::INTEGER[] AS list,
    {'a': 1::INTEGER, 'b': 'x'} AS struct, MAP {'k': 1::BIGINT} AS map, true AS yes, '{"a": 1}'::JSON AS doc`;

  it.each<[string, object, string]>([
    ['text', columnTypes.int64, "STRING as column 'text', and the schema of parquet() has int64"],
    ['big', columnTypes.string, "INT64 as column 'big', and the schema of parquet() has string"],
    ['big', columnTypes.int32, "INT64 as column 'big', and the schema of parquet() has int32"],
    ['big', columnTypes.double, 'has double'],
    ['double', columnTypes.int64, 'DOUBLE as column'],
    ['price', columnTypes.int64, 'DECIMAL as column'],
    ['price', columnTypes.double, 'DECIMAL as column'],
    ['day', columnTypes.timestamp(), 'DATE as column'],
    ['at', columnTypes.date, 'TIMESTAMP as column'],
    ['at', columnTypes.int64, 'TIMESTAMP as column'],
    ['raw', columnTypes.string, 'BYTE_ARRAY as column'],
    ['text', columnTypes.bytes, 'STRING as column'],
    ['text', columnTypes.list(columnTypes.string), 'STRING as column'],
    ['list', columnTypes.int32, 'LIST as column'],
    ['list', columnTypes.list(columnTypes.string), "INT32 as column 'list.list.element'"],
    ['struct', columnTypes.struct({ a: columnTypes.string }), "INT32 as column 'struct.a'"],
    ['struct', columnTypes.struct({ c: columnTypes.string }), "nothing as column 'struct.c'"],
    ['struct', columnTypes.map(columnTypes.int32), 'a group as column'],
    ['map', columnTypes.struct({ k: columnTypes.int64 }), 'MAP as column'],
    ['map', columnTypes.map(columnTypes.string), "INT64 as column 'map.key_value.value'"],
    ['yes', columnTypes.int32, 'BOOLEAN as column'],
    ['doc', columnTypes.string, 'JSON as column'],
  ])('column %s as %j is WrongColumnType', async (name, type, message) => {
    const result = await failure(await writtenByDuckDb(sql), { schema: { [name]: type } as never });
    expect(result).toMatch(/^WrongColumnType: memory:\/\/lake\/raw\/a.parquet has /);
    expect(result).toContain(message);
  });

  it('that has other types whose values are of the same kind is read', async () => {
    const schema = {
      big: columnTypes.decimal(19),
      word: columnTypes.int64,
      text: columnTypes.json,
      list: columnTypes.list(columnTypes.double),
      map: columnTypes.map(columnTypes.int64),
      struct: columnTypes.struct({ b: columnTypes.string }),
      double: columnTypes.float,
      day: columnTypes.date,
      at: columnTypes.timestamp('nanos'),
      raw: columnTypes.bytes,
      yes: columnTypes.boolean,
    };
    expect(await failure(await writtenByDuckDb(sql), { schema: schema as never })).toBe(1);
  });
});

describe('decompressors that are given', () => {
  const rows = Array.from({ length: 3000 }, (_, i) => row(i));

  it('read what this version of Node cannot', async () => {
    const content = await writtenByDuckDb(numbers(3000), 'CODEC lz4_raw, ROW_GROUP_SIZE 2048');
    expect(await failure(content, { columns: small })).toMatch(
      /^UnknownCodec: Column id of .* is compressed with LZ4_RAW\. Set compressors of parquet\(\)/,
    );
    expect(await rowsOf(content, { columns: small, compressors: { LZ4_RAW: unpackLz4 } })).toEqual(rows);
  });

  it('take the place of those of Node', async () => {
    const content = await writtenByDuckDb(numbers(3000), 'CODEC gzip');
    const lengths: number[] = [];
    const GZIP = (input: Uint8Array, length: number): Uint8Array => {
      lengths.push(length);
      return zlib.gunzipSync(input);
    };
    expect(await rowsOf(content, { columns: small, compressors: { GZIP } })).toEqual(rows);
    expect(Math.max(...lengths)).toBeLessThan(1024 * 1024);
    expect(lengths.length).toBeGreaterThanOrEqual(small.length);
  });

  it('that fail make the file Integrity', async () => {
    const content = await writtenByDuckDb(numbers(100), 'CODEC lz4_raw');
    const LZ4_RAW = (): Uint8Array => {
      throw new Error('boom');
    };
    expect(await failure(content, { compressors: { LZ4_RAW } })).toMatch(
      /^Integrity: .* row group 0 cannot be decoded/,
    );
  });

  it.each([[{ GZIP: 'x' }], ['gzip'], [null]])('%j are none', (compressors) => {
    expect(() => parquet({ compressors: compressors as never })).toThrow('functions by codec');
  });
});

describe('limits', () => {
  it('a row group over maxRowGroup is refused by its columns that are read', async () => {
    const content = await writtenByDuckDb(numbers(3000));
    expect(await failure(content, { maxRowGroup: '512KiB' })).toMatch(
      /^RowGroupTooLarge: Row group 0 of memory:.*has \d+ bytes/,
    );
    expect(await failure(content, { maxRowGroup: '512KiB', columns: ['id'] })).toBe(3000);
  });

  it('a group is held once, and counted', async () => {
    const content = await writtenByDuckDb(numbers(5000), 'ROW_GROUP_SIZE 2048, CODEC uncompressed');
    const read = await readAll(files(uri, { format: parquet() }), memoryWith({ 'raw/a.parquet': content }));
    const most = Math.max(...read.positions.map(({ held }) => held));
    expect(most).toBeGreaterThan(content.length / 3);
    expect(most).toBeLessThan(content.length * 1.1);
  });
});

describe('bad input', () => {
  it('rows that the schema rejects are malformed, with their number', async () => {
    const schema: StandardSchemaV1<unknown, { id: number }> = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: (value) => {
          const { id } = value as { id: number };
          return id % 1000 === 999 ? { issues: [{ message: 'odd' }] } : { value: { id } };
        },
      },
    };
    const content = await writtenByDuckDb(numbers(3000), 'ROW_GROUP_SIZE 2048');
    const options = { format: parquet({ schema, columns: ['id'] }), onMalformed: deadLetter(() => NEVER) };
    const read = await readAll(files(uri, options), memoryWith({ 'raw/a.parquet': content }));
    expect(read.records).toHaveLength(2997);
    expect(read.letters.map(({ line, text, reason }) => [line, text, reason])).toEqual(
      [1000, 2000, 3000].map((line) => [line, `{"id":${line - 1}}`, 'rejected by the schema: odd']),
    );
  });

  it('what is no Parquet file, or cut off, is Integrity with its name', async () => {
    const content = await writtenByDuckDb(numbers(100));
    const cut = content.subarray(0, content.length - 3);
    for (const bad of [Buffer.from('PAR1'), Buffer.from('{"a":1}\n'.repeat(10)), cut])
      expect(await failure(bad)).toMatch(
        /^Integrity: memory:\/\/lake\/raw\/a.parquet is not an intact Parquet file: /,
      );
    expect(await failure(Buffer.concat([content.subarray(0, -4), Buffer.from('PARE')]))).toMatch(
      /^UnknownCodec: .*encrypted/,
    );
  });

  it('damaged bytes give rows or Integrity, and nothing else', async () => {
    const content = await writtenByDuckDb(numbers(50), 'CODEC gzip');
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(content.length - 1), fc.integer({ min: 1, max: 255 })), {
          minLength: 1,
          maxLength: 3,
        }),
        async (damage) => {
          const bad = Buffer.from(content);
          for (const [at, xor] of damage) bad[at]! ^= xor;
          expect(String(await failure(bad, { maxRowGroup: '1MiB' }))).toMatch(
            /^(\d+$|Integrity|UnknownCodec|RowGroupTooLarge|MalformedRecord)/,
          );
        },
      ),
      { numRuns: 200 },
    );
  });
});
