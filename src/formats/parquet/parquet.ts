/**
 * Reads Parquet files by ranges: the footer, and then, row group by row group, the columns that are asked for. A position is
 * a row group and a row in it (`groupReader.ts`). hyparquet decodes pages; values are converted here (`values.ts`).
 */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { Compressors } from 'hyparquet';
import { checkOptions, oneOf, type OptionNames } from '../../config/checkOptions.js';
import { InvalidOption, parseSize, type Size } from '../../config/units.js';
import { fields, isCount } from '../../shape.js';
import type { GroupReader } from '../groupReader.js';
import { validator } from '../validator.js';
import { areCodecs } from './codecs.js';
import { ParquetDecoder } from './decoder.js';

/** Options of {@link parquet}. */
export interface ParquetOptions<T> {
  /** The names of the columns to read, of the top level. Only their bytes are fetched. Default: all. */
  readonly columns?: readonly string[];
  /**
   * Validates every record, and may transform it: any Standard Schema that validates synchronously. Records that it rejects
   * are malformed.
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
};

/**
 * Parquet files. A record is a row: an object with the values of its columns. Without a schema, `T` is not checked.
 *
 * An absent value is `null`. An integer or a decimal that a double cannot represent is a `bigint` or a `JsonNumber`; every other
 * number is a `number`. Lists are arrays, maps and structs are objects, columns of bytes without a type are `Uint8Array`s,
 * and times of day are strings.
 *
 * Row groups are read one after the other, and each is in memory as a whole.
 *
 * Errors: `RowGroupTooLarge`, `UnknownColumn`, `UnknownCodec` (a column's compression, an encrypted file), `Integrity` (not a
 * Parquet file, or a damaged one), `AsyncSchema`, `InvalidOption`.
 *
 * @example
 * ```ts
 * const trips = files('s3://lake/trips/**' + '/*.parquet', { format: parquet<Trip>({ columns: ['id', 'fare'] }) });
 * ```
 */
export function parquet<T = Readonly<Record<string, unknown>>>(
  options: ParquetOptions<T> = {},
): GroupReader<T> {
  checkOptions('parquet', options, names);
  const { columns, dates = 'date', maxRowGroup = '256MiB', compressors } = options;
  oneOf('parquet: dates', dates, ['date', 'text']);
  if (columns !== undefined && !areNames(columns))
    throw new InvalidOption('parquet: columns', columns, 'a list of at least one name, each once');
  if (compressors !== undefined && !areCodecs(compressors))
    throw new InvalidOption('parquet: compressors', compressors, 'functions by codec');
  const decoding = {
    columns,
    dates,
    compressors,
    validate: validator('parquet', options.schema),
    maxRowGroup: parseSize('parquet: maxRowGroup', maxRowGroup),
  };
  return {
    name: 'parquet',
    groups: (start) => new ParquetDecoder<T>(start, decoding),
    isState: fields({ group: isCount, row: isCount }),
  };
}

const areNames = (value: unknown): boolean =>
  Array.isArray(value) &&
  value.length > 0 &&
  value.every((name) => typeof name === 'string') &&
  new Set(value).size === value.length;
