/** The entry `millrace/parquet`. It needs the optional peers `hyparquet` and `hyparquet-writer`. */
export { parquet, type ParquetOptions } from './parquet.js';
export { RowGroupTooLarge } from './failures.js';
export {
  types,
  type ParquetFields,
  type ParquetRecord,
  type ParquetRow,
  type ParquetType,
  type TimestampUnit,
} from './types.js';
export type { ParquetWriteOptions } from './write.js';
