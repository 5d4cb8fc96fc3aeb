/**
 * What a checkpoint keeps of a file besides its rows, in JSON: the schema, the compression, and what the footer lists of the row
 * groups written so far. It is all that is needed to complete the file, also after the schema in the program has changed.
 */
import { unconvertMinMax } from 'hyparquet-writer/src/unconvert.js';
import {
  isCount,
  isRecord,
  isString,
  listOf,
  oneOf,
  optional,
  tuple,
  fields as fieldsIn,
} from '../../shape.js';
import { elementsOf, leavesOf, type Leaf } from './elements.js';
import { areFields, type Field } from './types.js';
import type {
  ColumnChunk,
  CompressionCodec,
  Encoding,
  PageType,
  RowGroup,
  SchemaElement,
  Statistics,
} from './writerTypes.js';

/** A file as a checkpoint found it. */
export interface FileState {
  readonly fields: readonly Field[];
  readonly codec: CompressionCodec;
  /** Bytes written so far. */
  readonly length: number;
  readonly groups: readonly RowGroup[];
}

const version = 1;

/** A column of a row group. Names and types are in the schema. */
interface Chunk {
  readonly encodings: readonly Encoding[];
  readonly pages: readonly (readonly [PageType, Encoding, number])[];
  readonly values: number;
  readonly compressed: number;
  readonly uncompressed: number;
  readonly offset: number;
  readonly data: number;
  readonly dictionary?: number | undefined;
  readonly nulls: number;
  readonly nans?: number | undefined;
  /** In base64, as they are in the footer. */
  readonly min?: string | undefined;
  readonly max?: string | undefined;
  /** Whether `min` and `max` are the values themselves. */
  readonly exact: readonly [boolean, boolean];
}

interface Stored {
  readonly version: number;
  readonly fields: readonly Field[];
  readonly codec: CompressionCodec;
  readonly length: number;
  readonly groups: readonly (readonly [rows: number, bytes: number, chunks: readonly Chunk[]])[];
}

/** Of NaN, there is only a number: it is in no order. */
type Counted = Statistics & { readonly nan_count?: bigint };

export function encodeState({ fields, codec, length, groups }: FileState): Buffer {
  const leaves = leavesOf(elementsOf(fields));
  const stored: Stored = {
    version,
    fields,
    codec,
    length,
    groups: groups.map(({ num_rows, total_byte_size, columns }) => [
      Number(num_rows),
      Number(total_byte_size),
      columns.map((chunk, i) => chunkOf(chunk, leaves[i])),
    ]),
  };
  return Buffer.from(JSON.stringify(stored));
}

/** Throws if the bytes are not such a state. */
export function decodeState(bytes: Uint8Array): FileState {
  const stored = JSON.parse(Buffer.from(bytes).toString()) as unknown;
  if (!isStored(stored)) throw new TypeError('not the state of a Parquet file');
  const { fields, codec, length } = stored;
  const leaves = leavesOf(elementsOf(fields));
  const groups = stored.groups.map(([rows, bytesOf, chunks]): RowGroup => {
    if (chunks.length !== leaves.length)
      throw new TypeError('a row group with other columns than the schema');
    const columns = leaves.map((leaf, i) => columnOf(chunks[i], leaf, codec));
    const compressed = chunks.reduce((sum, chunk) => sum + chunk.compressed, 0);
    return {
      columns,
      num_rows: BigInt(rows),
      total_byte_size: BigInt(bytesOf),
      total_compressed_size: BigInt(compressed),
    };
  });
  return { fields, codec, length, groups };
}

/**
 * Statistics with bounds as short as they are in the footer, because they stay in memory until then. Those of JSON are left out:
 * they cannot be shortened, and their order means nothing.
 */
export function statisticsOf(statistics: Statistics, leaf: SchemaElement): Statistics {
  if (leaf.converted_type === 'JSON') {
    const { null_count } = statistics;
    return null_count === undefined ? {} : { null_count };
  }
  if (leaf.type !== 'BYTE_ARRAY') return statistics;
  const { min_value, max_value } = statistics;
  const min = unconvertMinMax(min_value, leaf, false);
  const max = unconvertMinMax(max_value, leaf, true);
  if (min === undefined || max === undefined) return statistics;
  return {
    ...statistics,
    min_value: min,
    max_value: max,
    is_min_value_exact: isSame(min_value, min),
    is_max_value_exact: isSame(max_value, max),
  };
}

const isSame = (value: unknown, bound: Uint8Array): boolean =>
  Buffer.from(value as string | Uint8Array).equals(bound);

function chunkOf({ meta_data, file_offset }: ColumnChunk, leaf: Leaf | undefined): Chunk {
  if (meta_data === undefined || leaf === undefined) throw new TypeError('a column without metadata');
  const { statistics, dictionary_page_offset: dictionary } = meta_data;
  const { null_count, nan_count, min_value, max_value } = (statistics ?? {}) as Counted;
  return {
    encodings: meta_data.encodings,
    pages: (meta_data.encoding_stats ?? []).map(
      ({ page_type, encoding, count }) => [page_type, encoding, count] as const,
    ),
    values: Number(meta_data.num_values),
    compressed: Number(meta_data.total_compressed_size),
    uncompressed: Number(meta_data.total_uncompressed_size),
    offset: Number(file_offset),
    data: Number(meta_data.data_page_offset),
    dictionary: dictionary === undefined ? undefined : Number(dictionary),
    nulls: Number(null_count ?? 0n),
    nans: nan_count === undefined ? undefined : Number(nan_count),
    min: base64(unconvertMinMax(min_value, leaf.element, false)),
    max: base64(unconvertMinMax(max_value, leaf.element, true)),
    exact: [statistics?.is_min_value_exact !== false, statistics?.is_max_value_exact !== false],
  };
}

const base64 = (bytes: Uint8Array | undefined): string | undefined =>
  bytes === undefined ? undefined : Buffer.from(bytes).toString('base64');

function columnOf(chunk: Chunk | undefined, { element, path }: Leaf, codec: CompressionCodec): ColumnChunk {
  const { type, converted_type } = element;
  if (chunk === undefined || type === undefined) throw new TypeError('a row group without a column');
  const { min, max, nans, exact, dictionary } = chunk;
  const bounded = type === 'BYTE_ARRAY' && converted_type !== 'JSON';
  const statistics: Counted = {
    ...(min !== undefined && { min_value: boundOf(min, element) }),
    ...(max !== undefined && { max_value: boundOf(max, element) }),
    null_count: BigInt(chunk.nulls),
    ...(nans !== undefined && { nan_count: BigInt(nans) }),
    ...(bounded && { is_min_value_exact: exact[0], is_max_value_exact: exact[1] }),
  };
  return {
    file_offset: BigInt(chunk.offset),
    meta_data: {
      type,
      encodings: [...chunk.encodings],
      path_in_schema: [...path],
      codec,
      num_values: BigInt(chunk.values),
      total_compressed_size: BigInt(chunk.compressed),
      total_uncompressed_size: BigInt(chunk.uncompressed),
      data_page_offset: BigInt(chunk.data),
      ...(dictionary !== undefined && { dictionary_page_offset: BigInt(dictionary) }),
      statistics,
      encoding_stats: chunk.pages.map(([page_type, encoding, count]) => ({ page_type, encoding, count })),
    },
  };
}

type Bound = NonNullable<Statistics['min_value']>;

/** The value with these bytes in the footer. */
function boundOf(text: string, { type, converted_type }: SchemaElement): Bound {
  const bytes = Buffer.from(text, 'base64');
  const decimal = converted_type === 'DECIMAL';
  switch (type) {
    case 'BOOLEAN':
      return bytes[0] === 1;
    case 'INT32':
      return decimal ? BigInt(bytes.readInt32LE()) : bytes.readInt32LE();
    case 'INT64':
      return bytes.readBigInt64LE();
    case 'FLOAT':
      return bytes.readFloatLE();
    case 'DOUBLE':
      return bytes.readDoubleLE();
    default:
      return decimal
        ? BigInt.asIntN(bytes.length * 8, BigInt(`0x${bytes.toString('hex')}`))
        : new Uint8Array(bytes);
  }
}

const isEncoding = oneOf('PLAIN', 'RLE', 'RLE_DICTIONARY');
const isChunk = fieldsIn({
  encodings: listOf(isEncoding),
  pages: listOf(tuple(oneOf('DICTIONARY_PAGE', 'DATA_PAGE_V2'), isEncoding, isCount)),
  values: isCount,
  compressed: isCount,
  uncompressed: isCount,
  offset: isCount,
  data: isCount,
  dictionary: optional(isCount),
  nulls: isCount,
  nans: optional(isCount),
  min: optional(isString),
  max: optional(isString),
  exact: tuple(isBoolean, isBoolean),
});
const isGroups = listOf(tuple(isCount, isCount, listOf(isChunk)));
const isCodec = oneOf('UNCOMPRESSED', 'SNAPPY', 'GZIP', 'ZSTD');

function isBoolean(value: unknown): boolean {
  return typeof value === 'boolean';
}

const isStored = (value: unknown): value is Stored =>
  isRecord(value) &&
  value['version'] === version &&
  areFields(value['fields']) &&
  isCodec(value['codec']) &&
  isCount(value['length']) &&
  isGroups(value['groups']);
