import fc from 'fast-check';
import { catchError, EMPTY, tap } from 'rxjs';
import {
  createJob,
  fileSink,
  fromReplayable,
  MillraceError,
  ndjson,
  records,
  silentLogger,
  values,
  type JobEvent,
  type Page,
  type ReplayableOptions,
} from '../../src/index.js';
import { createStores } from '../../src/entries/stores.js';
import { linesBelow } from './streams.js';

/** Numbers below `end` in pages of `size`; the position is the next number. */
async function* numbers(from: number, end: number, size: number): AsyncGenerator<Page<number, number>> {
  for (let at = from; at < end; at += size) {
    await Promise.resolve();
    const next = Math.min(at + size, end);
    yield { records: Array.from({ length: next - at }, (_, i) => at + i), next };
  }
}

const upTo = (end: number): number[] => Array.from({ length: end }, (_, n) => n);

function jobOn(stores: ReturnType<typeof createStores>, restart: 'none' | { initial: number } = 'none') {
  const job = createJob({
    name: 'test',
    checkpoints: { dir: 'memory://lake/checkpoints', interval: 1 },
    restart,
    logger: silentLogger,
    stores,
  });
  const events: JobEvent[] = [];
  job.events$.subscribe((event) => events.push(event));
  return { job, events };
}

const out = () => fileSink<number>('out', 'memory://lake/out', { format: ndjson() });

/** Runs it until the record `dies`, which ends the run. */
async function run(
  stores: ReturnType<typeof createStores>,
  options: ReplayableOptions<number, number>,
  dies?: number,
): Promise<void> {
  const { job } = jobOn(stores);
  const flow = job.source('in', fromReplayable(options)).pipe(
    records(
      tap((n) => {
        if (n === dies) throw new Error('dies');
      }),
    ),
  );
  const end = job.run(flow.pipe(out()));
  if (dies === undefined) await end;
  else await expect(end).rejects.toThrow('dies');
}

test('exactly once, wherever it dies and however the input is divided into pages after that', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat(300),
      fc.array(fc.tuple(fc.nat(300), fc.integer({ min: 1, max: 80 })), { maxLength: 3 }),
      async (end, deaths) => {
        const stores = createStores();
        const opened: (number | undefined)[] = [];
        const paged = (size: number): ReplayableOptions<number, number> => ({
          // A poll passes on 16 records.
          bytes: () => 4096,
          open: (from) => {
            opened.push(from);
            return numbers(from ?? 0, end, size);
          },
        });
        for (const [at, size] of deaths.sort(([a], [b]) => a - b))
          if (at < end) await run(stores, paged(size), at);
        await run(stores, paged(7));
        expect(linesBelow(stores, 'out/').sort((a, b) => Number(a) - Number(b))).toEqual(upTo(end));
      },
    ),
    { numRuns: 40 },
  );
});

test('a restored position lies within a page; what follows it is read again, and nothing before', async () => {
  const stores = createStores();
  const opened: (number | undefined)[] = [];
  const { job } = jobOn(stores);
  const abort = new AbortController();
  const source = fromReplayable<number, number>({
    bytes: () => 64 * 1024,
    open: (from = 0) => numbers(from, 10, 4),
  });
  let seen = 0;
  await job.run(
    job.source('in', source).pipe(
      records(
        tap(() => {
          if (++seen === 6) abort.abort();
        }),
      ),
      out(),
    ),
    { signal: abort.signal },
  );
  expect(seen).toBeLessThan(10);
  const again = jobOn(stores).job;
  const read: number[] = [];
  await again.run(
    again
      .source(
        'in',
        fromReplayable<number, number>({
          open: (from) => {
            opened.push(from);
            return numbers(from ?? 0, 10, 4);
          },
        }),
      )
      .pipe(records(tap((n) => read.push(n))), out()),
  );
  expect(opened).toEqual([4]);
  expect(read).toEqual(upTo(10).slice(seen));
});

test('the size of each record is asked for once', async () => {
  const sized: number[] = [];
  const bytes = (n: number): number => sized.push(n);
  await run(createStores(), { bytes, open: () => numbers(0, 10, 4) });
  expect(sized).toEqual(upTo(10));
});

test('an input that has become shorter than the position is BadPosition', async () => {
  const stores = createStores();
  const { job } = jobOn(stores);
  const abort = new AbortController();
  const source = fromReplayable<number, number>({ bytes: () => 64 * 1024, open: () => numbers(0, 10, 10) });
  await job.run(job.source('in', source).pipe(records(tap(() => abort.abort())), out()), {
    signal: abort.signal,
  });
  await expect(run(stores, { open: () => [] })).rejects.toMatchObject({ code: 'BadPosition' });
});

describe('errors', () => {
  const reset = Object.assign(new Error('reset'), { code: 'ECONNRESET' });

  test('of the network restart the job at the last checkpoint', async () => {
    const stores = createStores();
    const { job, events } = jobOn(stores, { initial: 1 });
    let failures = 0;
    const flow = job.source(
      'in',
      fromReplayable<number, number>({
        open: async function* (from = 0) {
          yield* numbers(from, 5, 5);
          if (failures++ < 2) throw new TypeError('fetch failed', { cause: reset });
          yield* numbers(Math.max(5, from), 10, 5);
        },
      }),
    );
    await job.run(flow.pipe(out()));
    expect(linesBelow(stores, 'out/').sort((a, b) => Number(a) - Number(b))).toEqual(upTo(10));
    expect(events.filter(({ type }) => type === 'restarting')).toHaveLength(2);
  });

  test.each([
    ['a defect of the input', new TypeError('x is not a function'), undefined, false],
    ['a network error', reset, undefined, true],
    ['one that the user calls retryable', new Error('busy'), () => true, true],
    ['a network error that the user does not call retryable', reset, () => false, false],
  ])('%s is InputFailed, with the error as its cause', async (_, cause, retryable, expected) => {
    const failing: ReplayableOptions<number, number> = {
      description: 'orders',
      open: () => {
        throw cause;
      },
      ...(retryable === undefined ? {} : { retryable }),
    };
    const error: unknown = await run(createStores(), failing).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'InputFailed', cause, retryable: expected });
    expect((error as Error).message).toBe(`Source 'in' could not read orders: ${cause.message}`);
  });

  test.each([
    ['no records', { next: 1 }],
    ['no list', { records: 'abc', next: 1 }],
    ['no position', { records: [] }],
    ['a position that JSON does not preserve', { records: [], next: new Date(0) }],
    ['nothing', undefined],
  ])('a page with %s is InvalidOption', async (_, page) => {
    const open = (): Iterable<Page<number, number>> => [page as unknown as Page<number, number>];
    await expect(run(createStores(), { open })).rejects.toMatchObject({ code: 'InvalidOption' });
  });

  test.each([
    [{}, 'open'],
    [{ open: () => [], bytes: 5 }, 'bytes'],
    [{ open: () => [], retryable: true }, 'retryable'],
    [{ open: () => [], durable: true }, 'durable'],
    [{ open: () => [], pages: 5 }, 'pages'],
  ])('options %j are refused', (options, name) => {
    const wrong = (): unknown => fromReplayable(options as never);
    expect(wrong).toThrow(MillraceError);
    expect(wrong).toThrow(name);
  });
});

test('durable: positions of checkpoints, in order, each once the records before it are published', async () => {
  const stores = createStores();
  const durable: number[] = [];
  const { job } = jobOn(stores);
  const source = fromReplayable<number, number>({
    open: (from = 0) => numbers(from, 100, 10),
    durable: (position) => durable.push(position),
  });
  await job.run(job.source('in', source).pipe(out()));
  expect(durable.at(-1)).toBe(100);
  expect([...durable].sort((a, b) => a - b)).toEqual(durable);
});

test.each<[string, string | object]>([
  ['strings', 'x'.repeat(1024)],
  ['nested numbers', { lines: [{ points: Array<number>(100).fill(1) }] }],
  ['many values', Array.from({ length: 100 }, (_, n) => ({ n }))],
])('pages are not read ahead of the consumer by more than the budget and a mebibyte: %s', async (_, kib) => {
  const { job } = jobOn(createStores());
  let asked = 0;
  let most = 0;
  let taken = 0;
  const source = fromReplayable<string | object, number>({
    async *open() {
      for (let page = 0; page < 400; page++) {
        await Promise.resolve();
        asked += 16;
        most = Math.max(most, asked - taken);
        yield { records: Array<string | object>(16).fill(kib), next: page };
      }
    },
  });
  await job.run(
    job.source('in', source).pipe(
      values(),
      tap(() => taken++),
      catchError(() => EMPTY),
    ),
  );
  expect(taken).toBe(6400);
  // A mebibyte ahead, a page that is asked for, and one that is being taken.
  expect(most).toBeLessThanOrEqual(1024 + 32);
});

test('the attempt closes what it has opened: the signal is aborted and the iteration ended', async () => {
  let aborted = false;
  let ended = false;
  const open = async function* (_: number | undefined, signal: AbortSignal) {
    signal.addEventListener('abort', () => (aborted = true));
    try {
      yield* numbers(0, 1000, 10);
    } finally {
      ended = true;
    }
  };
  await run(createStores(), { open }, 5);
  expect(aborted).toBe(true);
  await new Promise(setImmediate);
  expect(ended).toBe(true);
});

test.each<[string, unknown, RegExp]>([
  ['next is a date', [{ records: [], next: new Date(0) }], /^fromReplayable: next of a page of /],
  ['next is missing', [{ records: [] }], /^fromReplayable: next of a page of /],
  [
    'open returns a promise',
    Promise.resolve([]),
    /^fromReplayable: what open of .* returned: .* not a promise/,
  ],
])('a mistake is named: %s', async (_, given, message) => {
  const open = () => given as never;
  await expect(run(createStores(), { open })).rejects.toMatchObject({
    code: 'InvalidOption',
    message: expect.stringMatching(message) as string,
  });
});
