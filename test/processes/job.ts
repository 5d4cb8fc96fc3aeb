/**
 * The job that tests kill, pause and starve: files → records → keyed counts, with timers and a TTL → files. It makes
 * savepoints meanwhile. Its one argument says what and where; how to reach S3 comes from the environment, as for any AWS
 * program.
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
  reducingState,
  stopOn,
  timers,
  valueState,
  watermarks,
  MillraceError,
} from 'millrace';
import { map, tap } from 'rxjs';
import { recentFor, timeOf, windowLength, windowOf, type Counted, type Event } from './input.js';

export interface Task {
  /** URIs of the folders. */
  readonly input: string;
  readonly output: string;
  readonly checkpoints: string;
  /** Characters of filler in each record that is written. */
  readonly padding: number;
  /** The job blocks briefly each time after this many records. 0: never. */
  readonly pause: { readonly every: number; readonly ms: number };
  /** Where it makes savepoints, one at a time, each after this many records. */
  readonly savepoints?: { readonly dir: string; readonly every: number } | undefined;
  /** The savepoint that it begins with. */
  readonly from?: string;
  /** Milliseconds for which the server may be silent. What stalls costs as much; a slow machine makes no server silent for a minute. */
  readonly patience: number;
}

interface Padded {
  readonly padding?: string;
}

/** A line of what it prints. */
export interface Line {
  readonly type: string;
  readonly code?: string;
  readonly records?: number;
  readonly [field: string]: unknown;
}

const task = JSON.parse(process.argv[2] ?? '') as Task;
const { input, output, checkpoints, padding, pause, savepoints, from, patience } = task;
const sleeper = new Int32Array(new SharedArrayBuffer(4));
let seen = 0;
let saving = false;

/** One synchronous write per line: a printed line is there even if the process dies right after. */
const print = (line: Line): void => void process.stdout.write(`${JSON.stringify(line, errors)}\n`);

function errors(_: string, value: unknown): unknown {
  if (!(value instanceof Error)) return value;
  return { code: value instanceof MillraceError ? value.code : value.name, message: value.message };
}

function paced(): void {
  seen++;
  if (seen % 100 === 0) print({ type: 'beat', records: seen });
  if (savepoints !== undefined && seen % savepoints.every === 0 && !saving) save(savepoints.dir);
  if (pause.every > 0 && seen % pause.every === 0) Atomics.wait(sleeper, 0, 0, pause.ms);
}

function save(dir: string): void {
  saving = true;
  print({ type: 'savepoint-requested' });
  // A job that ends meanwhile makes none.
  const ended = (error: unknown): void => {
    print({ type: 'savepoint-refused', error });
  };
  void job
    .savepoint(dir)
    .then(() => undefined, ended)
    .then(() => (saving = false));
}

const job = createJob({
  name: 'counts',
  ...(from === undefined ? {} : { from }),
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
    watermarks('time', { timestamp: ({ id }) => timeOf(id) }),
    keyed('per-user', {
      key: (event) => event.user,
      state: {
        seen: valueState(0),
        recent: valueState(0, { ttl: { after: recentFor, time: 'event' } }),
        inWindow: reducingState((a: number, b: number) => a + b),
        ends: timers('event'),
        unsent: valueState(0),
        sends: timers('processing'),
      },
      onRecord: (event, { seen, recent, inWindow, ends, unsent, sends }): (Counted & Padded)[] => {
        const window = windowOf(event.id);
        inWindow.in(window).add(1);
        ends.set(window + windowLength, window);
        if (unsent.update((n) => n + 1) === 1) sends.set(sends.now + 5);
        const counts = { count: seen.update((n) => n + 1), recent: recent.update((n) => n + 1) };
        return [{ ...event, ...counts, padding: '.'.repeat(padding) }];
      },
      onTimer: ({ state, key, namespace }, { inWindow, unsent }): (Counted & Padded)[] => {
        if (state === 'sends') {
          const batch = unsent.value;
          unsent.clear();
          return [{ batch, user: key }];
        }
        const window = Number(namespace);
        const counted = inWindow.in(window);
        const events = counted.value ?? 0;
        counted.clear();
        return [{ window, user: key, events }];
      },
    }),
    fileSink('out', output, {
      format: ndjson(),
      partitionBy: (line) =>
        'id' in line ? `p=${line.partition}` : 'window' in line ? 'windows' : 'batches',
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
