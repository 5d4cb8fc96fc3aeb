import { execFileSync } from 'node:child_process';
import { readFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';

/** A file that DuckDB writes of a query. `options`: of COPY, such as `CODEC snappy`. */
export async function writtenByDuckDb(query: string, options = ''): Promise<Buffer> {
  const dir = await mkdtemp(join(tmpdir(), 'millrace-parquet-'));
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
  const connection = await instance.connect();
  try {
    const file = join(dir, 'out.parquet');
    await connection.run(`SET TimeZone = 'UTC'`);
    await connection.run(
      `COPY (${query}) TO '${file}' (FORMAT parquet${options === '' ? '' : `, ${options}`})`,
    );
    return await readFile(file);
  } finally {
    connection.closeSync();
    instance.closeSync();
    await rm(dir, { recursive: true });
  }
}

const python = process.env['MILLRACE_TEST_PYTHON'] ?? 'python3';

/** The version of pyarrow, if this machine has it; `MILLRACE_TEST_PYTHON` is a Python that has. */
export const pyarrow: string | undefined = (() => {
  try {
    const args = ['-c', 'import pyarrow; print(pyarrow.__version__)'];
    return execFileSync(python, args, { stdio: ['ignore', 'pipe', 'ignore'] }).toString();
  } catch {
    return undefined;
  }
})();

/** A file that pyarrow writes: `table` is an expression, `options` are of `write_table`. */
export async function writtenByPyarrow(table: string, options: string): Promise<Buffer> {
  const dir = await mkdtemp(join(tmpdir(), 'millrace-parquet-'));
  const file = join(dir, 'out.parquet');
  const program = [
    'import pyarrow as pa, pyarrow.parquet as pq, datetime as dt, decimal',
    `pq.write_table(${table}, ${JSON.stringify(file)}, ${options})`,
  ].join('\n');
  try {
    execFileSync(python, ['-c', program]);
    return await readFile(file);
  } finally {
    await rm(dir, { recursive: true });
  }
}
