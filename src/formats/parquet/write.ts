import { checkOptions, oneOf, type OptionNames } from '../../config/checkOptions.js';
import { InvalidOption, parseSize, type Size } from '../../config/units.js';
import type { Writer } from '../writer.js';
import { ParquetEncoder, parquetSeal } from './encoder.js';
import type { Field } from './types.js';
import { writesZstd, type WritingCodec } from './writeCodecs.js';

/** Options of {@link parquet} for what it writes. */
export interface ParquetWriteOptions {
  /**
   * How pages are compressed. `zstd` needs Node 22.15 or later, where the file is written. Default `snappy`, which every reader
   * knows, and every Node writes.
   */
  readonly compression?: 'snappy' | 'gzip' | 'zstd' | 'none';
  /** When to end a row group: at whichever comes first. Memory may be short before. */
  readonly rowGroup?: {
    /**
     * Bytes that its rows take in memory. Default 16 MiB: as much as a sink with the default budget lets all its files hold. The
     * sink's `budget` must be four times as much. At most 512 MiB: a group is made in one buffer.
     */
    readonly size?: Size;
    /** Rows. Default 1,000,000. */
    readonly rows?: number;
  };
}

export const writeNames: OptionNames<ParquetWriteOptions> = { compression: true, rowGroup: true };
const groupNames: OptionNames<NonNullable<ParquetWriteOptions['rowGroup']>> = { size: true, rows: true };

/** In bytes. What the rows take in memory can be more when it is written, and buffers double while they grow. */
const largestGroup = 512 * 2 ** 20;

const codecs: Readonly<Record<string, WritingCodec>> = {
  snappy: 'SNAPPY',
  gzip: 'GZIP',
  zstd: 'ZSTD',
  none: 'UNCOMPRESSED',
};

/**
 * The writing half of a format, if there are columns.
 *
 * @param fields returns the columns when the first file is opened
 */
export function writerOf(
  fields: (() => readonly Field[]) | undefined,
  { compression, rowGroup }: ParquetWriteOptions,
): Writer<unknown> | undefined {
  oneOf('parquet: compression', compression, Object.keys(codecs));
  checkOptions('parquet', rowGroup, groupNames, 'rowGroup.');
  const { size = '16MiB', rows = 1_000_000 } = rowGroup ?? {};
  const groupBytes = parseSize('parquet: rowGroup.size', size);
  if (groupBytes < 1 || groupBytes > largestGroup)
    throw new InvalidOption('parquet: rowGroup.size', size, 'from 1 byte to 512 MiB');
  if (!Number.isSafeInteger(rows) || rows < 1)
    throw new InvalidOption('parquet: rowGroup.rows', rows, 'a whole number from 1');
  if (compression === 'zstd' && !writesZstd)
    throw new InvalidOption(
      'parquet: compression',
      compression,
      "'snappy' or 'gzip' with this version of Node: 'zstd' needs 22.15 or later",
    );
  const codec = codecs[compression ?? 'snappy'] ?? 'SNAPPY';
  if (fields === undefined) return undefined;
  return {
    extension: '.parquet',
    restore: parquetSeal,
    compressedBy: 'compression of parquet()',
    open: (out) => new ParquetEncoder<unknown>({ fields: fields(), codec, groupBytes, groupRows: rows }, out),
  };
}
