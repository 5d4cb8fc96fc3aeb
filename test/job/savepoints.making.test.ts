/** What the coordinator, sinks and stores do while a savepoint is made. */
import { lastValueFrom, of, tap, toArray, type Subscriber } from 'rxjs';
import {
  flowOperator,
  TwoPhaseSink,
  type Attempt,
  type Barrier,
  type FrozenWork,
  type Prepared,
} from '../../src/entries/operators.js';
import {
  createMemoryStore,
  createStores,
  listAll,
  openStores,
  type StoreCall,
  type ObjectStore,
} from '../../src/entries/stores.js';
import {
  createJob,
  fileSink,
  files,
  keyed,
  loadConfig,
  ndjson,
  silentLogger,
  valueState,
  values,
  type MillraceError,
  type Signal,
} from '../../src/index.js';
import { createOperations } from '../../src/fs/operations/index.js';
import { delayed, startGateway } from '../../src/testing/index.js';
import { ticks } from '../config/effects/world.js';
import { credentials } from '../store/s3support.js';
import { Lake, now } from './harness.js';

const keysOf = (store: ObjectStore, prefix = ''): string[] =>
  now(listAll(store, prefix).pipe(toArray()))
    .flat()
    .map(({ key }) => key);

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'none',
    (error: unknown) => (error as MillraceError).code,
  );

test('objects that are being copied are kept while the job merges them, and are deleted afterwards', async () => {
  const lake = new Lake();
  const slow = delayed(lake.store, {
    clock: lake.clock,
    before: ({ method }) => (method === 'copy' ? 20_000 : 0),
  });
  const stores = createStores({ schemes: { memory: () => slow }, clock: lake.clock });
  const config = loadConfig({ env: {}, file: false, set: { 'state.backend.s3.compaction-trigger': '2' } });
  /** The segments of the first job at these records, ten of which come in a second. */
  const at = new Map<number, readonly string[]>([250, 500].map((n) => [n, []]));
  const counter = (name: string, from?: string) => {
    const { job, events } = lake.job({
      ...{ name, config, stores, checkpoints: { interval: '1s' } },
      ...(from === undefined ? {} : { from }),
    });
    let made = Promise.resolve('');
    const counts: number[] = [];
    const flow = job.source('in', ticks(600, 100)).pipe(
      keyed('per-digit', {
        key: (n: number) => n % 10,
        state: { count: valueState(0) },
        onRecord: (n, { count }) => {
          if (from === undefined && n === 100) made = job.savepoint('memory://lake/savepoints');
          if (from === undefined && at.has(n)) {
            expect(events.some(({ type }) => type === 'savepoint-made')).toBe(n === 500);
            at.set(n, keysOf(lake.store, 'checkpoints/test/data/'));
          }
          return [count.update((before) => before + 1)];
        },
      }),
      values(),
      tap((count) => counts.push(count)),
    );
    return { counts, run: () => lake.run(job, flow).then(() => made) };
  };
  const uri = await counter('test').run();
  const copied = keysOf(lake.store, 'savepoints/').filter((key) => key.endsWith('.state'));
  const pinned = copied.map((key) => `checkpoints/test/data/${key.split('/').slice(-2).join('/')}`);
  expect(pinned).not.toEqual([]);
  expect(at.get(250)).toEqual(expect.arrayContaining(pinned));
  expect(at.get(500)?.filter((key) => pinned.includes(key))).toEqual([]);

  const second = counter('second', uri);
  await second.run();
  expect(second.counts.at(-1)).toBe(60);
});

/** Writes 100 numbers, and is asked to stop at a savepoint at the 50th. */
function stopping(lake: Lake, before: (call: StoreCall) => number) {
  const stores = createStores({
    schemes: { memory: () => delayed(lake.store, { clock: lake.clock, before }) },
    clock: lake.clock,
  });
  const { job, events } = lake.job({ stores, checkpoints: { interval: '1s' } });
  let made = Promise.resolve('');
  const leaf = job.source('in', ticks(100, 100)).pipe(
    keyed('all', {
      key: () => 0,
      state: { count: valueState(0) },
      onRecord: (n: number, { count }) => {
        if (n === 50) made = job.savepoint('memory://lake/savepoints', { stop: true });
        return [{ n, count: count.update((counted) => counted + 1) }];
      },
    }),
    fileSink('out', 'memory://lake/out', { format: ndjson() }),
  );
  return { job, events, run: () => lake.run(job, leaf).then(() => made) };
}

test('a savepoint is complete only when the output before it is published', async () => {
  const lake = new Lake();
  const { job, run } = stopping(lake, ({ method, key }) =>
    key.startsWith('out/') && method !== 'list' ? 5000 : 0,
  );
  let published: number | undefined;
  job.events$.subscribe(({ type }) => {
    if (type === 'savepoint-made') published = lake.lines('out/').length;
  });
  await run();
  expect(published).toBeGreaterThanOrEqual(50);
  expect(lake.lines('out/').length).toBe(published);
});

test('a checkpoint that subsumes that of a savepoint takes its place', async () => {
  const lake = new Lake();
  // An earlier checkpoint is being written when those of the savepoint and of the stop are complete.
  const { events, run } = stopping(lake, ({ method, key }) =>
    method === 'put' && key.includes('/log/') ? 3000 : 0,
  );
  const uri = await run();
  expect(events.find(({ type }) => type === 'savepoint-made')).toMatchObject({ uri, checkpoint: 4 });
  expect(keysOf(lake.store, uri.replace('memory://lake/', ''))).toContainEqual(
    expect.stringMatching(/\/root$/),
  );
});

test('copies of a start that died are removed once a later one runs', async () => {
  const lake = new Lake();
  const uri = await stopping(lake, () => 0).run();
  const left = 'checkpoints/second/data/0000000000/abcdefghijkl/0000000001/all-1.state';
  now(lake.store.put(left, Buffer.from('x')));
  const { job } = lake.job({ name: 'second', from: uri });
  let there: boolean | undefined;
  const flow = job.source('in', ticks(100, 100)).pipe(
    keyed('all', {
      key: () => 0,
      state: { count: valueState(0) },
      onRecord: (n: number, { count }) => {
        if (n === 90) there = keysOf(lake.store, 'checkpoints/second/').includes(left);
        return [count.update((counted) => counted + 1)];
      },
    }),
    values(),
  );
  await lake.run(
    job,
    flow,
    job.source('more', ticks(1, 0)).pipe(fileSink('out', 'memory://lake/out', { format: ndjson() })),
  );
  expect(there).toBe(false);
});

/** Lets its work stay open at every barrier, against the rule of savepoints. */
class OpenSink extends TwoPhaseSink<number, { readonly uid: string }> {
  #attempt!: Attempt;

  constructor(
    out: Subscriber<Signal>,
    id: string,
    private readonly each: (n: number) => void,
  ) {
    super(out, id);
  }

  protected override prepare(attempt: Attempt): Prepared<{ readonly uid: string }> {
    this.#attempt = attempt;
    return {
      kind: {
        ...{ name: 'open', version: 1, shapes: {}, concurrency: 1 },
        encode: ({ uid }) => ({ uid }),
        decode: ({ uid }) => ({ uid }),
        publish: () => of({ is: 'mine' }),
        describe: ({ uid }) => ({ uri: uid, bytes: 0, records: 0 }),
      },
    };
  }

  protected override freeze({ checkpoint }: Barrier): FrozenWork<{ readonly uid: string }> {
    const { jobId, epoch } = this.#attempt;
    return { open: [{ committable: () => ({ uid: `${jobId}-${epoch}-${checkpoint}` }) }], closed: [] };
  }

  protected override get full(): boolean {
    return false;
  }

  override onRecord(n: number): void {
    this.each(n);
  }
}

test('a sink that leaves work open at the barrier: the savepoint fails with its name, and the job continues', async () => {
  const lake = new Lake();
  const { job, events } = lake.job();
  let made: Promise<string> | undefined;
  const leaf = job.source('in', ticks(50, 100)).pipe(
    flowOperator<number, never>(
      (out) =>
        new OpenSink(out, 'left-open', (n) => {
          if (n === 20) made = codeOf(job.savepoint('memory://lake/savepoints'));
        }),
    ),
  );
  expect(await lake.run(job, leaf)).toEqual({ outcome: 'finished' });
  expect(await made).toBe('SavepointOpen');
  const failed = events.find(({ type }) => type === 'savepoint-failed');
  expect(failed).toMatchObject({
    error: { message: expect.stringContaining("'left-open' left work open") as string },
  });
  expect(keysOf(lake.store, 'savepoints/')).toEqual([]);
});

test('over HTTP: a savepoint is made in one bucket, moved to another, and started from there', async () => {
  const [lake, archive] = [createMemoryStore(), createMemoryStore()];
  const body = Array.from({ length: 2000 }, (_, n) => `{"n":${n}}\n`).join('');
  now(lake.put('in/a.ndjson', Buffer.from(body)));
  await using gateway = await startGateway({
    buckets: { lake, archive, moved: createMemoryStore() },
    credentials,
  });
  const s3 = { endpoint: gateway.endpoint, region: 'us-east-1', forcePathStyle: true, credentials };
  const counter = (name: string, from?: string) => {
    const job = createJob({
      ...{ name, checkpoints: { dir: 's3://lake/checkpoints' }, s3, budget: 2000, logger: silentLogger },
      config: loadConfig({ env: {}, file: false }),
      ...(from === undefined ? {} : { from }),
    });
    let made: Promise<string> | undefined;
    const leaf = job
      .source('in', files('s3://lake/in/', { format: ndjson<{ n: number }>(), prefetch: { fragment: 2000 } }))
      .pipe(
        keyed('per-digit', {
          key: ({ n }) => n % 10,
          state: { count: valueState(0) },
          onRecord: ({ n }, { count }) => {
            if (n === 150 && from === undefined)
              made = job.savepoint('s3://archive/savepoints', { stop: true });
            return [{ n, count: count.update((before) => before + 1) }];
          },
        }),
        fileSink('out', `s3://lake/out/${name}`, { format: ndjson() }),
      );
    return { run: async () => [await job.run(leaf), await made] as const };
  };
  const [{ outcome }, uri = ''] = await counter('first').run();
  expect(outcome).toBe('stopped');

  using stores = openStores({ s3 });
  const { move } = createOperations({ stores });
  await lastValueFrom(move(`${uri}/`, 's3://moved/here/'));
  expect(keysOf(archive)).toEqual([]);
  expect((await counter('second', 's3://moved/here').run())[0]).toEqual({ outcome: 'finished' });
  const counted = keysOf(lake, 'out/').flatMap((key) =>
    Buffer.concat(now(lake.get(key)).chunks)
      .toString()
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as { readonly n: number; readonly count: number }),
  );
  expect(counted.map(({ n }) => n).sort((a, b) => a - b)).toEqual(Array.from({ length: 2000 }, (_, n) => n));
  for (const { n, count } of counted) expect(count).toBe(Math.floor(n / 10) + 1);
});
