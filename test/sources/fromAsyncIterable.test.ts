import { Readable } from 'node:stream';
import { concatMap, delay, of, tap } from 'rxjs';
import {
  createJob,
  fromAsyncIterable,
  fromReadable,
  records,
  silentLogger,
  values,
} from '../../src/index.js';
import type { Source } from '../../src/entries/operators.js';
import { createStores } from '../../src/entries/stores.js';

async function* numbers(end: number): AsyncGenerator<number> {
  for (let n = 0; n < end; n++) {
    await Promise.resolve();
    yield n;
  }
}

function jobOn(stores = createStores(), restart: 'none' | { initial: number } = 'none') {
  return createJob({
    name: 'test',
    checkpoints: { dir: 'memory://lake/checkpoints', interval: 1 },
    restart,
    logger: silentLogger,
    stores,
  });
}

async function read<T>(source: Source<T>, job = jobOn()): Promise<T[]> {
  const read: T[] = [];
  await job.run(
    job.source<unknown>('in', source as never).pipe(
      values(),
      tap((record) => read.push(record as T)),
    ),
  );
  return read;
}

test('all items, in order', async () => {
  expect(await read(fromAsyncIterable(numbers(5000)))).toEqual(Array.from({ length: 5000 }, (_, n) => n));
  expect(await read(fromAsyncIterable(numbers(0)))).toEqual([]);
});

test('undefined and null are records like others', async () => {
  const items = async function* (): AsyncGenerator<number | undefined | null> {
    await Promise.resolve();
    yield* [undefined, 1, null];
  };
  expect(await read(fromAsyncIterable(items))).toEqual([undefined, 1, null]);
});

test('a slow consumer holds the iterable back', async () => {
  const kib = 'x'.repeat(1024);
  let asked = 0;
  let taken = 0;
  let most = 0;
  const items = async function* (): AsyncGenerator<string> {
    for (; asked < 2000; asked++) {
      most = Math.max(most, asked - taken);
      await Promise.resolve();
      yield kib;
    }
  };
  const job = createJob({
    name: 'test',
    checkpoints: { dir: 'memory://lake/checkpoints' },
    budget: '64KiB',
    logger: silentLogger,
    stores: createStores(),
  });
  const slow = job.source('in', fromAsyncIterable(items)).pipe(
    records(tap(() => taken++)),
    values(),
    // Credits are released with the records, so the job itself is not slowed down.
    concatMap((record) => of(record).pipe(delay(0))),
  );
  await job.run(slow);
  expect(taken).toBe(2000);
  expect(most).toBeLessThanOrEqual(256 + 64 + 1);
});

test('an iterable is read once: a restart is NotReplayable; a function is called for each attempt', async () => {
  const failsOnce = () => {
    let failed = false;
    return async function* (): AsyncGenerator<number> {
      yield* numbers(3);
      if (failed) return;
      failed = true;
      throw Object.assign(new Error('again'), { code: 'x' });
    };
  };
  await expect(read(fromAsyncIterable(failsOnce()))).rejects.toThrow('again');
  const once = fromAsyncIterable(numbers(3));
  expect(await read(once)).toEqual([0, 1, 2]);
  await expect(read(once)).rejects.toMatchObject({ code: 'NotReplayable' });
  const often = fromAsyncIterable(() => numbers(3));
  expect(await read(often)).toEqual([0, 1, 2]);
  expect(await read(often)).toEqual([0, 1, 2]);
});

test('records before an error arrive, then the error ends the job', async () => {
  const seen: number[] = [];
  const items = async function* (): AsyncGenerator<number> {
    yield* numbers(3);
    throw new Error('broken');
  };
  const job = jobOn();
  const flow = job.source('in', fromAsyncIterable(items)).pipe(records(tap((n) => seen.push(n))));
  await expect(job.run(flow)).rejects.toThrow('broken');
  expect(seen).toEqual([0, 1, 2]);
});

test('the iteration ends with the job', async () => {
  let ended = false;
  const items = async function* (): AsyncGenerator<number> {
    try {
      yield* numbers(1000);
    } finally {
      ended = true;
    }
  };
  const job = jobOn();
  const flow = job.source('in', fromAsyncIterable(items)).pipe(
    records(
      tap((n) => {
        if (n === 5) throw new Error('enough');
      }),
    ),
  );
  await expect(job.run(flow)).rejects.toThrow('enough');
  await new Promise(setImmediate);
  expect(ended).toBe(true);
});

test('a stream: its chunks, with the stream destroyed at the end', async () => {
  const stream = Readable.from([Buffer.from('ab'), Buffer.from('c')]);
  expect((await read(fromReadable(stream))).map(String)).toEqual(['ab', 'c']);
  expect(stream.destroyed).toBe(true);
  const failing = new Readable({
    read() {
      this.destroy(new Error('no more'));
    },
  });
  await expect(read(fromReadable(failing))).rejects.toThrow('no more');
});

test.each([
  ['a list', [1, 2]],
  ['nothing', undefined],
  ['a promise', Promise.resolve()],
])('%s instead of an iterable is InvalidOption', (_, input) => {
  expect(() => fromAsyncIterable(input as never)).toThrow(expect.objectContaining({ code: 'InvalidOption' }));
});

test('a function that returns no iterable is InvalidOption', async () => {
  const source = fromAsyncIterable((() => 5) as never);
  await expect(read(source)).rejects.toMatchObject({
    code: 'InvalidOption',
  });
});
