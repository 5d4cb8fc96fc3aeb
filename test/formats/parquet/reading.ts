import { parquet, type ParquetOptions } from '../../../src/formats/parquet/index.js';
import { files } from '../../../src/sources/files.js';
import { memoryWith, readAll } from '../../sources/harness.js';

/** The rows of a file, as a source reads them. */
export async function rowsOf(content: Uint8Array, options: ParquetOptions<unknown> = {}): Promise<unknown[]> {
  const read = await readAll(
    files('memory://lake/raw', { format: parquet(options) }),
    memoryWith({ 'raw/a.parquet': content }),
  );
  if (read.error !== undefined) throw read.error as Error;
  return [...read.records];
}

/** The rows of a file, by the decoder alone. */
export async function decoded(
  content: Uint8Array,
  options: ParquetOptions<unknown> = {},
): Promise<unknown[]> {
  const start = { object: 'a.parquet', size: content.length, offset: 0, state: undefined };
  const decoder = parquet(options).groups(start);
  const rows: unknown[] = [];
  for (;;) {
    const wanted = decoder.wants();
    if (wanted.length === 0) return rows;
    await decoder.take(wanted.map(({ start: from, end }) => new Uint8Array(content.subarray(from, end))));
    while (decoder.left > 0)
      decoder.decode(
        (row) => rows.push(row),
        ({ reason }) => rows.push(`malformed: ${reason}`),
      );
  }
}
