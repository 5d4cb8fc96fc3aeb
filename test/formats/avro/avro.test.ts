import * as zlib from 'node:zlib';
import fc from 'fast-check';
import { NEVER } from 'rxjs';
import { expectTypeOf } from 'expect-type';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { avro, type AvroOptions, type AvroSchema } from '../../../src/formats/avro/index.js';
import type { FileFormat } from '../../../src/formats/format.js';
import { JsonNumber } from '../../../src/formats/jsonNumbers.js';
import type { Reader } from '../../../src/formats/reader.js';
import type { MillraceError } from '../../../src/errors.js';
import type { Json } from '../../../src/flow/index.js';
import { deadLetter, files } from '../../../src/sources/files.js';
import { counting } from '../../../src/store/decorators/counting.js';
import { memoryWith, readAll, slicedFiles } from '../../sources/harness.js';
import { effort } from '../../support/effort.js';
import { byFastavro, fastavro, readByAvsc, writtenByAvsc, written } from './written.js';

const uri = 'memory://lake/raw';

async function recordsOf(content: Uint8Array, options: AvroOptions<unknown> = {}): Promise<unknown[]> {
  const read = await readAll(files(uri, { format: avro(options) }), memoryWith({ 'raw/a.avro': content }));
  if (read.error !== undefined) throw read.error as Error;
  return [...read.records];
}

/** The code and the message of the error that it ends with. */
async function failure(content: Uint8Array, options: AvroOptions<unknown> = {}): Promise<unknown> {
  return recordsOf(content, options).then(
    (records) => records.length,
    (error: unknown) => {
      const { code, message } = error as MillraceError;
      return `${code}: ${message}`;
    },
  );
}

/** Records, and the malformed ones. */
async function lenient(content: Uint8Array, options: AvroOptions<unknown> = {}, fragment = 64) {
  const source = files(uri, {
    format: avro(options),
    onMalformed: deadLetter(() => NEVER),
    prefetch: { fragment },
  });
  const { records, letters, error } = await readAll(source, memoryWith({ 'raw/a.avro': content }));
  return { records: [...records], letters, error };
}

const record = (...fields: readonly (readonly [string, unknown])[]): AvroSchema => ({
  type: 'record',
  name: 'R',
  namespace: 'com.example',
  fields: fields.map(([name, type]) => ({ name, type })),
});

const hasZstd = 'zstdDecompressSync' in zlib;
const codecs = ['null', 'deflate', 'snappy', ...(hasZstd ? ['zstandard'] : [])] as ('null' | 'deflate')[];

const logical = (type: unknown, logicalType: string, more: object = {}): object => ({
  type,
  logicalType,
  ...more,
});
const fixed = (name: string, size: number) => ({ type: 'fixed', name, size });

/** Each type, a value, and that value with dates as text. */
const types: readonly (readonly [string, unknown, unknown, unknown?])[] = [
  ['yes', 'boolean', true],
  ['int', 'int', -2147483648],
  ['small', 'long', -7],
  ['large', 'long', 9007199254740993n],
  ['least', 'long', -(2n ** 63n)],
  ['object', { type: 'long' }, 9223372036854775807n],
  ['float', 'float', 1.5],
  ['double', 'double', 0.1],
  ['bytes', 'bytes', Buffer.from('ab')],
  ['text', 'string', 'Grüße'],
  ['fixed', fixed('F', 3), Buffer.from('abc')],
  ['enum', { type: 'enum', name: 'E', symbols: ['x', 'y'] }, 'y'],
  ['array', { type: 'array', items: ['null', 'long'] }, [1, null, 2n ** 60n]],
  ['map', { type: 'map', values: 'int' }, { k: 1, '': 2 }],
  ['union', ['null', 'string'], null],
  ['wrapped', ['null', 'int', 'double'], { double: 3 }],
  [
    'inner',
    { type: 'record', name: 'I', fields: [{ name: 'next', type: ['null', 'I'] }] },
    { next: { next: null } },
  ],
  ['day', logical('int', 'date'), new Date('1969-12-31'), '1969-12-31'],
  [
    'millis',
    logical('long', 'timestamp-millis'),
    new Date('2026-11-29T12:00:00.123Z'),
    '2026-11-29T12:00:00.123Z',
  ],
  [
    'micros',
    ['null', logical('long', 'timestamp-micros')],
    new Date('1969-12-31T23:59:59.999Z'),
    '1969-12-31T23:59:59.999Z',
  ],
  [
    'nanos',
    logical('long', 'timestamp-nanos'),
    new Date('2026-11-29T12:00:00.123Z'),
    '2026-11-29T12:00:00.123Z',
  ],
  ['local', logical('long', 'local-timestamp-micros'), new Date('2026-11-29'), '2026-11-29T00:00:00Z'],
  ['time', logical('int', 'time-millis'), '23:59:01.500'],
  ['timeMicros', logical('long', 'time-micros'), '00:00:00.000001'],
  ['price', logical('bytes', 'decimal', { precision: 9, scale: 2 }), -1.25],
  [
    'exact',
    logical('bytes', 'decimal', { precision: 38, scale: 2 }),
    new JsonNumber('12345678901234567890.12'),
  ],
  ['whole', logical(fixed('D', 16), 'decimal', { precision: 38 }), { type: 'fixed' }],
  ['amount', logical('fixed', 'decimal', { name: 'A', size: 16, precision: 38 }), 12345678901234567890n],
  ['uuid', logical('fixed', 'uuid', { name: 'U', size: 16 }), '8d9f7b1a-0000-4000-8000-000000000001'],
  ['uuidText', logical('string', 'uuid'), '8d9f7b1a-0000-4000-8000-000000000001'],
  ['unknown', logical('string', 'colour'), 'red'],
  ['bad', logical('string', 'decimal', { precision: 3 }), 'not a decimal'],
].filter(([name]) => name !== 'whole') as never;

const allTypes = record(...types.map(([name, type]) => [name, type] as const));
const values = Object.fromEntries(types.map(([name, , value]) => [name, value]));
const texts = Object.fromEntries(types.map(([name, , value, text]) => [name, text ?? value]));

const numbers = record(['id', 'long'], ['text', 'string']);
const numbersOf = (name: string) => record([name, 'long'], ['text', 'string']);
const near = (n: bigint | number) => (Number.isSafeInteger(Number(n)) ? Number(n) : n);
const row = (i: number) => ({ id: i, text: `row ${i}` });
const rows = (count: number) => Array.from({ length: count }, (_, i) => row(i));

describe('avro writes and reads', () => {
  it('all types', async () => {
    for (const codec of codecs) {
      const content = written({ avroSchema: allTypes, codec }, [values, values]);
      expect(await recordsOf(content)).toEqual([values, values]);
      expect(await recordsOf(content, { avroSchema: allTypes })).toEqual([values, values]);
      expect(await recordsOf(content, { dates: 'text' })).toEqual([texts, texts]);
    }
    const content = written({ avroSchema: allTypes, dates: 'text' }, [texts]);
    expect(await recordsOf(content)).toEqual([values]);
  });

  it("longs: 'bigint' reads all of them so", async () => {
    const content = written({ avroSchema: numbers }, rows(2));
    expect(await recordsOf(content, { longs: 'bigint' })).toEqual([
      { id: 0n, text: 'row 0' },
      { id: 1n, text: 'row 1' },
    ]);
  });

  it('integers of 64 bits: what is written is read', async () => {
    const longs = fc.oneof(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), fc.maxSafeInteger(), fc.integer());
    await fc.assert(
      fc.asyncProperty(fc.array(longs, { minLength: 1 }), async (all) => {
        const content = written(
          { avroSchema: record(['n', 'long']) },
          all.map((n) => ({ n })),
        );
        expect(await recordsOf(content)).toEqual(all.map((n) => ({ n: near(n) })));
      }),
      { numRuns: effort(15, 300) },
    );
  });

  it('decimals: what is written is read', async () => {
    const avroSchema = record(['n', logical('bytes', 'decimal', { precision: 40, scale: 5 })]);
    const limit = 10n ** 40n - 1n;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.bigInt(-limit, limit), { minLength: 1 }), async (all) => {
        const records = all.map((n) => {
          const digits = (n < 0n ? -n : n).toString().padStart(6, '0');
          return { n: new JsonNumber(`${n < 0n ? '-' : ''}${digits.slice(0, -5)}.${digits.slice(-5)}`) };
        });
        const read = (await recordsOf(written({ avroSchema }, records))) as { n: unknown }[];
        const plain = (value: unknown) => (typeof value === 'number' ? value.toFixed(5) : String(value));
        expect(read.map(({ n }) => plain(n).replace('-0.00000', '0.00000'))).toEqual(
          records.map(({ n }) => n.text),
        );
      }),
      { numRuns: effort(10, 200) },
    );
  });

  it('a file without records is a header', async () => {
    expect(await recordsOf(written({ avroSchema: numbers }, []))).toEqual([]);
  });

  it('the types of a format that only reads, and of one that writes', () => {
    expectTypeOf(avro<{ id: number }>()).toEqualTypeOf<Reader<{ id: number }>>();
    expectTypeOf(avro<{ id: number }>({ avroSchema: numbers })).toEqualTypeOf<
      FileFormat<{ id: number }, unknown>
    >();
    expect(avro({ avroSchema: 'string' }).extension).toBe('.avro');
    expect(avro({ avroSchema: JSON.stringify(numbers) }).restore).toBe('closing');
  });
});

describe('files of avsc', () => {
  it.each(['null', 'deflate', 'snappy'])('%s: are read, and read what is written', async (codec) => {
    const content = await writtenByAvsc(numbers, rows(100), codec);
    expect(await recordsOf(content)).toEqual(rows(100));
    const own = written({ avroSchema: numbers, codec: codec as 'null', block: 200 }, rows(100), [7, 50]);
    expect(await readByAvsc(own)).toEqual(rows(100));
  });
});

if (fastavro === undefined)
  process.stderr.write('NO FASTAVRO: python3 cannot import it here, so its tests do not run.\n');
const withFastavro = fastavro === undefined ? it.skip : it;

describe('files of fastavro', () => {
  const names = types.map(([name]) => name).filter((name) => !['wrapped', 'nanos', 'uuid'].includes(name));
  const schema = record(
    ...types.filter(([name]) => names.includes(name)).map(([name, type]) => [name, type] as const),
  );
  const record1 = Object.fromEntries(names.map((name) => [name, values[name]]));

  withFastavro('are read, all types', async () => {
    const { file } = await byFastavro(`
schema = fastavro.parse_schema(json.loads(${JSON.stringify(JSON.stringify(schema))}))
utc = dt.timezone.utc
record = dict(yes=True, int=-2147483648, small=-7, large=9007199254740993, least=-2**63, object=2**63-1, float=1.5, double=0.1,
  bytes=b'ab', text='Gr\\u00fc\\u00dfe', fixed=b'abc', enum='y', array=[1, None, 2**60], map={'k': 1, '': 2}, union=None,
  inner={'next': {'next': None}}, day=dt.date(1969, 12, 31), millis=dt.datetime(2026, 11, 29, 12, 0, 0, 123000, utc),
  micros=dt.datetime(1969, 12, 31, 23, 59, 59, 999000, utc), local=dt.datetime(2026, 11, 29), time=dt.time(23, 59, 1, 500000),
  timeMicros=dt.time(0, 0, 0, 1), price=decimal.Decimal('-1.25'), exact=decimal.Decimal('12345678901234567890.12'),
  amount=decimal.Decimal('12345678901234567890'), uuidText='8d9f7b1a-0000-4000-8000-000000000001', unknown='red', bad='not a decimal')
fastavro.writer(open(path, 'wb'), schema, [record] * 3, codec='deflate')`);
    expect(await recordsOf(file)).toEqual([record1, record1, record1]);
  });

  withFastavro('fastavro reads what is written', async () => {
    for (const codec of ['null', 'deflate'] as const) {
      const content = written({ avroSchema: schema, codec, block: 300 }, [record1, record1, record1], [1]);
      const { output } = await byFastavro(
        `print(json.dumps(list(fastavro.reader(open(path, 'rb'))), default=str, ensure_ascii=True))`,
        content,
      );
      const read = JSON.parse(output) as Record<string, unknown>[];
      expect(read).toHaveLength(3);
      expect(read[2]).toMatchObject({
        text: 'Grüße',
        day: '1969-12-31',
        millis: '2026-11-29 12:00:00.123000+00:00',
        time: '23:59:01.500000',
        price: '-1.25',
        exact: '12345678901234567890.12',
        amount: '12345678901234567890',
      });
    }
  });
});

describe('a schema of the reader', () => {
  const old = written({ avroSchema: record(['id', 'int'], ['name', 'string'], ['gone', 'double']) }, [
    { id: 1, name: 'a', gone: 0.5 },
  ]);

  it('matches fields by name and alias, widens numbers, and gives defaults', async () => {
    const avroSchema = {
      type: 'record',
      name: 'org.other.R',
      fields: [
        { name: 'id', type: 'long' },
        { name: 'label', aliases: ['name'], type: ['null', 'string'] },
        { name: 'tags', type: { type: 'array', items: 'string' }, default: [] },
        { name: 'at', type: logical('long', 'timestamp-millis'), default: 0 },
      ],
    };
    expect(await recordsOf(old, { avroSchema })).toEqual([{ id: 1, label: 'a', tags: [], at: new Date(0) }]);
  });

  it('that does not fit ends the job', async () => {
    const message = await failure(old, { avroSchema: record(['id', 'string']) });
    expect(message).toMatch(
      /^IncompatibleSchema: memory:\/\/lake\/raw\/a.avro cannot be read with the schema given as avroSchema: /,
    );
    expect(await failure(old, { avroSchema: record(['added', 'int']) })).toMatch(
      /no matching field for default-less/,
    );
  });

  it('timestamps of one unit are read as another; decimals of another scale are not', async () => {
    const content = written(
      {
        avroSchema: record(
          ['at', logical('long', 'timestamp-micros')],
          ['n', logical('bytes', 'decimal', { precision: 9, scale: 2 })],
        ),
      },
      [{ at: new Date(5), n: 1.25 }],
    );
    const at = record(['at', logical('long', 'timestamp-millis')]);
    expect(await recordsOf(content, { avroSchema: at })).toEqual([{ at: new Date(5) }]);
    expect(await recordsOf(content, { avroSchema: record(['at', 'long']) })).toEqual([{ at: 5000 }]);
    const n = (scale: number) => record(['n', logical('bytes', 'decimal', { precision: 12, scale })]);
    expect(await recordsOf(content, { avroSchema: n(2) })).toEqual([{ n: 1.25 }]);
    expect(await failure(content, { avroSchema: n(3) })).toMatch(/^IncompatibleSchema/);
  });

  it('defaults of the writer do not matter, nor nested types', async () => {
    const odd = JSON.stringify({
      type: 'record',
      name: 'R',
      doc: 'x',
      fields: [{ name: 'a', type: { type: { type: 'string' } }, default: null, doc: 'y' }],
    });
    const content = written({ avroSchema: record(['a', 'string']) }, [{ a: 'x' }]);
    const at = content.indexOf('{');
    const end = content.indexOf('avro.codec');
    const swapped = Buffer.concat([
      content.subarray(0, at - 2),
      Buffer.of(((odd.length << 1) & 0x7f) | 0x80, odd.length >> 6),
      Buffer.from(odd),
      content.subarray(end - 1),
    ]);
    expect(await recordsOf(swapped)).toEqual([{ a: 'x' }]);
  });
});

describe('a restored job', () => {
  it('continues after any block, at any fragment, and skips what is damaged', async () => {
    const object = fc.record({
      blocks: fc.array(
        fc.array(fc.tuple(fc.bigInt(-(2n ** 62n), 2n ** 62n), fc.string()), { maxLength: 4 }),
        { maxLength: 5 },
      ),
      codec: fc.constantFrom(...codecs),
      damaged: fc.option(fc.nat(4)),
      gzip: fc.boolean(),
    });
    const sizes = fc.record({
      fragment: fc.integer({ min: 1, max: 300 }),
      window: fc.integer({ min: 1, max: 4 }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(object, { minLength: 1, maxLength: 3 }),
        sizes,
        sizes,
        async (objects, first, second) => {
          const expected: unknown[] = [];
          let skipped = 0;
          const stored = objects.map(({ blocks, codec, damaged, gzip }, i) => {
            const chunks: Buffer[] = [];
            const encoder = avro({ avroSchema: numbersOf('n'), codec }).open({
              write: (chunk) => chunks.push(Buffer.from(chunk)),
            });
            const full = blocks.filter(({ length }) => length > 0);
            for (const [at, block] of full.entries()) {
              for (const [n, text] of block) encoder.write({ n, text });
              encoder.persist!(false);
              // Until a marker is found again, which is at the end of the next block.
              if (damaged !== null && (at === damaged || at === damaged + 1)) continue;
              expected.push(...block.map(([n, text]) => ({ n: near(n), text })));
            }
            encoder.finish();
            // After the header.
            const bad = damaged === null ? undefined : chunks[damaged + 1];
            if (bad !== undefined) {
              bad[bad.length - 1]! ^= 1;
              skipped++;
            }
            const content = Buffer.concat(chunks);
            return [`raw/${i}.avro${gzip ? '.gz' : ''}`, gzip ? zlib.gzipSync(content) : content] as const;
          });
          const store = memoryWith(Object.fromEntries(stored));
          const read = (prefetch: typeof first, position?: Json) =>
            readAll(slicedFiles(uri, { format: avro(), prefetch, onMalformed: 'skip' }, 1), store, position);
          const whole = await read(first);
          expect(whole.error).toBeUndefined();
          expect(whole.records).toEqual(expected);
          expect(whole.positions.at(-1)!.position).toMatchObject({ skipped });
          for (const cut of new Map(whole.positions.map((each) => [JSON.stringify(each), each])).values()) {
            const position = JSON.parse(JSON.stringify(cut.position)) as Json;
            const rest = await read(second, position);
            expect(rest.error).toBeUndefined();
            expect(rest.records).toEqual(whole.records.slice(cut.records));
            expect(rest.positions[0]!.position).toEqual(position);
            expect(rest.positions.at(-1)!.position).toMatchObject({ skipped });
          }
        },
      ),
      { numRuns: effort(10, 200) },
    );
  });

  it('does not read the object again for its header', async () => {
    const content = written({ avroSchema: numbers, block: 100 }, rows(500));
    const { store, counts } = counting(memoryWith({ 'raw/a.avro': content }));
    const source = slicedFiles(uri, { format: avro(), prefetch: { fragment: 64 } }, 1);
    const { position, records } = (await readAll(source, store)).positions.findLast(
      ({ records }) => records < 480,
    )!;
    const before = counts().bytesDown;
    const rest = await readAll(source, store, position);
    expect(rest.records).toEqual(rows(500).slice(records));
    expect(counts().bytesDown - before).toBe(
      content.length - (position as { object: { offset: number } }).object.offset,
    );
  });

  it('refuses a state that is none', () => {
    const format = avro();
    const { state } = format.decoder({ object: 'a', offset: 0, state: undefined });
    expect(state).toBeDefined();
    const good = {
      codec: 'null',
      sync: Buffer.alloc(16).toString('base64'),
      schema: zlib.deflateRawSync('"int"').toString('base64'),
    };
    expect(format.isState!(good)).toBe(true);
    for (const bad of [null, {}, { ...good, sync: 'x' }, { ...good, schema: '!' }, { ...good, codec: 1 }])
      expect(format.isState!(bad)).toBe(false);
  });
});

describe('damage', () => {
  const content = written({ avroSchema: numbers }, rows(6), [2, 4]);
  const header = content.indexOf(content.subarray(-16)) + 16;

  it('of a block is one malformed record, with its place, and the others are read', async () => {
    const second = content.indexOf(content.subarray(-16), header) + 16;
    const end = content.indexOf(content.subarray(-16), second) + 16;
    for (const fragment of [1, 13, 1000])
      for (let at = second; at < end - 16; at++) {
        const bad = Buffer.from(content);
        bad[at]! ^= 0x81;
        const { records, letters, error } = await lenient(bad, {}, fragment);
        expect(error).toBeUndefined();
        // What is another number or another letter is not seen: blocks have no checksums.
        if (letters.length === 0) expect(records).toHaveLength(6);
        else {
          expect(letters).toMatchObject([{ object: `${uri}/a.avro`, offset: second, line: 3 }]);
          expect(records).toEqual([row(0), row(1), row(4), row(5)]);
        }
      }
  });

  it('ends the job with object and offset, as onMalformed has it', async () => {
    const bad = Buffer.from(content);
    bad[header] = 0x7f;
    expect(await failure(bad)).toMatch(
      new RegExp(
        `^MalformedRecord: memory://lake/raw/a.avro, byte ${header}, line 1: a block with an impossible number of records`,
      ),
    );
    const cut = content.subarray(0, -20);
    expect((await lenient(cut)).letters).toMatchObject([{ reason: 'the object ends in a block', line: 5 }]);
  });

  it('of the header is Integrity', async () => {
    for (let length = 1; length < header; length += 7)
      expect(await failure(content.subarray(0, length))).toMatch(
        /^Integrity: .* is not an intact Avro container: /,
      );
    expect(await failure(Buffer.from('{"not": "avro"}'))).toMatch(/it does not start with Obj and 1/);
    const other = Buffer.from(content.toString('latin1').replace('"long"', '"king"'), 'latin1');
    expect(await failure(other)).toMatch(/its schema cannot be read: undefined type name: com.example.king/);
  });

  it('of any byte never hangs, and never shows as another error', async () => {
    for (const codec of codecs) {
      const whole = written({ avroSchema: numbers, codec }, rows(4), [2]);
      for (let at = 0; at < whole.length; at += effort(11, 1)) {
        const bad = Buffer.from(whole);
        bad[at]! ^= 0xff;
        const { error } = await lenient(bad);
        expect(error === undefined || /^(Integrity|UnknownCodec)$/.test((error as MillraceError).code)).toBe(
          true,
        );
      }
    }
  });

  it('a codec that is not read is UnknownCodec', async () => {
    const other = Buffer.from(content.toString('latin1').replace('\x08null', '\x08xzip'), 'latin1');
    expect(await failure(other)).toMatch(
      /^UnknownCodec: The blocks of .* are compressed with xzip. Write it with null, deflate, snappy/,
    );
  });
});

/** A container of one block that nobody would write. */
function container(
  schema: AvroSchema,
  count: number,
  data: Buffer,
  codec: 'null' | 'deflate' = 'null',
): Buffer {
  const empty = written({ avroSchema: schema, codec }, []);
  const varint = (n: number) => {
    let rest = BigInt(n) * 2n;
    const bytes: number[] = [];
    for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
    return Buffer.from([...bytes, Number(rest)]);
  };
  return Buffer.concat([empty, varint(count), varint(data.length), data, empty.subarray(-16)]);
}

describe('bombs', () => {
  const reasonOf = async (content: Buffer, options: AvroOptions<unknown> = {}) =>
    (await lenient(content, options, 100_000)).letters.map(({ reason }) => reason);

  it('a block that inflates to more than maxBlock', async () => {
    const data = zlib.deflateRawSync(Buffer.alloc(20 * 1024 * 1024));
    expect(data.length).toBeLessThan(32 * 1024);
    const [reason] = await reasonOf(container('string', 1, data, 'deflate'), { maxBlock: '1MiB' });
    expect(reason).toMatch(/^a block that is damaged, or larger than maxBlock \(1048576 bytes\)/);
  });

  it.each<[string, AvroSchema, number, string]>([
    ['records without bytes', 'null', 2 ** 40, ''],
    ['items without bytes', { type: 'array', items: 'null' }, 1, 'fcffffffffffff0f00'],
    ['items with a size', { type: 'array', items: 'int' }, 1, 'fbffffff0f02'],
    ['a long string', 'string', 1, 'feffffffff0f'],
    ['a negative length', 'bytes', 1, '01'],
    ['a number of more than 64 bits', 'long', 1, 'ffffffffffffffffffff01'],
    ['a branch that is none', ['null', 'int'], 1, '04'],
    [
      'a map with the key __proto__',
      { type: 'map', values: 'int' },
      1,
      `0212${Buffer.from('__proto__').toString('hex')}0200`,
    ],
    ['records that end too early', 'int', 3, '0202020202'],
  ])('%s', async (_, schema, count, hex) => {
    expect(await reasonOf(container(schema, count, Buffer.from(hex, 'hex')))).toEqual([
      expect.stringContaining('a block that is damaged'),
    ]);
  });

  it('nesting', async () => {
    const schema = { type: 'record', name: 'N', fields: [{ name: 'next', type: ['null', 'N'] }] };
    const nested = (depth: number) =>
      container(schema, 1, Buffer.concat([Buffer.alloc(depth, 2), Buffer.of(0)]));
    expect(await reasonOf(nested(300))).toEqual([]);
    expect(await reasonOf(nested(100_000))).toEqual([expect.stringContaining('nested more than 400 deep')]);
  });

  it('a decimal of many bytes, and a date that JavaScript cannot represent, are malformed records', async () => {
    const content = written({ avroSchema: record(['n', 'bytes']) }, [
      { n: Buffer.alloc(600) },
      { n: Buffer.of(1) },
    ]);
    const avroSchema = record(['n', logical('bytes', 'decimal', { precision: 9 })]);
    const { records, letters } = await lenient(content, { avroSchema });
    expect(records).toEqual([{ n: 1 }]);
    expect(letters).toMatchObject([
      { line: 1, reason: 'record 1 of 2 in its block: a decimal of 600 bytes' },
    ]);
    const days = written({ avroSchema: record(['d', 'int']) }, [{ d: 2147483647 }, { d: 1 }]);
    const late = await lenient(days, { avroSchema: record(['d', logical('int', 'date')]) });
    expect(late.records).toEqual([{ d: new Date('1970-01-02') }]);
    expect(late.letters).toHaveLength(1);
  });

  it('a header that does not end', async () => {
    const endless = Buffer.concat([
      Buffer.from('Obj\x01\x02\x02a'),
      Buffer.from('ffffff7f', 'hex'),
      Buffer.alloc(1000),
    ]);
    expect(await failure(endless)).toMatch(/^Integrity: .*its metadata is longer than 16 MiB/);
  });
});

it('records, nested ones and branches of unions are plain objects, which can be keys, state and records of an outbox', async () => {
  const child = { type: 'record', name: 'N', fields: [{ name: 'x', type: 'int' }] };
  const avroSchema = record(
    ['n', child],
    ['list', { type: 'array', items: 'com.example.N' }],
    ['branch', ['null', 'int', 'double']],
    ['when', { type: 'map', values: ['null', 'com.example.N'] }],
  );
  const value = { n: { x: 1 }, list: [{ x: 2 }], branch: { double: 3 }, when: { a: { x: 4 } } };
  for (const options of [{}, { avroSchema }]) {
    const [read] = (await recordsOf(written({ avroSchema }, [value]), options)) as [typeof value];
    expect(read).toEqual(value);
    for (const each of [read, read.n, read.list[0], read.branch, read.when['a']])
      expect(Object.getPrototypeOf(each)).toBe(Object.prototype);
  }
});

describe('a Standard Schema', () => {
  const schema: StandardSchemaV1<unknown, { id: number }> = {
    '~standard': {
      version: 1,
      vendor: 'own',
      validate: (value) => {
        const { id } = value as { id: number };
        return id % 2 === 0 ? { value: { id: id * 10 } } : { issues: [{ message: 'odd', path: ['id'] }] };
      },
    },
  };

  it('transforms records, and what it rejects is malformed', async () => {
    const { records, letters } = await lenient(written({ avroSchema: numbers }, rows(4), [2]), { schema });
    expect(records).toEqual([{ id: 0 }, { id: 20 }]);
    expect(letters.map(({ line, reason }) => [line, reason])).toEqual([
      [2, 'record 2 of 2 in its block: rejected by the schema: id: odd'],
      [4, 'record 2 of 2 in its block: rejected by the schema: id: odd'],
    ]);
  });

  it('an error that it throws is no malformed record', async () => {
    const throwing: StandardSchemaV1<unknown, { id: number }> = {
      '~standard': {
        ...schema['~standard'],
        validate() {
          throw new RangeError('my mistake');
        },
      },
    };
    const { records, letters, error } = await lenient(written({ avroSchema: numbers }, rows(2)), {
      schema: throwing,
    });
    expect([records, letters, String(error)]).toEqual([[], [], 'RangeError: my mistake']);
  });
});

describe('what does not fit the schema is refused', () => {
  const write = (avroSchema: AvroSchema, value: unknown) => () => written({ avroSchema }, [value]);

  it.each<[string, AvroSchema, unknown, RegExp]>([
    ['another type', numbers, { id: 'x', text: '' }, /id is a value of type String that does not fit "long"/],
    [
      'a field that is not in it',
      numbers,
      { id: 1, text: '', more: 1 },
      /: more is not in the schema\. Map the record before the sink/,
    ],
    ['a missing one', numbers, { id: 1 }, /text is missing/],
    [
      'an integer of more than 64 bits',
      record(['n', 'long']),
      { n: 2n ** 63n },
      /n is a value of type BigInt that does not fit "long"/,
    ],
    [
      'more digits than a decimal has',
      record(['n', logical('bytes', 'decimal', { precision: 4, scale: 2 })]),
      { n: 0.125 },
      /n is a value of type Number that does not fit .*decimal/,
    ],
    [
      'more digits than a precision',
      record(['n', logical('bytes', 'decimal', { precision: 4, scale: 2 })]),
      { n: 100 },
      /n is a value of type Number that does not fit .*decimal/,
    ],
    ['an invalid date', record(['at', logical('long', 'timestamp-millis')]), { at: new Date(NaN) }, /at is /],
    [
      'ISO text',
      record(['at', logical('long', 'timestamp-millis')]),
      { at: '2026-01-01T00:00:00Z' },
      /at is a value of type String that does not fit timestamp; ISO 8601 text in UTC is written with the option dates: 'text'\./,
    ],
    ['a day with a time', record(['day', logical('int', 'date')]), { day: new Date(1) }, /day is /],
    ['no record', numbers, null, /the record is null/],
  ])('%s', (_, schema, value, message) => {
    expect(write(schema, value)).toThrow(expect.objectContaining({ code: 'NotAvro' }));
    expect(write(schema, value)).toThrow(message);
  });

  it('with the path and the types, not the values', () => {
    const item = {
      type: 'record',
      name: 'Item',
      fields: [{ name: 'user', type: { ...(numbers as object), name: 'User' } }],
    };
    const schema = record(['list', { type: 'array', items: item }]);
    const user = { id: 'SECRET', text: 'SECRET' };
    expect(write(schema, { list: [{ user }] })).toThrow(/: list\.0\.user\.id is a value of type String /);
    for (const value of [{ list: [{ user }] }, { list: user }, 'SECRET', { list: [{ user: 'SECRET' }] }])
      expect(write(schema, value)).not.toThrow(/SECRET/);
    const more = { id: 1, text: '', ['a\u202eb']: 'SECRET' };
    expect(write(schema, { list: [{ user: more }] })).toThrow(
      /: list\.0\.user\.a\\u\{202e\}b is not in the schema\./,
    );
  });

  it.each<[object, readonly string[], readonly string[]]>([
    [
      logical('int', 'date'),
      ['2024-02-29', '+010000-01-01', '-000001-12-31'],
      ['2026-02-30', '2026-02-29', '2026-13-01', '2026-00-10', '-000000-01-01', '2026-1-01', '+999999-01-01'],
    ],
    [
      logical('long', 'time-micros'),
      ['00:00:00', '23:59:59.999999'],
      ['24:00:00', '25:61:99', '12:60:00', '12:00:60', '12:00:00.1234567', '12:00'],
    ],
    ...['timestamp-millis', 'local-timestamp-millis'].map((name): [object, string[], string[]] => [
      logical('long', name),
      ['2026-11-29T12:00:00.5Z', '1969-12-31T23:59:59.999Z', '+010000-01-01T00:00:00Z'],
      [
        '2026-11-29T24:00:00Z',
        '2026-02-30T12:00:00Z',
        '2026-11-29T12:61:00Z',
        '2026-11-29T12:00:00',
        '2026-11-29',
      ],
    ]),
  ])('%j as text: only what exists', async (type, good, bad) => {
    const avroSchema = record(['v', type]);
    const options = { avroSchema, dates: 'text' } as const;
    const values = good.map((v) => ({ v }));
    const read = await recordsOf(written(options, values), { dates: 'text' });
    const millis = (v: unknown) => String(v).replace(/\.5Z$/, '.500Z');
    expect(read).toEqual(values.map(({ v }) => ({ v: millis(v) })));
    for (const v of bad)
      expect(() => written(options, [{ v }])).toThrow(expect.objectContaining({ code: 'NotAvro' }));
  });

  it('and leaves nothing in the file', async () => {
    const chunks: Buffer[] = [];
    const encoder = avro({ avroSchema: numbers }).open({ write: (chunk) => chunks.push(Buffer.from(chunk)) });
    encoder.write(row(0));
    expect(() => {
      encoder.write({ id: 1, text: 2 });
    }).toThrow('A record cannot be written as Avro');
    encoder.write(row(1));
    encoder.finish();
    expect(await recordsOf(Buffer.concat(chunks))).toEqual([row(0), row(1)]);
  });
});

it('a record larger than a block, and memory that is given back', async () => {
  const large = { id: 1, text: 'x'.repeat(300_000) };
  const content = written({ avroSchema: numbers, block: '1KiB', codec: 'deflate' }, [row(0), large, row(2)]);
  expect(await recordsOf(content)).toEqual([row(0), large, row(2)]);
});

it('held is the memory of the buffer, and a block that ended keeps none', () => {
  const encoder = avro({ avroSchema: numbers }).open({ write: () => undefined });
  expect(encoder.held).toBe(0);
  for (const end of [() => encoder.persist!(false), () => encoder.flush!()]) {
    encoder.write({ id: 1, text: 'x'.repeat(40_000) });
    encoder.write({ id: 1, text: 'x' });
    expect(encoder.held).toBeGreaterThan(70_000);
    end();
    expect(encoder.held).toBe(0);
    encoder.write(row(0));
    expect(encoder.held).toBeLessThan(2000);
  }
  encoder.finish();
});

it.each<[AvroOptions<unknown>, RegExp]>([
  [{ avroSchema: 'king' }, /avroSchema.*undefined type name: king/],
  [{ avroSchema: '{' }, /avroSchema/],
  [{ longs: 'x' as never }, /longs/],
  [{ codec: 'gzip' as never }, /codec/],
  [{ maxBlocks: 1 } as never, /maxBlock/],
])('options that are wrong: %j', (options, message) => {
  expect(() => avro(options)).toThrow(message);
});
