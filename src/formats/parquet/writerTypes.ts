/** Types of hyparquet-writer, which has its own hyparquet. */
import type { ParquetWriter } from 'hyparquet-writer';

export type SchemaElement = ParquetWriter['schema'][number];
export type CompressionCodec = ParquetWriter['codec'];
export type Compressors = NonNullable<ConstructorParameters<typeof ParquetWriter>[0]['compressors']>;
export type RowGroup = ParquetWriter['row_groups'][number];
export type ColumnChunk = RowGroup['columns'][number];
export type ColumnMetaData = NonNullable<ColumnChunk['meta_data']>;
export type Statistics = NonNullable<ColumnMetaData['statistics']>;
export type Encoding = ColumnMetaData['encodings'][number];
export type PageType = NonNullable<ColumnMetaData['encoding_stats']>[number]['page_type'];
export type ColumnSource = Parameters<ParquetWriter['write']>[0]['columnData'][number];
export type ColumnData = ColumnSource['data'];
