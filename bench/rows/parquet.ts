import { comparison, type Variant } from '../harness/comparison.js';

const module = new URL('../variants/parquet.js', import.meta.url).href;

/**
 * A million rows of four columns to one file, with row groups of 100,000 rows, to a local folder. DuckDB makes its rows itself,
 * without objects: it is shown next to the others, as the limit.
 */
export const parquet = comparison({
  name: 'parquet',
  title: 'fileSink to Parquet, a checkpoint each second | hyparquet-writer | COPY of DuckDB',
  unit: 'records',
  processes: 'lasting',
  rounds: 2,
  warmups: 1,
  prepare({ quick }) {
    const rows = quick ? 20_000 : 1_000_000;
    const variant = (name: string, start: string): Variant => ({
      name,
      program: { module, start },
      params: { rows },
    });
    return Promise.resolve({
      variants: [
        variant('ours', 'parquetByJob'),
        variant('library', 'parquetByLibrary'),
        variant('duckdb', 'parquetByDuckDb'),
      ],
    });
  },
  goals: [{ metric: 'vs.library', goal: 0.8, is: 'at least' }],
});
