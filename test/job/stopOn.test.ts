import { NEVER, tap } from 'rxjs';
import { createStores, decorate } from '../../src/entries/stores.js';
import { fileSink, files, MillraceError, ndjson, records, stopOn, values } from '../../src/index.js';
import { Lake, now } from './harness.js';

const lines = Array.from({ length: 40_000 }, (_, n) => ({ n }));

function lake(): Lake {
  const made = new Lake();
  made.put('raw/a.ndjson', lines);
  return made;
}

const raw = () =>
  files('memory://lake/raw/*', {
    format: ndjson<{ n: number }>(),
    prefetch: { window: 1, fragment: 4096 },
  });
const out = () => fileSink<{ n: number }>('out', 'memory://lake/out', { format: ndjson() });

test('a stop while the log is being claimed is not lost', async () => {
  const world = lake();
  const { job } = world.job();
  const stop = new AbortController();
  job.events$.subscribe(({ type }) => {
    if (type === 'claimed') stop.abort();
  });
  await expect(
    world.run(job, job.source('raw', raw()).pipe(out()), { signal: stop.signal }),
  ).resolves.toEqual({ outcome: 'stopped' });
});

test('a stop before the start ends the run before any request', async () => {
  const world = lake();
  const { job } = world.job();
  const flow = job.source('raw', raw()).pipe(out());
  await expect(world.run(job, flow, { signal: AbortSignal.abort() })).resolves.toEqual({
    outcome: 'stopped',
  });
  expect(now(world.store.list({ prefix: 'checkpoints/' })).objects).toEqual([]);
});

test('a stop does not wait for an unavailable store', async () => {
  const world = lake();
  const silent = decorate(world.store, () => NEVER);
  const { job } = world.job({
    stores: createStores({ schemes: { memory: () => silent }, clock: world.clock }),
  });
  const stop = new AbortController();
  const run = job.run(job.source('raw', raw()).pipe(out()), { signal: stop.signal });
  stop.abort();
  await expect(run).resolves.toEqual({ outcome: 'stopped' });
});

test('a stop whose checkpoint fails is not followed by a restart', async () => {
  const world = lake();
  const { job, events } = world.job();
  const stop = new AbortController();
  let seen = 0;
  const flow = job.source('raw', raw()).pipe(
    records(
      tap(() => {
        if (++seen !== 10) return;
        stop.abort();
        throw new MillraceError('Flaky', 'try again', { retryable: true });
      }),
    ),
    out(),
  );
  await expect(world.run(job, flow, { signal: stop.signal })).resolves.toEqual({ outcome: 'stopped' });
  expect(events.filter(({ type }) => type === 'attempt-started')).toHaveLength(1);
  const again = world.job();
  await world.run(again.job, again.job.source('raw', raw()).pipe(out()));
  expect(world.lines('out/')).toEqual(lines);
});

describe('stopOn', () => {
  const listeners = (): number => process.listenerCount('SIGUSR2');
  const run = (signal: AbortSignal, world = lake()) => {
    const { job } = world.job();
    return world.run(job, job.source('raw', raw()).pipe(out()), { signal });
  };

  test('listens until the run that uses it is over', async () => {
    const signal = stopOn('SIGUSR2');
    expect(listeners()).toBe(1);
    const running = run(signal);
    expect(listeners()).toBe(1);
    await running;
    expect(listeners()).toBe(0);
  });

  test('listens again for the next run, and as long as any of several runs', async () => {
    const signal = stopOn('SIGUSR2');
    await run(signal);
    const world = lake();
    const [first, second] = [world.job({ name: 'first' }).job, world.job({ name: 'second' }).job];
    const seen: number[] = [];
    const leaves = [first, second].map((job) =>
      job.source('raw', raw()).pipe(
        values(),
        tap(() => seen.push(listeners())),
      ),
    );
    await Promise.all([first, second].map((job, i) => world.run(job, leaves[i]!, { signal })));
    expect(new Set(seen)).toEqual(new Set([1]));
    expect(listeners()).toBe(0);
  });

  test('a signal stops the run', async () => {
    const signal = stopOn('SIGUSR2');
    const world = lake();
    const { job } = world.job();
    let seen = 0;
    const signalled = tap<{ n: number }>(() => {
      if (++seen === 100) process.emit('SIGUSR2');
    });
    const flow = job.source('raw', raw()).pipe(records(signalled), out());
    await expect(world.run(job, flow, { signal })).resolves.toEqual({ outcome: 'stopped' });
    expect(listeners()).toBe(0);
  });
});

test('a job that is stopped by a handler of its event running stops at a checkpoint', async () => {
  const lake = new Lake();
  lake.put('in/a', [1, 2, 3]);
  const { job, events } = lake.job();
  const stop = new AbortController();
  job.events$.subscribe(({ type }) => {
    if (type === 'running') stop.abort();
  });
  const flow = job.source('in', files('memory://lake/in/', { format: ndjson<number>() }));
  expect(await lake.run(job, flow, { signal: stop.signal })).toEqual({ outcome: 'stopped' });
  expect(events.map(({ type }) => type)).toContain('checkpoint-durable');
});
