import { parquetMetadata, parquetSchema } from 'hyparquet';
import { readColumn } from 'hyparquet/src/column.js';
import { DEFAULT_PARSERS } from 'hyparquet/src/convert.js';
import { getTreePath } from 'hyparquet/src/schema.js';

/** The rows of a Parquet file of flat columns, synchronously. Its row groups must lie one after the other, up to the footer. */
export function parquetRows(bytes: Uint8Array): Record<string, unknown>[] {
  const { buffer } = new Uint8Array(bytes);
  const metadata = parquetMetadata(buffer);
  const tree = parquetSchema(metadata);
  let end = 4;
  const rows = metadata.row_groups.flatMap((group) => {
    const columns = group.columns.map(({ meta_data: meta }) => {
      if (meta === undefined) throw new Error('a column without metadata');
      const start = Number(meta.dictionary_page_offset ?? meta.data_page_offset);
      if (start !== end) throw new Error(`a column lies at ${start}, not at ${end}`);
      end = start + Number(meta.total_compressed_size);
      const schemaPath = getTreePath(tree, meta.path_in_schema);
      const { data } = readColumn(
        { view: new DataView(buffer, start, end - start), offset: 0 },
        {
          groupStart: 0,
          selectStart: 0,
          selectEnd: Number(group.num_rows),
          groupRows: Number(group.num_rows),
        },
        {
          ...meta,
          pathInSchema: meta.path_in_schema,
          schemaPath,
          element: schemaPath.at(-1)!.element,
          parsers: DEFAULT_PARSERS,
        },
      );
      return [meta.path_in_schema[0] ?? '', data.flatMap((page) => Array.from<unknown>(page))] as const;
    });
    return Array.from({ length: Number(group.num_rows) }, (_, i) =>
      Object.fromEntries(columns.map(([name, values]) => [name, values[i]])),
    );
  });
  if (end + metadata.metadata_length + 8 !== bytes.length) throw new Error(`its columns end at ${end}`);
  if (rows.length !== Number(metadata.num_rows)) throw new Error(`${rows.length} rows`);
  return rows;
}
