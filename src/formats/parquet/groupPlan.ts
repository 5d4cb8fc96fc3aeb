import type { Compressors, RowGroup } from 'hyparquet';
import { MillraceError } from '../../errors.js';
import type { GroupRange } from '../groupReader.js';
import { corrupt, RowGroupTooLarge } from './failures.js';

/** Where the columns of a row group are that are read. */
export interface GroupPlan {
  /** In ascending order. Those that touch are one. */
  readonly ranges: readonly [GroupRange, ...GroupRange[]];
  /** Approximate bytes of the columns, decompressed. */
  readonly bytes: number;
}

export interface GroupPlanOptions {
  readonly object: string;
  /** Bytes of the object. */
  readonly size: number;
  readonly index: number;
  /** The columns of the top level that are read. */
  readonly names: ReadonlySet<string>;
  /** The paths of all columns with values. */
  readonly leaves: ReadonlySet<string>;
  readonly codecs: Compressors;
  readonly maxRowGroup: number;
}

/** Plans what to fetch of a row group. Errors: `Integrity`, `UnknownCodec`, `RowGroupTooLarge`. */
export function planGroup(group: RowGroup, options: GroupPlanOptions): GroupPlan {
  const { object, size, index, names, leaves, codecs, maxRowGroup } = options;
  let bytes = 0;
  const ranges = group.columns.flatMap(({ meta_data: meta }): GroupRange[] => {
    if (meta === undefined) throw corrupt(object, `row group ${index} has a column without metadata`);
    if (!leaves.has(meta.path_in_schema.join('.')))
      throw corrupt(object, `row group ${index} has a column that is not in the schema`);
    if (!names.has(meta.path_in_schema[0] ?? '')) return [];
    if (meta.codec !== 'UNCOMPRESSED' && codecs[meta.codec] === undefined)
      throw new MillraceError(
        'UnknownCodec',
        `Column ${meta.path_in_schema.join('.')} of ${object} is compressed with ${meta.codec}${meta.codec === 'ZSTD' ? ', which needs Node 22.15 or later' : ''}. Set compressors of parquet() to those of hyparquet-compressors, or write the file with SNAPPY or GZIP.`,
      );
    const start =
      Number(meta.dictionary_page_offset ?? meta.data_page_offset) || Number(meta.data_page_offset);
    const end = start + Number(meta.total_compressed_size);
    if (!(start >= 4 && end > start && end <= size))
      throw corrupt(object, `a column of row group ${index} lies outside of the object`);
    bytes += Math.max(end - start, Number(meta.total_uncompressed_size));
    return [{ start, end }];
  });
  if (bytes > maxRowGroup) throw new RowGroupTooLarge(object, index, bytes, maxRowGroup);
  const merged: { start: number; end: number }[] = [];
  for (const range of ranges.sort((a, b) => a.start - b.start)) {
    const last = merged.at(-1);
    if (last !== undefined && range.start <= last.end) last.end = Math.max(last.end, range.end);
    else merged.push({ ...range });
  }
  const [first, ...rest] = merged;
  if (first === undefined) throw corrupt(object, `row group ${index} has no columns`);
  return { ranges: [first, ...rest], bytes };
}
