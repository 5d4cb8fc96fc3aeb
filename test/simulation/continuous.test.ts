import { createJob, fileSink, ndjson, silentLogger, type JobEvent } from 'millrace';
import { createMemoryStore, decorate, StoreError } from 'millrace/stores';
import { delayed, SimulatedClock } from 'millrace/testing';
import { Subject, throwError } from 'rxjs';
import { filesSource } from '../../src/sources/files.js';
import { effort } from '../support/effort.js';
import { minimumPartSize } from './pipeline.js';
import { SimulatedProcess } from './process.js';
import { between, pick, seeded } from './random.js';
import { surroundingsOf } from './surroundings.js';
import { keysOf, now, textOf } from './world.js';

const minute = 60_000;

/**
 * Versions that a source over a bucket that changes all the time has read, those that stayed, and the progress that it has
 * reported last.
 */
function live(
  seed: number,
  split?: number,
): {
  readonly read: number[];
  readonly stayed: number[];
  readonly failures: unknown[];
  /** Listings that failed and are retried. */
  readonly refused: number;
  readonly progress: Extract<JobEvent, { type: 'progress' }> | undefined;
} {
  const random = seeded(seed);
  const clock = new SimulatedClock(1_700_000_000_000);
  const world = createMemoryStore({ uri: 'memory://lake', clock, minimumPartSize });
  let versions = 0;
  const current = new Map<string, number>();
  const uploads: { key: string; uploadId: string; begun: number }[] = [];
  const body = (): Buffer => Buffer.from(`{"n":${++versions}}\n`);
  const hints = new Subject<string>();
  const change = (): void => {
    const key = `in/${between(random, 0, 150)}`;
    // Some come before the object, some late, some twice or not at all.
    if (random() < 0.3) hints.next(pick(random, [key, `memory://lake/${key}`, 'in/none', 'elsewhere']));
    const kind = random();
    if (kind < 0.5) {
      now(world.put(key, body()));
      current.set(key, versions);
    } else if (kind < 0.55) {
      now(world.delete([key]));
      current.delete(key);
    } else if (kind < 0.78) uploads.push({ key, ...now(world.createUpload(key)), begun: clock.now() });
    else {
      const upload = uploads.shift();
      if (upload === undefined || clock.now() - upload.begun > 5 * minute) return;
      const part = now(world.uploadPart(upload.key, upload.uploadId, 1, body()));
      now(world.completeUpload(upload.key, upload.uploadId, [part]));
      current.set(upload.key, versions);
    }
  };
  const failures: unknown[] = [];
  let refused = 0;
  /** Until then, no listing of the input is answered. */
  let outage = 0;
  let progress: ReturnType<typeof live>['progress'];
  const start = (at: number | undefined): SimulatedProcess => {
    const refusing = decorate(world, ({ method, key }, run) => {
      if (method !== 'list' || key !== 'in/' || clock.now() >= outage) return run;
      return throwError(() => new StoreError('Unavailable', 'The server does not answer.'));
    });
    const network = delayed(refusing, { clock, before: () => between(random, 0, 30) });
    const when = pick(random, ['before', 'after'] as const);
    const process = new SimulatedProcess(
      network,
      clock,
      at === undefined ? undefined : { kind: 'crash', at, when },
    );
    const job = createJob({
      name: 'sim',
      checkpoints: { dir: 'memory://lake/checkpoints', interval: 700 },
      restart: 'none',
      logger: silentLogger,
      ...surroundingsOf(process, random),
    });
    job.events$.subscribe((event: JobEvent) => {
      if (event.type === 'failed') failures.push(event.error);
      if (event.type === 'progress') progress = event;
      if (event.type === 'discovery-failed') refused++;
    });
    // A run may read more or fewer objects at the same time than the one before it.
    const parallelism = between(random, 1, 5);
    const splits = split === undefined ? {} : { splits: { size: between(random, 1, split) } };
    const discover = { every: '2s', hints, changed: 'read', longestUpload: '5m' } as const;
    const leaf = job
      .source(
        'in',
        filesSource('memory://lake/in/', {
          format: ndjson<{ n: number }>(),
          parallelism,
          ...splits,
          discover,
          vanished: 'skip',
        }),
      )
      .pipe(fileSink('out', 'memory://lake/out', { format: ndjson(), roll: { age: '1s' } }));
    job.run(leaf, { signal: process.signal }).catch(() => undefined); // the event has it
    return process;
  };
  for (let life = 0; life < 6; life++) {
    const process = start(between(random, 10, 1500));
    for (let n = 0; n < 60 && process.state === 'running'; n++) {
      change();
      if (random() < 0.05) outage = clock.now() + between(random, 0, 2 * minute);
      clock.advance(pick(random, [10, 200, 3000, 20_000]));
    }
    process.kill();
  }
  outage = 0;
  const last = start(undefined);
  clock.advance(minute);
  last.kill();
  const read = keysOf(world, 'out/').flatMap((key) =>
    textOf(world, key)
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => (JSON.parse(line) as { n: number }).n),
  );
  return { read: read.sort((a, b) => a - b), stayed: [...current.values()], failures, refused, progress };
}

test('a continuous job over a bucket that changes all the time, with hints, crashes and listings that fail, reads each version exactly once', () => {
  for (let seed = 1; seed <= effort(2, 12); seed++) {
    const { read, stayed, failures, refused, progress } = live(seed);
    expect([seed, failures]).toEqual([seed, []]);
    expect([seed, read]).toEqual([seed, [...new Set(read)]]);
    expect([seed, stayed.filter((version) => !read.includes(version))]).toEqual([seed, []]);
    const count = { objects: read.length, bytes: read.reduce((sum, n) => sum + `{"n":${n}}\n`.length, 0) };
    const none = { objects: 0, bytes: 0 };
    expect([seed, progress]).toMatchObject([
      seed,
      { listed: count, read: count, left: none, complete: true },
    ]);
    expect(progress?.lag?.oldestMs).toBeUndefined();
    expect(refused).toBeGreaterThan(0);
  }
});

test('so does one that reads objects in splits, which are lost together with their object', () => {
  for (let seed = 1; seed <= effort(1, 12); seed++) {
    const { read, stayed, failures } = live(seed, 12);
    expect([seed, failures]).toEqual([seed, []]);
    expect([seed, read]).toEqual([seed, [...new Set(read)]]);
    expect([seed, stayed.filter((version) => !read.includes(version))]).toEqual([seed, []]);
  }
});
