import { execFileSync, type ExecFileSyncOptions, type StdioOptions } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
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

/** What a program prints. It ends without the shutdown of Python, in which threads of pyarrow sometimes abort the process. */
function printedBy(
  lines: readonly string[],
  options: Pick<ExecFileSyncOptions, 'input' | 'stdio'> = {},
): string {
  const program = ['import os, sys', ...lines, 'sys.stdout.flush()', 'os._exit(0)'].join('\n');
  return execFileSync(python, ['-c', program], options).toString();
}

/** The version of pyarrow, if this machine has it; `MILLRACE_TEST_PYTHON` is a Python that has. */
export const pyarrow: string | undefined = (() => {
  try {
    const stdio: StdioOptions = ['ignore', 'pipe', 'ignore'];
    return printedBy(['import pyarrow', 'print(pyarrow.__version__)'], { stdio });
  } catch {
    return undefined;
  }
})();

/** A file that pyarrow writes: `table` is an expression, `options` are of `write_table`. */
export async function writtenByPyarrow(table: string, options: string): Promise<Buffer> {
  const dir = await mkdtemp(join(tmpdir(), 'millrace-parquet-'));
  const file = join(dir, 'out.parquet');
  try {
    printedBy([
      'import pyarrow as pa, pyarrow.parquet as pq, datetime as dt, decimal',
      `pq.write_table(${table}, ${JSON.stringify(file)}, ${options})`,
    ]);
    return await readFile(file);
  } finally {
    await rm(dir, { recursive: true });
  }
}

/** The rows of a query of a file, by its path: what DuckDB reads, as strings. */
export async function readByDuckDb(
  file: Uint8Array,
  query: (path: string) => string,
): Promise<Readonly<Record<string, string | null>>[]> {
  const dir = await mkdtemp(join(tmpdir(), 'millrace-parquet-'));
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
  const connection = await instance.connect();
  try {
    const path = join(dir, 'in.parquet');
    await writeFile(path, file);
    await connection.run(`SET TimeZone = 'UTC'`);
    const result = await connection.runAndReadAll(query(path));
    return result
      .getRowObjects()
      .map((row) =>
        Object.fromEntries(
          Object.entries(row).map(([name, value]) => [name, value === null ? null : String(value)]),
        ),
      );
  } finally {
    connection.closeSync();
    instance.closeSync();
    await rm(dir, { recursive: true });
  }
}

/** What a Python expression gives of a `table` that pyarrow reads. */
export function readByPyarrow(file: Uint8Array, expression: string): string {
  const program = [
    'import io, pyarrow.parquet as pq',
    'table = pq.read_table(io.BytesIO(sys.stdin.buffer.read()))',
    `print(${expression}, end='')`,
  ];
  return printedBy(program, { input: file });
}
