/**
 * Parquet files. They are read by ranges: the footer, and then, row group by row group, the columns that are asked for. A position
 * is a row group and a row in it (`groupReader.ts`). hyparquet decodes pages; values are converted here (`values.ts`). They are
 * written by `encoder.ts`.
 */
import type { StandardJSONSchemaV1, StandardSchemaV1 } from '@standard-schema/spec';
import type { Compressors } from 'hyparquet';
import { checkOptions, oneOf, type OptionNames } from '../../config/checkOptions.js';
import { InvalidOption, parseSize, type Size } from '../../config/units.js';
import { fields, isCount } from '../../shape.js';
import type { GroupReader } from '../groupReader.js';
import { validator } from '../validator.js';
import type { ReadOnly, Writer } from '../writer.js';
import { areCodecs } from './codecs.js';
import { ParquetDecoder } from './decoder.js';
import { fieldsOfSchema, givesJsonSchema } from './jsonSchema.js';
import { fieldsOf, type Field, type ParquetFields, type ParquetRecord, type ParquetRow } from './types.js';
import { writerOf, type ParquetWriteOptions, writeNames } from './write.js';

/** Options of {@link parquet}. */
export interface ParquetOptions<T> extends ParquetWriteOptions {
  /** The names of the columns to read, of the top level. Only their bytes are fetched. Default: those of `schema`, or all. */
  readonly columns?: readonly string[];
  /**
   * Columns and their types, from `types`: what is written. Or any Standard Schema that validates synchronously: it validates every
   * record that is read, and may transform it. Records that it rejects are malformed. If it gives its JSON Schema, as the Standard
   * JSON Schema specifies, that has the columns that are written.
   */
  readonly schema?: StandardSchemaV1<unknown, T>;
  /**
   * How to read dates and timestamps. `date` (default): a `Date`, which has milliseconds. `text`: ISO 8601 with all digits, a
   * date without a time.
   */
  readonly dates?: 'date' | 'text';
  /**
   * The maximum size of the columns that are read of one row group, decompressed. Default 256 MiB. The decoded values may take
   * several times as much memory.
   */
  readonly maxRowGroup?: Size;
  /** Decompressors by codec, such as those of `hyparquet-compressors`: for LZ4, and for zstd before Node 22.15. */
  readonly compressors?: Compressors;
}

const names: OptionNames<ParquetOptions<never>> = {
  columns: true,
  schema: true,
  dates: true,
  maxRowGroup: true,
  compressors: true,
  ...writeNames,
};

/**
 * Parquet files. A record is a row: an object with the values of its columns. Without a schema, `T` is not checked, and nothing
 * can be written.
 *
 * Reading: an absent value is `null`. An integer or a decimal that a double cannot represent is a `bigint` or a `JsonNumber`; every
 * other number is a `number`. Lists are arrays, maps and structs are objects, columns of bytes without a type are
 * `Uint8Array`s, and times of day are strings. Row groups are read one after the other, and each is in memory as a whole.
 *
 * Writing: a file stays open over checkpoints. The rows of a row group are held in memory, and count towards the sink's budget. A record
 * that does not fit the schema, or has other fields, is refused; the message names the field.
 *
 * Errors: `RowGroupTooLarge`, `UnknownColumn`, `WrongColumnType`, `UnknownCodec` (a column's compression, an encrypted file), `Integrity` (not a
 * Parquet file, or a damaged one), `NotParquet` (a record does not fit), `AsyncSchema`, `InvalidOption`.
 *
 * @example
 * ```ts
 * const trips = files('s3://lake/trips/**' + '/*.parquet', { format: parquet<Trip>({ columns: ['id', 'fare'] }) });
 *
 * const fares = parquet({ schema: { id: types.int64, fare: types.optional(types.decimal(9, 2)) } });
 * const sink = fileSink('out', 's3://lake/fares', { format: fares });
 * ```
 */
export function parquet<const S extends ParquetFields>(
  options: Omit<ParquetOptions<never>, 'schema'> & { readonly schema: S },
): GroupReader<ParquetRow<S>> & Writer<ParquetRecord<S>>;
export function parquet<T>(
  options: ParquetOptions<T> & {
    readonly schema: StandardSchemaV1<unknown, T> & StandardJSONSchemaV1<unknown, T>;
  },
): GroupReader<T> & Writer<T>;
export function parquet<T = Readonly<Record<string, unknown>>>(options?: ParquetOptions<T>): GroupReader<T>;
export function parquet(
  options: Omit<ParquetOptions<unknown>, 'schema'> & {
    readonly schema?: StandardSchemaV1<unknown, unknown> | ParquetFields;
  } = {},
): GroupReader<unknown> {
  checkOptions('parquet', options, names);
  const { columns, schema, dates = 'date', maxRowGroup = '256MiB', compressors } = options;
  oneOf('parquet: dates', dates, ['date', 'text']);
  if (columns !== undefined && !areNames(columns))
    throw new InvalidOption('parquet: columns', columns, 'a list of at least one name, each once');
  if (compressors !== undefined && !areCodecs(compressors))
    throw new InvalidOption('parquet: compressors', compressors, 'functions by codec');
  const written =
    schema === undefined || isStandard(schema) ? undefined : fieldsOf('parquet: schema', schema);
  const decoding = {
    columns: columns ?? written?.map(({ name }) => name),
    fields: written,
    dates,
    compressors,
    validate: validator('parquet', isStandard(schema) ? schema : undefined),
    maxRowGroup: parseSize('parquet: maxRowGroup', maxRowGroup),
  };
  return {
    name: 'parquet',
    groups: (start) => new ParquetDecoder<unknown>(start, decoding),
    isState: fields({ group: isCount, row: isCount }),
    ...(writerOf(columnsOf(schema, written), options) ?? readOnly(schema)),
  };
}

const readOnly = (schema: unknown): ReadOnly => ({
  onlyReads:
    schema === undefined
      ? 'parquet() without `schema` only reads: parquet({ schema })'
      : 'parquet() only reads with a `schema` that does not give its JSON Schema: make one of `types`',
});

/** The columns to write. A schema of which nothing can be made is good enough for reading. */
function columnsOf(
  schema: unknown,
  written: readonly Field[] | undefined,
): (() => readonly Field[]) | undefined {
  if (written !== undefined) return () => written;
  if (!isStandard(schema) || !givesJsonSchema(schema)) return undefined;
  let found: readonly Field[] | undefined;
  return () => (found ??= fieldsOfSchema(schema));
}

const isStandard = (schema: unknown): schema is StandardSchemaV1<unknown, unknown> =>
  typeof (schema as { readonly '~standard'?: { readonly validate?: unknown } } | undefined)?.['~standard']
    ?.validate === 'function';

const areNames = (value: unknown): boolean =>
  Array.isArray(value) &&
  value.length > 0 &&
  value.every((name) => typeof name === 'string') &&
  new Set(value).size === value.length;
