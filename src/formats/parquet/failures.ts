import { MillraceError, sharedByCopies } from '../../errors.js';

/** The columns that are read of a row group do not fit into memory. */
export class RowGroupTooLarge extends MillraceError {
  static {
    sharedByCopies(this, 'RowGroupTooLarge');
  }

  override readonly name = 'RowGroupTooLarge';

  constructor(
    /** URI of the object. */
    readonly object: string,
    /** Index of the row group. */
    readonly group: number,
    /** Bytes of its columns that are read, decompressed. */
    readonly bytes: number,
    most: number,
  ) {
    super(
      'RowGroupTooLarge',
      `Row group ${group} of ${object} has ${bytes} bytes in the columns that are read, and maxRowGroup is ${most}. Read fewer columns, raise maxRowGroup of parquet(), or write smaller row groups.`,
    );
  }
}

/** An object is not a Parquet file, or a damaged one. */
export const corrupt = (object: string, what: string, cause?: unknown): MillraceError =>
  new MillraceError(
    'Integrity',
    `${object} is not an intact Parquet file: ${what}. Replace the object, or leave it out of the URI's glob.`,
    cause === undefined ? {} : { cause },
  );
