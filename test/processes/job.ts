/**
 * The job that tests kill, pause and starve: files → records → keyed running count → files. Its one argument says what
 * and where; how to reach S3 comes from the environment, as for any AWS program.
 *
 * It prints what happens as JSON lines: the events of the job, a `beat` every so many records, and last of all how it
 * ended. Exit code 0: finished or stopped; 1: an error, whose code is in the last line.
 */
import {
  createJob,
  fileSink,
  files,
  keyed,
  loadConfig,
  ndjson,
  records,
  stopOn,
  valueState,
  MillraceError,
} from 'millrace';
import { map, tap } from 'rxjs';
import type { Event } from './input.js';

export interface Task {
  /** URIs of the folders. */
  readonly input: string;
  readonly output: string;
  readonly checkpoints: string;
  /** Characters of filler in each record that is written. */
  readonly padding: number;
  /** The job blocks briefly each time after this many records. 0: never. */
  readonly pause: { readonly every: number; readonly ms: number };
  /** Milliseconds for which the server may be silent. What stalls costs as much; a slow machine makes no server silent for a minute. */
  readonly patience: number;
}

/** A line of its output. */
export interface Line {
  readonly type: string;
  readonly code?: string;
  readonly records?: number;
  readonly [field: string]: unknown;
}

const { input, output, checkpoints, padding, pause, patience } = JSON.parse(process.argv[2] ?? '') as Task;
const sleeper = new Int32Array(new SharedArrayBuffer(4));
let seen = 0;

/** One synchronous write per line: a printed line is there even if the process dies right after. */
const print = (line: Line): void => void process.stdout.write(`${JSON.stringify(line, errors)}\n`);

function errors(_: string, value: unknown): unknown {
  if (!(value instanceof Error)) return value;
  return { code: value instanceof MillraceError ? value.code : value.name, message: value.message };
}

function paced(): void {
  seen++;
  if (seen % 100 === 0) print({ type: 'beat', records: seen });
  if (pause.every > 0 && seen % pause.every === 0) Atomics.wait(sleeper, 0, 0, pause.ms);
}

const job = createJob({
  name: 'counts',
  checkpoints: { dir: checkpoints, interval: 150 },
  restart: { initial: 100, max: 1000 },
  // Few, so that merges are killed, too.
  config: loadConfig({ state: { compactionTrigger: 3 } }),
  s3: { requestTimeout: patience, idleTimeout: patience, highTimeout: patience },
});
job.events$.subscribe(print);

const counts = job
  .source('events', files(input, { format: ndjson<Event>(), prefetch: { window: 4, fragment: 64 * 1024 } }))
  .pipe(
    records(
      tap(paced),
      map(({ id, user, partition }) => ({ id, user, partition })),
    ),
    keyed('per-user', {
      key: (event) => event.user,
      state: { seen: valueState(0) },
      onRecord: (event, { seen }) => [
        { ...event, count: seen.update((n) => n + 1), padding: '.'.repeat(padding) },
      ],
    }),
    fileSink('out', output, {
      format: ndjson(),
      partitionBy: (event) => `p=${event.partition}`,
      partSize: '5MiB',
      roll: { size: '12MiB' },
      budget: '48MiB',
    }),
  );

try {
  const { outcome } = await job.run(counts, { signal: stopOn('SIGTERM') });
  print({ type: 'exit', outcome });
} catch (error) {
  print({ type: 'exit', code: error instanceof MillraceError ? error.code : 'Unknown', error });
  process.exitCode = 1;
}
