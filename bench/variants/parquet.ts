/** Parquet files with the same row groups: by a whole job, by hyparquet-writer alone, and by DuckDB. */
import { DuckDBInstance } from '@duckdb/node-api';
import { parquetMetadata } from 'hyparquet';
import { ByteWriter, ParquetWriter } from 'hyparquet-writer';
import { createJob, fileSink } from 'millrace';
import { parquet, types } from 'millrace/parquet';
import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Outcome, Start } from '../harness/workload.js';
import { visit, visits, visitsInSql } from '../synthetic/visits.js';

const MiB = 2 ** 20;

/** Rows of a row group. */
const groupRows = 100_000;

/** What each variant does in a folder of its own: `rows` rows to a file below it. */
type Writes = (folder: string, rows: number) => Promise<void> | void;

/** Params: `rows`. */
const writing =
  (writes: Writes): Start =>
  ({ rows }) => {
    const base = mkdtempSync(join(tmpdir(), 'millrace-bench-parquet-'));
    let round = 0;
    return {
      async round() {
        const folder = join(base, String(++round));
        mkdirSync(folder);
        await writes(folder, Number(rows));
        return outcome(folder, Number(rows));
      },
      close() {
        rmSync(base, { recursive: true });
        return Promise.resolve();
      },
    };
  };

function outcome(folder: string, amount: number): Outcome {
  const found = readdirSync(folder, { recursive: true }).filter((name) => String(name).endsWith('.parquet'));
  if (found.length !== 1) throw new Error(`${found.length} files were written, not one`);
  const file = readFileSync(join(folder, String(found[0])));
  const { num_rows: rows, row_groups: groups } = parquetMetadata(new Uint8Array(file).buffer);
  const ids = groups.map(({ columns }) => columns[0]?.meta_data?.statistics);
  rmSync(folder, { recursive: true });
  return {
    digest: `${rows} rows to ${String(ids.at(-1)?.max_value)}`,
    amount,
    extra: { fileMB: file.length / 1e6, groups: groups.length },
  };
}

/** A job with a checkpoint each second. */
export const parquetByJob = writing(async (folder, rows) => {
  const job = createJob({
    name: 'parquet',
    checkpoints: { dir: `${pathToFileURL(folder).href}/checkpoints`, interval: '1s' },
  });
  const schema = { id: types.int64, user: types.string, at: types.timestamp(), price: types.double };
  await job.run(
    job.source('visits', visits(rows)).pipe(
      fileSink('out', `${pathToFileURL(folder).href}/out`, {
        format: parquet({ schema, rowGroup: { size: '64MiB', rows: groupRows } }),
        budget: 256 * MiB,
        roll: { size: '8GiB', age: '1h', inactivity: '1h' },
      }),
    ),
  );
});

/** The loop that one would write with it. */
export const parquetByLibrary = writing((folder, rows) => {
  const bytes = new ByteWriter();
  const out = `${folder}/out.parquet`;
  const writer = new ParquetWriter({
    writer: bytes,
    schema: [
      { name: 'schema', num_children: 4 },
      { name: 'id', type: 'INT64', repetition_type: 'REQUIRED' },
      { name: 'user', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'REQUIRED' },
      {
        name: 'at',
        type: 'INT64',
        repetition_type: 'REQUIRED',
        converted_type: 'TIMESTAMP_MICROS',
        logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'MICROS' },
      },
      { name: 'price', type: 'DOUBLE', repetition_type: 'REQUIRED' },
    ],
  });
  const append = (): void => {
    appendFileSync(out, bytes.getBytes());
    bytes.index = 0;
  };
  for (let from = 0; from < rows; from += groupRows) {
    const count = Math.min(groupRows, rows - from);
    const ids = new BigInt64Array(count);
    const names = new Array<string>(count);
    const times = new Array<Date>(count);
    const prices = new Float64Array(count);
    for (let i = 0; i < count; i++) {
      const { id, user, at, price } = visit(from + i);
      ids[i] = BigInt(id);
      names[i] = user;
      times[i] = at;
      prices[i] = price;
    }
    void writer.write({
      columnData: [
        { name: 'id', data: ids, offsetIndex: false },
        { name: 'user', data: names, offsetIndex: false },
        { name: 'at', data: times, offsetIndex: false },
        { name: 'price', data: prices, offsetIndex: false },
      ],
      rowGroupSize: count,
    });
    append();
  }
  void writer.finish();
  append();
});

/** From rows that it makes itself, in C++: the limit. */
export const parquetByDuckDb = writing(async (folder, rows) => {
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
  const connection = await instance.connect();
  await connection.run(
    `COPY (${visitsInSql(rows)}) TO '${folder}/out.parquet' (FORMAT parquet, CODEC snappy, ROW_GROUP_SIZE ${groupRows})`,
  );
  connection.closeSync();
  instance.closeSync();
});
