import { pipeline } from 'node:stream/promises';
import { Writable } from 'node:stream';
import { tap } from 'rxjs';
import {
  createJob,
  fileSink,
  fromAsyncIterable,
  fromReplayable,
  ndjson,
  records,
  silentLogger,
  toAsyncIterable,
  toReadable,
  type Job,
  type JobEvent,
  type Page,
} from '../../src/index.js';
import type { Source } from '../../src/entries/operators.js';
import { createStores, type Stores } from '../../src/entries/stores.js';
import { isRetryable, MillraceError } from '../../src/errors.js';
import { linesBelow } from '../sources/streams.js';

const upTo = (end: number): number[] => Array.from({ length: end }, (_, n) => n);

/** Pages of ten numbers. */
function numbers(end: number, bytes = 1024): Source<number> {
  return fromReplayable<number, number>({
    bytes: () => bytes,
    open: async function* (from = 0): AsyncGenerator<Page<number, number>> {
      for (let at = from; at < end; at += 10) {
        await Promise.resolve();
        const next = Math.min(at + 10, end);
        yield { records: upTo(next - at).map((n) => at + n), next };
      }
    },
  });
}

function jobOn(
  stores: Stores = createStores(),
  more: { budget?: number; restart?: { initial: number } } = {},
) {
  const job = createJob({
    name: 'test',
    checkpoints: { dir: 'memory://lake/checkpoints', interval: 1 },
    restart: 'none',
    logger: silentLogger,
    stores,
    ...more,
  });
  const events: JobEvent[] = [];
  job.events$.subscribe((event) => events.push(event));
  return { job, events };
}

const iterated = (job: Job, end: number) =>
  toAsyncIterable('out', job.source('in', numbers(end)), (leaf) => job.run(leaf));

test('all records in order, and then the end, for good', async () => {
  const { job, events } = jobOn();
  const all = iterated(job, 1000);
  const read: number[] = [];
  for await (const n of all) read.push(n);
  expect(read).toEqual(upTo(1000));
  expect(events.map(({ type }) => type)).toContain('finished');
  expect(await all.next()).toEqual({ done: true, value: undefined });
});

test('nothing runs before the first request, or after leaving without one', async () => {
  let runs = 0;
  const { job } = jobOn();
  const all = toAsyncIterable('out', job.source('in', numbers(10)), (leaf) => {
    runs++;
    return job.run(leaf);
  });
  expect(runs).toBe(0);
  expect(await all.return?.()).toEqual({ done: true, value: undefined });
  expect(await all.next()).toEqual({ done: true, value: undefined });
  expect(runs).toBe(0);
});

test('several requests at a time are answered in order', async () => {
  const { job } = jobOn();
  const all = iterated(job, 3);
  const results = await Promise.all([all.next(), all.next(), all.next(), all.next(), all.next()]);
  expect(results.map(({ value }) => value)).toEqual([0, 1, 2, undefined, undefined]);
});

test('the source is at most its budget ahead of the consumer', async () => {
  let asked = 0;
  let taken = 0;
  let most = 0;
  const kib = 'x'.repeat(1024);
  const items = async function* (): AsyncGenerator<string> {
    for (; asked < 3000; asked++) {
      most = Math.max(most, asked - taken);
      await Promise.resolve();
      yield kib;
    }
  };
  const { job } = jobOn(createStores(), { budget: 64 * 1024 });
  const flow = job.source('in', fromAsyncIterable(items));
  for await (const record of toAsyncIterable('out', flow, (leaf) => job.run(leaf))) {
    taken += record === kib ? 1 : 0;
    // The job gets every chance to run ahead.
    await new Promise(setImmediate);
  }
  expect(taken).toBe(3000);
  // Its own buffer of 256 KiB, the budget, and a slice.
  expect(most).toBeGreaterThan(256);
  expect(most).toBeLessThanOrEqual(256 + 64 + 64 + 1);
});

test('leaving early: the next start continues after what was confirmed, and delivers everything else', async () => {
  const stores = createStores();
  const read: number[] = [];
  for (let start = 0; start < 8 && (read.at(-1) ?? 0) < 99; start++) {
    // A barrier comes after the records that are in flight: few.
    const { job, events } = jobOn(stores, { budget: 64 * 1024 });
    let ofThisStart = 0;
    const flow = job.source('in', numbers(100, 32 * 1024));
    for await (const n of toAsyncIterable('out', flow, (leaf) => job.run(leaf))) {
      read.push(n);
      // Checkpoints get their time.
      await new Promise((resolve) => setTimeout(resolve, 1));
      if (++ofThisStart === 25) break;
    }
    const failed = events.flatMap((event) => (event.type === 'failed' ? [event.error] : []));
    if (ofThisStart === 25 && (read.at(-1) ?? 0) < 99)
      expect(failed).toEqual([expect.objectContaining({ code: 'Abandoned' })]);
  }
  expect([...new Set(read)]).toEqual(upTo(100));
  // At least once, and not from the beginning each time.
  expect(read.length).toBeLessThan(200);
});

test('no checkpoint is ahead of the consumer: a record that was not confirmed comes again', async () => {
  const stores = createStores();
  const first = jobOn(stores);
  const all = iterated(first.job, 10);
  expect(await all.next()).toEqual({ done: false, value: 0 });
  expect(await all.next()).toEqual({ done: false, value: 1 });
  // 1 has been delivered, and no more is asked for: it counts as being worked on, however long that takes.
  await new Promise((resolve) => setTimeout(resolve, 30));
  await all.return?.();
  const again: number[] = [];
  for await (const n of iterated(jobOn(stores).job, 10)) again.push(n);
  expect(again).toContain(1);
  expect(again.at(-1)).toBe(9);
});

test('an error of the run is thrown once, after the records before it', async () => {
  const { job } = jobOn();
  const flow = job.source('in', numbers(100)).pipe(
    records(
      tap((n) => {
        if (n === 7) throw new Error('seven');
      }),
    ),
  );
  const all = toAsyncIterable('out', flow, (leaf) => job.run(leaf));
  const read: number[] = [];
  const reading = async (): Promise<void> => {
    for await (const n of all) read.push(n);
  };
  await expect(reading()).rejects.toThrow('seven');
  expect(read.length).toBeLessThanOrEqual(7);
  expect(await all.next()).toEqual({ done: true, value: undefined });
});

test('an error of a loop is that of the loop, and the job ends', async () => {
  const { job } = jobOn();
  const loop = async (): Promise<void> => {
    for await (const n of iterated(job, 100)) if (n === 3) throw new Error('three');
  };
  await expect(loop()).rejects.toThrow('three');
  // It can run again, so it has ended.
  for await (const n of toAsyncIterable('out', job.source('in2', numbers(1)), (leaf) => job.run(leaf)))
    expect(n).toBe(0);
}, 20_000);

test('a restart continues the iteration', async () => {
  const { job, events } = jobOn(createStores(), { restart: { initial: 1 } });
  let failed = false;
  const flow = job.source('in', numbers(50)).pipe(
    records(
      tap((n) => {
        if (n !== 30 || failed) return;
        failed = true;
        throw new MillraceError('Test', 'once', { retryable: true });
      }),
    ),
  );
  const read: number[] = [];
  for await (const n of toAsyncIterable('out', flow, (leaf) => job.run(leaf))) {
    read.push(n);
    await new Promise(setImmediate);
  }
  expect([...new Set(read)].sort((a, b) => a - b)).toEqual(upTo(50));
  expect(events.map(({ type }) => type)).toContain('restarting');
  expect(isRetryable(new Error())).toBe(false);
});

test('beside a sink: both get everything', async () => {
  const stores = createStores();
  const { job } = jobOn(stores);
  const flow = job.source('in', numbers(100));
  const sink = flow.pipe(fileSink('files', 'memory://lake/out', { format: ndjson() }));
  const read: number[] = [];
  for await (const n of toAsyncIterable('out', flow, (leaf) => job.run(sink, leaf))) read.push(n);
  expect(read).toEqual(upTo(100));
  expect(linesBelow(stores, 'out/').sort((a, b) => Number(a) - Number(b))).toEqual(upTo(100));
});

test('a stream: all records with backpressure; destroying it leaves the job', async () => {
  const { job } = jobOn();
  const read: number[] = [];
  const slow = new Writable({
    objectMode: true,
    highWaterMark: 1,
    write(n: number, _, written) {
      read.push(n);
      setImmediate(written);
    },
  });
  await pipeline(
    toReadable('out', job.source('in', numbers(200)), (leaf) => job.run(leaf)),
    slow,
  );
  expect(read).toEqual(upTo(200));

  const other = jobOn();
  const stream = toReadable('out', other.job.source('in', numbers(200)), (leaf) => other.job.run(leaf));
  for await (const n of stream) if (n === 5) break;
  expect(stream.destroyed).toBe(true);
  expect(other.events.map(({ type }) => type)).toContain('failed');
});

test('an id is required', () => {
  const { job } = jobOn();
  expect(() => toAsyncIterable('', job.source('in', numbers(1)), (leaf) => job.run(leaf))).toThrow(
    expect.objectContaining({ code: 'InvalidOption' }),
  );
});
