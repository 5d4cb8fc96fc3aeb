/** The entry `millrace/parquet`. It needs the optional peer `hyparquet`. */
export { parquet, type ParquetOptions } from './parquet.js';
export { RowGroupTooLarge } from './failures.js';
