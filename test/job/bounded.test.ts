import { jest } from '@jest/globals';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { filter, lastValueFrom, map, tap, toArray } from 'rxjs';
import {
  bounded,
  countByKey,
  files,
  fileSink,
  fromAsyncIterable,
  loadConfig,
  ndjson,
  records,
  silentLogger,
  values,
  type BoundedOptions,
} from '../../src/index.js';
import {
  createMemoryStore,
  createStores,
  listAll,
  openStores,
  type Stores,
} from '../../src/entries/stores.js';
import { startGateway, type Gateway } from '../../src/testing/index.js';
import { Journals } from '../../src/sinks/twoPhase/journal.js';
import { linesBelow } from '../sources/streams.js';
import { credentials } from '../store/s3support.js';

interface Visit {
  readonly id: number;
  readonly kind: string;
}

const visits = (count: number): string =>
  Array.from(
    { length: count },
    (_, id) => `${JSON.stringify({ id, kind: id % 2 ? 'click' : 'view' })}\n`,
  ).join('');

async function filled(count: number): Promise<Stores> {
  const stores = createStores();
  await lastValueFrom(
    stores.open('memory://lake/').store.put('in/visits.ndjson', Buffer.from(visits(count))),
  );
  return stores;
}

const input = () => files('memory://lake/in/', { format: ndjson<Visit>() });
const output = <T>() => fileSink<T>('out', 'memory://lake/out', { format: ndjson() });

const quiet = (stores: Stores): BoundedOptions => ({ stores, logger: silentLogger });

test('a source, operators and a sink, without a job', async () => {
  const stores = await filled(1000);
  await bounded(
    input(),
    records(
      filter(({ kind }) => kind === 'click'),
      map(({ id }) => id),
    ),
    output(),
    quiet(stores),
  );
  expect(linesBelow(stores, 'out/')).toEqual(Array.from({ length: 500 }, (_, n) => 2 * n + 1));
  const left = await lastValueFrom(listAll(stores.open('memory://lake/').store, '').pipe(toArray()));
  expect(left.flat().map(({ key }) => key.split('/')[0])).toEqual(['in', 'out']);
});

test('state works as in a job, and two runs do not share it', async () => {
  const stores = await filled(100);
  const run = () =>
    bounded(input(), countByKey('counts', { key: ({ kind }: Visit) => kind }), output(), quiet(stores));
  await Promise.all([run(), run()]);
  const counts = linesBelow(stores, 'out/') as { key: string; count: number }[];
  expect(
    counts
      .filter(({ count }) => count === 50)
      .map(({ key }) => key)
      .sort(),
  ).toEqual(['click', 'click', 'view', 'view']);
});

test('a consumer without a sink: it resolves when the consumer is done', async () => {
  const stores = await filled(10);
  const seen: number[] = [];
  await bounded(
    input(),
    values(),
    tap(({ id }) => seen.push(id)),
    quiet(stores),
  );
  expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

describe('on S3', () => {
  let gateway: Gateway;
  let stores: ReturnType<typeof openStores>;
  beforeEach(async () => {
    gateway = await startGateway({ buckets: { lake: createMemoryStore() }, credentials });
    stores = openStores({ s3: { endpoint: gateway.endpoint, region: 'us-east-1', credentials } });
  });
  afterEach(async () => {
    stores.close();
    await gateway.close();
  });

  /** 12 MiB in records of 64 KiB: two parts are uploaded while it runs. */
  const large = async function* (fail?: () => void): AsyncGenerator<string> {
    for (let i = 0; i < 192; i++) {
      await Promise.resolve();
      if (i === 150) fail?.();
      yield 'x'.repeat(64 * 1024);
    }
  };
  const sink = fileSink<string>('out', 's3://lake/out', { format: ndjson(), partSize: '5MiB' });
  const options = (): BoundedOptions => ({
    logger: silentLogger,
    s3: { endpoint: gateway.endpoint, region: 'us-east-1', credentials },
  });
  const left = async () => {
    const { store } = stores.open('s3://lake/');
    const objects = await lastValueFrom(listAll(store, 'out/').pipe(toArray()));
    const { uploads } = await lastValueFrom(store.listUploads({ prefix: '' }));
    return { objects: objects.flat().map(({ size }) => ({ size })), uploads };
  };

  test('publishes when the input is over', async () => {
    await bounded(
      fromAsyncIterable(() => large()),
      sink,
      options(),
    );
    const { objects, uploads } = await left();
    expect(objects.map(({ size }) => size).reduce((a, b) => a + b, 0)).toBe(192 * (64 * 1024 + 3));
    expect(uploads).toEqual([]);
  });

  test('an error: nothing is published, and unfinished uploads are removed', async () => {
    let during: Awaited<ReturnType<typeof left>> | undefined;
    const source = fromAsyncIterable(async function* () {
      yield* large();
      // A part has been uploaded by then.
      while ((during = await left()).uploads.length === 0);
      throw new Error('broken');
    });
    await expect(bounded(source, sink, options())).rejects.toThrow('broken');
    expect(during?.uploads).toHaveLength(1);
    expect(await left()).toEqual({ objects: [], uploads: [] });
  });

  test('an abort: the same, with the reason of the signal', async () => {
    const abort = new AbortController();
    const source = fromAsyncIterable(() => large(() => abort.abort(new Error('no longer'))));
    await expect(bounded(source, sink, { ...options(), signal: abort.signal })).rejects.toThrow('no longer');
    expect(await left()).toEqual({ objects: [], uploads: [] });
    await expect(bounded(source, sink, { ...options(), signal: abort.signal })).rejects.toThrow('no longer');
  });
});

test('an abort is no failure in the log, and names nothing internal', async () => {
  const lines: [string, object, string][] = [];
  const noting = (level: string) => (context: object, message: string) => {
    lines.push([level, context, message]);
  };
  const logger = {
    debug: noting('debug'),
    info: noting('info'),
    warn: noting('warn'),
    error: noting('error'),
  };
  const abort = new AbortController();
  const source = fromAsyncIterable(async function* () {
    yield { user: 'a' };
    abort.abort(new Error('no longer'));
    await new Promise(() => undefined);
  });
  const sink = fileSink('out', 'memory://bounded-abort/out', { format: ndjson() });
  await expect(bounded(source, sink, { logger, signal: abort.signal })).rejects.toThrow('no longer');
  expect(lines.filter(([level]) => level === 'error' || level === 'warn')).toEqual([]);
  expect(lines).toContainEqual(['info', { job: 'bounded' }, 'The run was aborted']);
});

test('files on disk, with the configuration of jobs: places of checkpoints and savepoints have no effect', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'bounded-'));
  try {
    await writeFile(join(directory, 'in.ndjson'), visits(10));
    const uri = pathToFileURL(directory).href;
    await bounded(
      files(`${uri}/in.ndjson`, { format: ndjson<Visit>() }),
      fileSink('out', `${uri}/out`, { format: ndjson() }),
      {
        logger: silentLogger,
        config: loadConfig({
          env: {},
          set: {
            'state.backend': 's3',
            'state.checkpoints.dir': 's3://nowhere/checkpoints',
            'execution.savepoint.path': 's3://nowhere/savepoint',
          },
        }),
      },
    );
    const [name = ''] = (await readdir(join(directory, 'out'))).filter((each) => each.startsWith('part-'));
    expect(await readFile(join(directory, 'out', name), 'utf8')).toBe(visits(10));
  } finally {
    await rm(directory, { recursive: true });
  }
});

test.each([
  ['no sink', [], 'sink'],
  ['an unknown option', [output(), { checkpoints: {} }], 'checkpoints'],
  ['a wrong signal', [output(), { signal: 5 }], 'signal'],
])('%s is InvalidOption', async (_, rest, name) => {
  const run = bounded as (...all: readonly unknown[]) => Promise<void>;
  await expect(run(input(), ...rest)).rejects.toMatchObject({
    code: 'InvalidOption',
    message: expect.stringContaining(name) as string,
  });
});

test('sinks keep within their budgets without journals, which would stay in memory', async () => {
  const journal = jest.spyOn(Journals.prototype, 'write');
  const stores = createStores();
  const text = '.'.repeat(64 * 1024);
  await bounded(
    fromAsyncIterable(async function* () {
      for (let n = 0; n < 400; n++) yield await Promise.resolve({ n, text });
    }),
    fileSink<{ n: number; text: string }>('out', 'memory://lake/out', {
      format: ndjson(),
      partitionBy: ({ n }) => String(n % 12),
      partSize: '5MiB',
      budget: '10MiB',
    }),
    { stores, logger: silentLogger },
  );
  const written = journal.mock.calls.filter(([pieces]) => pieces.length > 0);
  journal.mockRestore();
  expect(written).toEqual([]);
  expect(linesBelow(stores, 'out/')).toHaveLength(400);
});
