/** One run of the demo, from the events to the verdict. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { Aim, kindNames, type Kind, type Layout, type Tally } from './aim.js';
import { message, type Children } from './children.js';
import { dataset, type Dataset } from './dataset.js';
import type { JobTask } from './job.js';
import type { Options } from './options.js';
import { Pace } from './pace.js';
import { clear, makeBucket, upload } from './place.js';
import { startProxy } from './proxy.js';
import type { Screen } from './screen.js';
import type { ServerReady, ServerTask } from './server.js';
import { Supervisor } from './supervise.js';
import type { Report, Task } from './verify/index.js';
import { leftovers } from './verify/leftovers.js';
import { client, type Place } from './verify/objects.js';
import type { Watch } from './watcher.js';

export interface Run {
  readonly options: Options;
  readonly children: Children;
  /** The directory of this run. */
  readonly dir: string;
  readonly view: Screen;
  /** Stops the run; everything it has created is removed. */
  readonly signal: AbortSignal;
}

export interface Result {
  /** What `--json` prints. */
  readonly line: {
    readonly events: number;
    readonly kills: number;
    readonly checkpoints: number;
    readonly lost: number;
    readonly duplicated: number;
    readonly partial: number;
    readonly seconds: number;
    readonly store: string;
  };
  /** All kills have happened, and verification succeeded. */
  readonly exact: boolean;
  readonly tally: Tally;
  /** Total requests of the job by kind. */
  readonly seen: Readonly<Record<Kind, number>>;
  readonly report: Report;
  readonly watch: Watch;
  /** Duration of the job alone, including restarts. */
  readonly jobSeconds: number;
  /** Unfinished uploads, and objects that the job should have deleted. */
  readonly leftovers: readonly string[];
}

export async function demonstrate(run: Run): Promise<Result> {
  const started = performance.now();
  const { options, view, signal } = run;
  const { events, seed } = options;
  const unlessStopped = (report: (done: number) => void) => (done: number) => {
    signal.throwIfAborted();
    report(done);
  };
  const set = await dataset(options.cache, { events, seed }, unlessStopped(view.step('generate', events)));

  const place = await findPlace(run);
  const layout: Layout = {
    bucket: place.bucket,
    input: `${place.prefix}raw/`,
    output: `${place.prefix}clicks/`,
    checkpoints: `${place.prefix}checkpoints/`,
  };
  const s3 = client(place);
  try {
    const madeBucket = await makeBucket(s3, place.bucket);
    try {
      await upload(s3, layout, set, unlessStopped(view.step('upload', events)));
      const job = await runJob(run, place, layout, set);
      const output = { ...place, prefix: layout.output };
      const task: Task = { files: set.files.map(({ name }) => join(set.dir, name)), output };
      view.say('verifying');
      const report = JSON.parse(await run.children.output('verify/index.js', task)) as Report;
      const partial = Math.max(report.partial, job.watch.partial);
      const line = {
        events: report.events,
        kills: job.kills,
        checkpoints: job.checkpoints,
        lost: report.lost,
        duplicated: report.duplicated,
        partial,
        seconds: Math.round((performance.now() - started) / 100) / 10,
        store: options.store ?? 'embedded',
      };
      const left = await leftovers(s3, place, layout.checkpoints, 'clicks');
      const off = report.lost + report.duplicated + report.misplaced + partial + left.length;
      return {
        ...job,
        line,
        report,
        exact: off === 0 && job.kills === options.kills && report.events === events,
        leftovers: left,
      };
    } finally {
      if (options.store !== undefined && !options.keep) await clear(s3, place, madeBucket);
    }
  } finally {
    s3.destroy();
  }
}

/** The folder of this run: in the real store, or in an embedded one started for it. */
async function findPlace({ options, children, dir }: Run): Promise<Place> {
  const { store, endpoint, region } = options;
  const id = randomBytes(4).toString('hex');
  if (store !== undefined && endpoint !== undefined) {
    const [bucket = '', ...path] = store
      .replace(/^s3a?:\/\//, '')
      .split('/')
      .filter((part) => part !== '');
    return { endpoint, region, bucket, prefix: `${[...path, `main-job-${id}`].join('/')}/` };
  }
  const task: ServerTask = { dir: join(dir, 'store') };
  const server = children.fork('server.js', task);
  const ready = await message<ServerReady>(server);
  return { endpoint: ready.endpoint, region, bucket: `demo-${id}`, prefix: '' };
}

/** Runs the job through its kills, while the watcher reads what it publishes. */
async function runJob({ options, children, view }: Run, place: Place, layout: Layout, set: Dataset) {
  const { events, kills } = options;
  const watcher = children.fork('watcher.js', { ...place, prefix: layout.output });
  const aim = new Aim();
  const objects = new Map(set.files.map((file) => [layout.input + file.name, file]));
  const pace = new Pace({ objects, kills, seconds: 2 });
  const root = `s3://${layout.bucket}/`;
  const task: JobTask = {
    input: root + layout.input.slice(0, -1),
    output: root + layout.output.slice(0, -1),
    checkpoints: root + layout.checkpoints.slice(0, -1),
    roll: { size: Math.min(12 << 20, Math.max(256 << 10, events * 6)), age: '3s' },
  };
  // The job must connect to this process directly, not through a proxy of the environment.
  const env: NodeJS.ProcessEnv = { AWS_REGION: place.region, S3_PROXY: 'none' };
  const show = view.job(events, kills);
  const supervisor = new Supervisor({
    children,
    task,
    env,
    kills,
    aim,
    pace,
    onProgress: show,
    onKill: (kind, moment, { kills: n, checkpoints }) => {
      const when = moment === 'before' ? 'before it took effect' : 'after it did, its answer lost';
      view.say(
        `kill ${n.toString()}: ${kindNames[kind]}, ${when} (${checkpoints.toString()} checkpoints so far)`,
      );
    },
  });
  const { strike, committed } = supervisor;
  const proxy = await startProxy({ upstream: place.endpoint, layout, aim, pace, strike, committed });
  env['AWS_ENDPOINT_URL_S3'] = proxy.endpoint;
  const started = performance.now();
  try {
    await supervisor.run();
    show({ ...supervisor.progress, events });
  } finally {
    await proxy.close();
  }
  const jobSeconds = (performance.now() - started) / 1000;

  watcher.send('finish');
  const watch = await message<Watch>(watcher, ({ finished }) => finished);
  const { kills: killed, checkpoints } = supervisor.progress;
  return { kills: killed, checkpoints, jobSeconds, watch, tally: aim.tally, seen: proxy.seen };
}
