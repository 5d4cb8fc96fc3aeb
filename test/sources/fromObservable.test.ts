import { concat, delay, from, of, range, Subject, tap, throwError, type Observable } from 'rxjs';
import {
  createJob,
  fromObservable,
  records,
  silentLogger,
  type JobEvent,
  type ObservableOptions,
} from '../../src/index.js';
import { createStores } from '../../src/entries/stores.js';

async function read(
  input: Observable<number>,
  options: ObservableOptions<number> = {},
  on: (n: number) => void = () => undefined,
): Promise<{ read: number[]; events: JobEvent[] }> {
  const job = createJob({
    name: 'test',
    checkpoints: { dir: 'memory://lake/checkpoints' },
    restart: 'none',
    logger: silentLogger,
    stores: createStores(),
  });
  const events: JobEvent[] = [];
  job.events$.subscribe((event) => events.push(event));
  const read: number[] = [];
  const flow = job.source('in', fromObservable(input, options)).pipe(
    records(
      tap((n) => {
        read.push(n);
        on(n);
      }),
    ),
  );
  await job.run(flow);
  return { read, events };
}

const upTo = (end: number): number[] => Array.from({ length: end }, (_, n) => n);

test('its records, in order, synchronous or not', async () => {
  expect((await read(range(0, 10_000))).read).toEqual(upTo(10_000));
  expect((await read(concat(of(0, 1), of(2).pipe(delay(1)), of(3)))).read).toEqual([0, 1, 2, 3]);
  expect((await read(from([]))).read).toEqual([]);
});

test('a record that a record causes is read as well', async () => {
  const input = new Subject<number>();
  const { read: all } = await read(concat(of(0), input), {}, (n) => {
    if (n < 5) queueMicrotask(() => input.next(n + 1));
    else queueMicrotask(() => input.complete());
  });
  expect(all).toEqual([0, 1, 2, 3, 4, 5]);
});

test('too many waiting records are SourceOverflow, and the Observable is unsubscribed', async () => {
  const input = new Subject<number>();
  const job = read(concat(range(0, 11), input), { buffer: 10 });
  await expect(job).rejects.toMatchObject({ code: 'SourceOverflow' });
  expect(input.observed).toBe(false);
});

test.each([
  ['drop-newest' as const, upTo(10)],
  ['drop-oldest' as const, upTo(25).slice(15)],
])('%s, counted by events', async (overflow, expected) => {
  const { read: all, events } = await read(range(0, 25), { buffer: 10, overflow });
  expect(all).toEqual(expected);
  const counts = events.filter(({ type }) => type === 'reported').map((event) => JSON.stringify(event));
  expect(counts).toHaveLength(4);
  for (const [i, count] of [1, 2, 4, 8].entries()) expect(counts[i]).toContain(`"count":${count}`);
});

test('an error ends the job', async () => {
  await expect(read(throwError(() => new Error('broken')))).rejects.toThrow('broken');
});

test.each([
  [[1, 2], {}, 'Observable'],
  [of(1), { buffer: 0 }, 'buffer'],
  [of(1), { overflow: 'block' }, 'overflow'],
  [of(1), { size: 1 }, 'size'],
])('wrong arguments %# are refused', (input, options, name) => {
  expect(() => fromObservable(input as never, options as never)).toThrow(name);
});
