/**
 * A job that tests kill while it writes to PostgreSQL: numbers from a directory to a table, in small batches with frequent
 * checkpoints. Its one argument says where. Exit code 0: finished.
 */
import { Pool } from 'pg';
import { createJob, files, ndjson, silentLogger } from 'millrace';
import { postgresSink } from 'millrace/postgres';

export interface PostgresTask {
  readonly url: string;
  /** A local directory with `in/` and `checkpoints/`. */
  readonly dir: string;
}

const { url, dir } = JSON.parse(process.argv[2] ?? '') as PostgresTask;
const pool = new Pool({ connectionString: url, max: 2 });
pool.on('error', () => undefined);
const job = createJob({
  name: 'numbers',
  checkpoints: { dir: `file://${dir}/checkpoints`, interval: 20 },
  // So that it reads no further ahead than a few checkpoints.
  budget: 4096,
  logger: silentLogger,
});
await job.run(
  job
    .source(
      'in',
      files(`file://${dir}/in/`, {
        format: ndjson<{ n: number }>(),
        prefetch: { window: 2, fragment: 4096 },
      }),
    )
    .pipe(
      postgresSink('out', {
        pool,
        table: 'numbers',
        columns: ['n'],
        createMarks: true,
        maxBatch: { records: 20 },
        backlog: 2000,
      }),
    ),
);
await pool.end();
