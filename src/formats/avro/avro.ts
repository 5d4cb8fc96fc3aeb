/**
 * Avro containers. A unit that is read is a block (`cutter.ts`), whose records pass one by one; a position is the start of
 * a block, with the header as state. avsc decodes and encodes records; blocks are checked before it decodes them (`checker.ts`).
 */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type avsc from 'avsc';
import { checkOptions, oneOf, type OptionNames } from '../../config/checkOptions.js';
import { InvalidOption, parseSize, type Size } from '../../config/units.js';
import type { FileFormat } from '../format.js';
import type { Reader } from '../reader.js';
import { validator } from '../validator.js';
import type { ReadOnly } from '../writer.js';
import { blockCodecs, type AvroCodec } from './codecs.js';
import { AvroDecoder, isAvroState } from './decoder.js';
import { AvroEncoder } from './encoder.js';
import { messageOf } from './failures.js';
import { readingOf, typeOf, type AvroSchema, type Reading } from './schema.js';

/** Options of {@link avro}. */
export interface AvroOptions<T> {
  /**
   * The schema of the files that are written, and the schema that records are read as: fields are matched by name or alias,
   * numbers are widened, and fields that a file does not have get their defaults. Default: records are read as they were written,
   * and cannot be written.
   */
  readonly avroSchema?: AvroSchema;
  /**
   * Validates every record that is read, and may transform it: any Standard Schema that validates synchronously. Records that
   * it rejects are malformed.
   */
  readonly schema?: StandardSchemaV1<unknown, T>;
  /** `auto` (default): a `long` is a `number`, or a `bigint` if a double cannot represent it. `bigint`: always a `bigint`. */
  readonly longs?: 'auto' | 'bigint';
  /**
   * How dates and timestamps are read. `date` (default): a `Date`, which has milliseconds. `text`: ISO 8601 with all digits, a
   * date without a time.
   */
  readonly dates?: 'date' | 'text';
  /** The maximum size of a block that is read, decompressed. A larger one is malformed. Default 64 MiB. */
  readonly maxBlock?: Size;
  /** How blocks that are written are compressed. Default `null`: not. `zstandard`: in Node 22.15 and later. */
  readonly codec?: AvroCodec;
  /** The size of a block that is written, before compression. It ends at checkpoints, too. Default 64 KiB. */
  readonly block?: Size;
}

const names: OptionNames<AvroOptions<never>> = {
  avroSchema: true,
  schema: true,
  longs: true,
  dates: true,
  maxBlock: true,
  codec: true,
  block: true,
};

/** Schemas whose types are kept. Most objects of a source have the same one. */
const mostSchemas = 16;

/**
 * Avro containers (`.avro`). A record is what the schema of its object describes; without a `schema`, `T` is not checked.
 *
 * Records, maps and arrays are objects and arrays; `bytes` and `fixed` are `Buffer`s, enums strings. A value of a union is that of its
 * branch, or `{ branch: value }` if values do not show the branch. Decimals, dates, timestamps and times are as in `parquet()`.
 *
 * A block is passed on as a whole, and decompressed on the main thread. A block that is damaged or larger than `maxBlock` is
 * one malformed record, and reading continues with the next one. The line of a malformed record is its number in the object.
 *
 * Errors: `Integrity` (not an Avro container), `UnknownCodec` (the codec of its blocks), `IncompatibleSchema` (it cannot be read as
 * `avroSchema`), `NotAvro` (a written record does not fit `avroSchema`), `AsyncSchema`, `InvalidOption`.
 *
 * @example
 * ```ts
 * const trips = files('s3://lake/trips/**' + '/*.avro', { format: avro<Trip>() });
 * ```
 */
export function avro<T = unknown>(
  options: AvroOptions<T> & { readonly avroSchema: AvroSchema },
): FileFormat<T, unknown>;
export function avro<T = unknown>(options?: AvroOptions<T>): Reader<T>;
export function avro<T>(options: AvroOptions<T> = {}): FileFormat<T, unknown> | Reader<T> {
  checkOptions('avro', options, names);
  const {
    avroSchema,
    longs = 'auto',
    dates = 'date',
    maxBlock = '64MiB',
    codec = 'null',
    block = '64KiB',
  } = options;
  oneOf('avro: longs', longs, ['auto', 'bigint']);
  oneOf('avro: dates', dates, ['date', 'text']);
  const blockCodec = Object.hasOwn(blockCodecs, codec) ? blockCodecs[codec] : undefined;
  if (blockCodec === undefined) oneOf('avro: codec', codec, Object.keys(blockCodecs));
  const json = avroSchema === undefined ? undefined : jsonOf(avroSchema);
  const type = json === undefined ? undefined : targetOf(json, { longs, dates });
  const readings = new Map<string, Reading>();
  const decoding = {
    validate: validator('avro', options.schema),
    maxBlock: parseSize('avro: maxBlock', maxBlock),
    reading(object: string, schema: string): Reading {
      const known = readings.get(schema);
      if (known !== undefined) return known;
      const reading = readingOf(object, schema, type, { longs, dates });
      if (readings.size >= mostSchemas) readings.clear();
      readings.set(schema, reading);
      return reading;
    },
  };
  const reader: Reader<T> = {
    name: 'avro',
    block: 64 * 1024,
    decoder: (start) => new AvroDecoder<T>(start, decoding),
    isState: isAvroState,
  };
  if (type === undefined || json === undefined || blockCodec === undefined) return { ...reader, ...readOnly };
  const writing = { type, schema: json, codec, blockCodec, block: parseSize('avro: block', block) };
  return {
    ...reader,
    extension: '.avro',
    restore: 'closing',
    compressedBy: 'codec of avro()',
    open: (out) => new AvroEncoder(writing, out),
  };
}

const readOnly: ReadOnly = { onlyReads: 'avro() without `avroSchema` only reads: avro({ avroSchema })' };

/** A string is the name of a type, or JSON. */
function jsonOf(schema: AvroSchema): string {
  if (typeof schema !== 'string') return JSON.stringify(schema);
  return /^\s*[[{"]/.test(schema) ? schema : JSON.stringify(schema);
}

/** Errors: `InvalidOption`. */
function targetOf(json: string, options: Parameters<typeof typeOf>[1]): avsc.Type {
  try {
    return typeOf(JSON.parse(json), options);
  } catch (error) {
    throw new InvalidOption('avro: avroSchema', json, `an Avro schema (${messageOf(error)})`);
  }
}
