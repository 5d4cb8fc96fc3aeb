/**
 * The job that tests kill while it writes to all sinks: files → records → keyed counts → Parquet, compressed CSV and Avro,
 * PostgreSQL, and a service, all in the same checkpoints. Its one argument says where, and how to reach S3 comes from the environment.
 *
 * It prints what `job.ts` prints. Exit code 0: finished or stopped; 1: an error, whose code is in the last line.
 */
import {
  createJob,
  csv,
  fileSink,
  files,
  httpSink,
  keyed,
  ndjson,
  records,
  silentLogger,
  stopOn,
  valueState,
  MillraceError,
  type Flow,
} from 'millrace';
import { avro } from 'millrace/avro';
import { parquet, types } from 'millrace/parquet';
import { postgresSink } from 'millrace/postgres';
import { Pool } from 'pg';
import { share, tap } from 'rxjs';
import { eventOf, type Event } from './input.js';
import type { Line, Task } from './job.js';
import { rowOf } from './sinkRows.js';

export interface SinksTask extends Task {
  /** Of PostgreSQL, if there is one. */
  readonly database: string | undefined;
  /** The URL of a service that takes batches. */
  readonly service: string;
}

const task = JSON.parse(process.argv[2] ?? '') as SinksTask;
const { input, output, checkpoints, patience, database, service } = task;
let seen = 0;

const print = (line: Line): void => void process.stdout.write(`${JSON.stringify(line, errors)}\n`);

function errors(_: string, value: unknown): unknown {
  if (!(value instanceof Error)) return value;
  return { code: value instanceof MillraceError ? value.code : value.name, message: value.message };
}

function beat(): void {
  seen++;
  if (seen % 100 === 0) print({ type: 'beat', records: seen });
}

const job = createJob({
  name: 'counts',
  checkpoints: { dir: checkpoints, interval: 60 },
  restart: { initial: 100, max: 1000 },
  logger: silentLogger,
  s3: { requestTimeout: patience, idleTimeout: patience, highTimeout: patience },
});
job.events$.subscribe(print);

const rows = job
  // Slowly, so that an input lasts for many checkpoints: one small request after the other.
  .source('events', files(input, { format: ndjson<Event>(), prefetch: { window: 1, fragment: 8192 } }))
  .pipe(
    records(tap(beat)),
    keyed('per-user', {
      key: (event) => event.user,
      state: { counted: valueState(0) },
      onRecord: ({ id }, { counted }) => [
        rowOf(
          id,
          counted.update((n) => n + 1),
        ),
      ],
    }),
    share(),
  );

/** Files grow over many checkpoints, and a part of each is uploaded long before it is published. */
const filling = {
  partitionBy: ({ id }: { readonly id: number }) => `p=${eventOf(id).partition}`,
  partSize: '5MiB',
  roll: { size: '7MiB' },
  budget: '48MiB',
} as const;
const small = { maxBatch: { records: 60 }, retry: { initial: 10, max: 100 }, backlog: '1MiB' } as const;

const leaves: Flow<never>[] = [
  rows.pipe(
    fileSink('parquet', `${output}/parquet`, {
      ...filling,
      format: parquet({
        schema: { id: types.int32, user: types.string, count: types.int32, text: types.string },
        rowGroup: { size: '512KiB' },
      }),
    }),
  ),
  rows.pipe(fileSink('csv', `${output}/csv`, { ...filling, format: csv(), compression: 'gzip' })),
  rows.pipe(
    fileSink('avro', `${output}/avro`, {
      ...filling,
      format: avro({
        avroSchema: {
          type: 'record',
          name: 'Row',
          fields: [
            { name: 'id', type: 'int' },
            { name: 'user', type: 'string' },
            { name: 'count', type: 'int' },
            { name: 'text', type: 'string' },
          ],
        },
        codec: 'deflate',
      }),
    }),
  ),
  rows.pipe(httpSink('service', service, small)),
];
const pool = database === undefined ? undefined : new Pool({ connectionString: database, max: 2 });
pool?.on('error', () => undefined);
if (pool !== undefined)
  leaves.push(
    rows.pipe(
      postgresSink('table', {
        ...small,
        pool,
        table: 'rows',
        columns: ['id', 'user', 'count', 'text'],
        createMarks: true,
      }),
    ),
  );

try {
  const { outcome } = await job.run(...leaves, { signal: stopOn('SIGTERM') });
  print({ type: 'exit', outcome });
} catch (error) {
  print({ type: 'exit', code: error instanceof MillraceError ? error.code : 'Unknown', error });
  process.exitCode = 1;
}
await pool?.end();
