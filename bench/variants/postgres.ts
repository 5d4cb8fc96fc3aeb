/** Rows to a table of PostgreSQL, in batches of equal size: by a whole job, and by `pg` alone. */
import { createJob } from 'millrace';
import { postgresSink } from 'millrace/postgres';
import { Pool } from 'pg';
import type { Start } from '../harness/workload.js';
import { visit, visits } from '../synthetic/visits.js';

/** Rows of a batch, each of which is a transaction. */
const batchRows = 1000;

/** What each variant does with an empty table `visits`. */
type Stores = (pool: Pool, rows: number) => Promise<void>;

/** Params: `url` of a server, `rows`. */
const storing =
  (stores: Stores): Start =>
  ({ url, rows }) => {
    const pool = new Pool({ connectionString: String(url), max: 2 });
    return {
      async round() {
        await pool.query('DROP TABLE IF EXISTS visits');
        await pool.query('CREATE TABLE visits (id bigint, "user" text, at timestamptz, price float8)');
        await stores(pool, Number(rows));
        return {
          digest: async () => {
            const { rows: found } = await pool.query<object>(
              'SELECT count(*), sum(id), max(at), sum(price) FROM visits',
            );
            return JSON.stringify(found[0]);
          },
          amount: Number(rows),
        };
      },
      close: () => pool.end(),
    };
  };

let jobs = 0;

/** A job with a checkpoint each second. */
export const rowsByJob = storing(async (pool, rows) => {
  const job = createJob({
    name: `rows-${++jobs}`,
    checkpoints: { dir: 'memory://bench/checkpoints', interval: '1s' },
  });
  await job.run(
    job.source('visits', visits(rows)).pipe(
      postgresSink('out', {
        pool,
        table: 'visits',
        columns: ['id', 'user', 'at', 'price'],
        createMarks: true,
        maxBatch: { records: batchRows },
      }),
    ),
  );
});

/** The loop that one would write: an INSERT of many rows for each transaction, one at a time. */
export const rowsByPg = storing(async (pool, rows) => {
  const client = await pool.connect();
  for (let from = 0; from < rows; from += batchRows) {
    const values: unknown[] = [];
    const places: string[] = [];
    for (let id = from; id < Math.min(rows, from + batchRows); id++) {
      const { user, at, price } = visit(id);
      const n = values.push(id, user, at, price);
      places.push(`($${n - 3}, $${n - 2}, $${n - 1}, $${n})`);
    }
    await client.query('BEGIN');
    await client.query(`INSERT INTO visits (id, "user", at, price) VALUES ${places.join()}`, values);
    await client.query('COMMIT');
  }
  client.release();
});
