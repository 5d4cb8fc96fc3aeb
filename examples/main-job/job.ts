/**
 * The job: running counts of clicks per user and day, from web-access events to NDJSON objects in one folder a day.
 *
 * This is the complete job, and the process that is killed. It has no code for kills: started again, it continues
 * from its newest durable checkpoint. Its argument is where its data is; how to reach S3 comes from the environment,
 * as for any AWS program (`AWS_ENDPOINT_URL_S3`, `AWS_REGION`, credentials).
 */
import {
  createJob,
  fileSink,
  files,
  keyed,
  ndjson,
  records,
  stopOn,
  valueState,
  type JobEvent,
} from 'millrace';
import { filter, map, tap } from 'rxjs';
import type { WebEvent } from './generate.js';

export interface JobTask {
  /** URIs of the folders. */
  readonly input: string;
  readonly output: string;
  readonly checkpoints: string;
  /** When output files roll. */
  readonly roll: { readonly size: number; readonly age: string };
}

/** A message to the parent, five times a second. */
export interface JobMessage {
  /** Events seen since the start. */
  readonly events: number;
  /** How far the source has come, over all starts; `undefined` until it has listed something. */
  readonly input: Input | undefined;
}

export type Input = Pick<Extract<JobEvent, { type: 'progress' }>, 'listed' | 'read' | 'complete'>;

const task = JSON.parse(process.argv[2] ?? '') as JobTask;
let events = 0;
let input: Input | undefined;

const job = createJob({ name: 'clicks', checkpoints: { dir: task.checkpoints, interval: '1s' } });

// Small fragments, as the demo throttles the input.
const source = files(`${task.input}/**/*.ndjson*`, {
  format: ndjson<WebEvent>(),
  prefetch: { fragment: '1MiB', window: 8 },
});

const clicks = job.source('events', source).pipe(
  records(
    tap(() => events++),
    filter((event) => event.kind === 'click'),
    map(({ id, user, at }) => ({ id, user, day: at.slice(0, 10) })),
  ),
  keyed('per-user-and-day', {
    key: (click) => `${click.user} ${click.day}`,
    state: { clicks: valueState(0) },
    onRecord: ({ id, user, day }, { clicks }) => [{ user, day, clicks: clicks.update((n) => n + 1), id }],
  }),
  fileSink('out', task.output, {
    format: ndjson(),
    partitionBy: (count) => `day=${count.day}`,
    roll: task.roll,
    partSize: '5MiB',
  }),
);

const tell = (): void => void process.send?.({ events, input } satisfies JobMessage);
job.events$.subscribe((event) => {
  if (event.type === 'progress') input = event;
});
const ticker = setInterval(tell, 200);
const orphaned = (): void => process.exit(1); // the demo is gone
process.once('disconnect', orphaned);

await job.run(clicks, { signal: stopOn('SIGTERM') });
clearInterval(ticker);
tell();
process.off('disconnect', orphaned).disconnect();
