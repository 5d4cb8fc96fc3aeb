import { randomBytes } from 'node:crypto';
import { filter, lastValueFrom, switchMap, tap, toArray, type Observable } from 'rxjs';
import {
  createJob,
  files,
  keyed,
  listState,
  loadConfig,
  mapState,
  ndjson,
  openState,
  valueState,
  values,
  type OpenStateOptions,
  type StateSpecs,
} from '../../src/index.js';
import { counting, createMemoryStore, createStores, decorate, openStores } from '../../src/entries/stores.js';
import { startGateway } from '../../src/testing/index.js';
import { ticks } from '../config/effects/world.js';
import { coded } from '../state/harness.js';
import { credentials } from '../store/s3support.js';
import { Lake, now } from './harness.js';

interface Visit {
  readonly user: string;
  readonly page: string;
}

const anyNumber = expect.any(Number) as unknown;

const specs = {
  clicks: valueState(0),
  pages: mapState<string, number>(),
  last: listState<string>(),
};

const counts = (id = 'per-user') =>
  keyed(id, {
    key: ({ user }: Visit) => user,
    state: specs,
    onRecord: ({ page }: Visit, { clicks, pages, last }) => {
      pages.in('today').update(page, (n = 0) => n + 1);
      last.append(page);
      return [clicks.update((n) => n + 1)];
    },
  });

const visits = (lake: Lake, from: number, count: number, users = 5): void =>
  lake.put(
    `in/${from}.ndjson`,
    Array.from({ length: count }, (_, i) => ({ user: `user-${(from + i) % users}`, page: `/${i % 3}` })),
  );

/** Runs the job over what is in the lake; stops it after so many records of this run, with a checkpoint. */
async function ran(lake: Lake, options: Parameters<Lake['job']>[0] = {}, stop?: number): Promise<void> {
  const { job } = lake.job(options);
  const abort = new AbortController();
  let seen = 0;
  const flow = job.source('in', files('memory://lake/in/', { format: ndjson<Visit>() })).pipe(
    counts(),
    values(),
    tap(() => {
      if (++seen === stop) abort.abort();
    }),
  );
  await lake.run(job, flow, { signal: abort.signal });
}

function read<T>(lake: Lake, source: Observable<T>): T[] {
  let all: T[] | undefined;
  let failure: { readonly error: unknown } | undefined;
  source.pipe(toArray()).subscribe({
    next: (found) => (all = found),
    error: (error: unknown) => (failure = { error }),
  });
  lake.clock.run();
  if (failure !== undefined) throw failure.error as Error;
  return all ?? [];
}

const opened = <S extends StateSpecs>(lake: Lake, options: OpenStateOptions<S> = {}, job = 'test') =>
  openState(`memory://lake/checkpoints/${job}`, { stores: lake.stores, clock: lake.clock, ...options });

describe('the state of a job from outside', () => {
  const lake = new Lake();
  beforeAll(async () => {
    visits(lake, 0, 50);
    await ran(lake);
  });

  test('has what each key holds, of every kind, in namespaces too', () => {
    const state = opened(lake, { states: specs });
    expect(read(lake, state.get('per-user', 'clicks', 'user-1'))).toEqual([10]);
    expect(read(lake, state.get('per-user', 'clicks', 'nobody'))).toEqual([undefined]);
    const [pages] = read(lake, state.get('per-user', 'pages', 'user-1', { namespace: 'today' }));
    expect(pages).toEqual(new Map([...['/1', '/0', '/2']].map((page) => [page, page === '/1' ? 4 : 3])));
    expect(read(lake, state.get('per-user', 'pages', 'user-1'))).toEqual([undefined]);
    expect(read(lake, state.get('per-user', 'last', 'user-1'))[0]).toHaveLength(10);
  });

  test('lists keys and entries', () => {
    const state = opened(lake);
    const users = [0, 1, 2, 3, 4].map((i) => `user-${i}`);
    expect(read(lake, state.keys('per-user', 'clicks')).sort()).toEqual(users);
    expect(read(lake, state.keys('per-user', 'pages')).sort()).toEqual(users);
    expect(read(lake, state.keys('per-user', 'pages', { namespace: 'today' })).sort()).toEqual(users);
    expect(read(lake, state.keys('per-user', 'pages', { namespace: 'tomorrow' }))).toEqual([]);
    const entries = read(lake, state.entries('per-user', 'clicks'));
    expect(entries).toHaveLength(5);
    expect(entries).toContainEqual({ key: 'user-1', value: 10 });
    expect(read(lake, state.entries('per-user', 'pages'))).toContainEqual({
      key: 'user-4',
      namespace: 'today',
      value: expect.any(Map) as unknown,
    });
  });

  test('describes the checkpoint, operators and states', () => {
    const state = opened(lake);
    expect(read(lake, state.checkpoint())).toEqual([
      { job: 'test', checkpoint: anyNumber, at: anyNumber, savepoint: false },
    ]);
    const serializer = { id: 'msgpackr', version: 1 };
    const [per, ...others] = read(lake, state.operators());
    expect(others).toEqual([]);
    expect(per).toMatchObject({ operator: 'per-user', segments: 1 });
    expect(per?.bytes).toBeGreaterThan(100);
    expect(per?.states).toEqual([
      { name: 'clicks', kind: 'value', serializer, cells: 5 },
      { name: 'last', kind: 'list', serializer, cells: 5 },
      { name: 'pages', kind: 'map', serializer, cells: 15 },
    ]);
  });

  test('reads one checkpoint, until it is opened again', async () => {
    const own = new Lake();
    for (let i = 0; i < 3; i++) visits(own, 10_000 * i, 10_000);
    const options = { checkpoints: { retained: 3 } };
    await ran(own, options, 1);
    const state = opened(own);
    const before = read(own, state.checkpoint());
    const [clicks] = read(own, state.get('per-user', 'clicks', 'user-1'));
    expect(clicks).toBeGreaterThan(0);
    await ran(own, options);
    expect(read(own, state.checkpoint())).toEqual(before);
    expect(read(own, state.get('per-user', 'clicks', 'user-1'))).toEqual([clicks]);
    expect(read(own, opened(own).checkpoint())).not.toEqual(before);
    expect(read(own, opened(own).get('per-user', 'clicks', 'user-1'))).toEqual([6000]);
    expect(clicks).toBeLessThan(6000);
  });

  test('names what exists when a job, an operator or a state does not', () => {
    const fails = (work: () => unknown, what: string): void => {
      expect(work).toThrow(coded('StateNotFound'));
      expect(work).toThrow(what);
    };
    fails(
      () => read(lake, opened(lake, {}, 'other').operators()),
      'The jobs of memory://lake/checkpoints/ are test.',
    );
    fails(
      () => read(lake, opened(lake, {}, '').operators()),
      'The jobs of memory://lake/checkpoints/ are test.',
    );
    fails(
      () => read(lake, openState('memory://lake/nowhere/x', { stores: lake.stores }).operators()),
      'Check the URI',
    );
    fails(
      () => read(lake, opened(lake).get('per-month', 'clicks', 'a')),
      "has no keyed state of operator 'per-month'. The operators with keyed state are per-user.",
    );
    fails(
      () => read(lake, opened(lake).get('per-user', 'visits', 'a')),
      'Its states are clicks, last, pages.',
    );
    fails(() => read(lake, opened(lake).keys('per-user', 'visits')), 'Its states are clicks, last, pages.');
  });

  test('a job without keyed state is no error until an operator is asked for', async () => {
    const own = new Lake();
    visits(own, 0, 1);
    const { job } = own.job();
    await own.run(
      job,
      job.source('in', files('memory://lake/in/', { format: ndjson<Visit>() })).pipe(values()),
    );
    expect(read(own, opened(own).operators())).toEqual([]);
    expect(() => read(own, opened(own).get('x', 'y', 'z'))).toThrow(
      'No operator of the job has keyed state.',
    );
  });

  test('rejects options, keys and declarations that are none', () => {
    expect(() => opened(lake, { sates: {} } as never)).toThrow(coded('InvalidOption'));
    expect(() => opened(lake, { states: 7 as never })).toThrow(coded('InvalidOption'));
    expect(() => opened(lake, { sign: { keys: 'short' } })).not.toThrow();
    expect(() => read(lake, opened(lake, { sign: { keys: 'short' } }).operators())).toThrow(
      coded('InvalidOption'),
    );
    expect(() => read(lake, opened(lake).get('per-user', 'clicks', (() => 1) as never))).toThrow(
      coded('UnsupportedKey'),
    );
    expect(() => read(lake, opened(lake).keys('per-user', 'clicks', { names: 'x' } as never))).toThrow(
      coded('InvalidOption'),
    );
    const other = opened(lake, { states: { clicks: listState() } });
    expect(() => read(lake, other.get('per-user', 'clicks', 'user-1'))).toThrow(coded('StateSchemaMismatch'));
  });
});

describe('a savepoint', () => {
  test('is read like a job, also when the job is gone', async () => {
    const lake = new Lake();
    const { job } = lake.job();
    let made = Promise.resolve('');
    const flow = job.source('in', ticks(100, 100)).pipe(
      keyed('per-user', {
        key: (n: number) => n % 5,
        state: { clicks: valueState(0) },
        onRecord: (n, { clicks }) => {
          if (n === 40) made = job.savepoint('memory://lake/savepoints', { stop: true });
          return [clicks.update((clicked) => clicked + 1)];
        },
      }),
      values(),
    );
    await lake.run(job, flow);
    const uri = await made;
    const before = read(lake, opened(lake).entries('per-user', 'clicks'));
    lake.store
      .delete(
        read(lake, lake.store.list({ prefix: 'checkpoints/' })).flatMap(({ objects }) =>
          objects.map(({ key }) => key),
        ),
      )
      .subscribe();
    for (const each of [uri, `${uri}/`]) {
      const state = openState(each, { stores: lake.stores, clock: lake.clock });
      expect(read(lake, state.checkpoint())).toMatchObject([{ job: 'test', checkpoint: 1, savepoint: true }]);
      expect(read(lake, state.entries('per-user', 'clicks'))).toEqual(before);
      expect(read(lake, state.get('per-user', 'clicks', 3))).toEqual([8]);
      expect(read(lake, state.operators())).toMatchObject([{ operator: 'per-user', segments: 1 }]);
    }
  });

  test('that is incomplete is not read, and reported as such', () => {
    const lake = new Lake();
    now(lake.store.put('savepoints/a/data/0000000000/x.state', Buffer.from('x')));
    const state = (uri: string) => openState(uri, { stores: lake.stores, clock: lake.clock });
    expect(() => read(lake, state('memory://lake/savepoints/a').operators())).toThrow(
      coded('SavepointIncomplete'),
    );
    expect(() => read(lake, state('memory://lake/savepoints').operators())).toThrow(coded('StateNotFound'));
  });
});

describe('signatures', () => {
  const keys = 'k'.repeat(32);

  test('are checked if there is a key', async () => {
    const lake = new Lake();
    visits(lake, 0, 5);
    await ran(lake, { checkpoints: { sign: { keys } } });
    for (const sign of [undefined, { keys }]) {
      const state = opened(lake, sign === undefined ? {} : { sign });
      expect(read(lake, state.get('per-user', 'clicks', 'user-1'))).toEqual([1]);
    }
    for (const sign of ['a-secret', { keys: 'a-secret' }]) {
      const wrong = (): unknown => read(lake, opened(lake, { sign } as never).operators());
      expect(wrong).toThrow(coded('InvalidOption'));
      expect(wrong).toThrow(/^sign(\.keys)?: its value \(not shown\) is not allowed/);
    }
    const other = opened(lake, { sign: { keys: 'x'.repeat(32) } });
    expect(() => read(lake, other.operators())).toThrow(coded('ManifestNotTrusted'));
  });
});

describe('a reader that the job overtakes', () => {
  async function overtaken(): Promise<{ lake: Lake; state: ReturnType<typeof opened> }> {
    const lake = new Lake();
    const config = loadConfig({ env: {}, file: false, set: { 'state.backend.s3.compaction-trigger': '2' } });
    const { job } = lake.job({ config, checkpoints: { interval: '1s' } });
    let state = opened(lake);
    const flow = job.source('in', ticks(100, 100)).pipe(
      keyed('per-user', {
        key: (n: number) => n % 5,
        state: { clicks: valueState(0) },
        onRecord: (_, { clicks }) => [clicks.update((n) => n + 1)],
      }),
      values(),
    );
    job.events$
      .pipe(
        filter((event) => event.type === 'checkpoint-durable' && event.checkpoint === 1),
        switchMap(() => (state = opened(lake)).checkpoint()),
      )
      .subscribe();
    // Merges of segments make those of the first checkpoint garbage.
    await lake.run(job, flow);
    return { lake, state };
  }

  test('hears so, and reads the newest state when it is opened again', async () => {
    const { lake, state } = await overtaken();
    for (const work of [
      () => read(lake, state.get('per-user', 'clicks', 1)),
      () => read(lake, state.entries('per-user', 'clicks')),
      () => read(lake, state.operators()),
      () => read(lake, state.export('memory://lake/out')),
    ]) {
      expect(work).toThrow(coded('StateOvertaken'));
      expect(work).toThrow('Open its state again, to read the newest.');
    }
    expect(read(lake, opened(lake).get('per-user', 'clicks', 1))).toEqual([20]);
  });

  test('is not one if the job has not gone on: the segment is missing', () => {
    const lake = new Lake();
    visits(lake, 0, 50);
    return ran(lake).then(() => {
      const keys = read(lake, lake.store.list({ prefix: 'checkpoints/test/data/' })).flatMap(({ objects }) =>
        objects.map(({ key }) => key),
      );
      lake.store.delete(keys).subscribe();
      expect(() => read(lake, opened(lake).get('per-user', 'clicks', 'user-1'))).toThrow(
        coded('SegmentMissing'),
      );
    });
  });

  test('between the listing of the log and the read of its entry is none', async () => {
    const lake = new Lake();
    visits(lake, 0, 50);
    await ran(lake);
    let lists = 0;
    const store = decorate(lake.store, (call, run) => {
      // The entry that the first listing shows is gone when it is read.
      if (call.method === 'list' && ++lists === 1) {
        return run.pipe(tap(() => (gone = true)));
      }
      if (call.method === 'get' && gone) {
        gone = false;
        return lake.store.get('none') as typeof run;
      }
      return run;
    });
    let gone = false;
    const stores = createStores({ schemes: { memory: () => store } });
    expect(read(lake, opened(lake, { stores }).get('per-user', 'clicks', 'user-1'))).toEqual([10]);
    expect(lists).toBe(2);
  });
});

describe('requests', () => {
  async function large(): Promise<Lake> {
    const lake = new Lake();
    const noise = (): string => randomBytes(150).toString('base64');
    lake.put(
      'in/1.ndjson',
      Array.from({ length: 20_000 }, (_, i) => ({ user: `user-${i}`, page: noise() })),
    );
    await ran(lake);
    return lake;
  }

  test('are sent on demand, one at a time: unsubscribing stops them, pace delays them', async () => {
    const lake = await large();
    const { store, counts } = counting(lake.store);
    const stores = createStores({ schemes: { memory: () => store } });
    const state = opened(lake, { stores });
    read(lake, state.checkpoint());
    const at = (): number => counts().total;
    const start = at();
    let seen = 0;
    const reading = state.keys('per-user', 'clicks').subscribe(() => {
      if (++seen === 100) reading.unsubscribe();
    });
    lake.clock.run();
    expect(seen).toBe(100);
    const few = at() - start;
    lake.clock.run();
    expect(at() - start).toBe(few);
    const all = read(lake, state.keys('per-user', 'clicks'));
    expect(new Set(all).size).toBe(20_000);
    expect(at() - start - few).toBeGreaterThan(few);
    const paced: number[] = [];
    let emitted = 0;
    const again = at();
    read(
      lake,
      state
        .keys('per-user', 'clicks', {
          pace: () => {
            paced.push(emitted);
            return [];
          },
        })
        .pipe(tap(() => emitted++)),
    );
    expect(paced.length).toBeGreaterThan(0);
    expect(paced.length).toBeLessThan(at() - again);
    expect(paced.every((count, i) => i === 0 || count > (paced[i - 1] ?? 0))).toBe(true);
  });
});

test('over HTTP: a job on S3 is read with rights to list and read only', async () => {
  const bucket = createMemoryStore();
  const input = Array.from({ length: 40 }, (_, i) => `{"user":"user-${i % 4}/\u00e4","page":"/"}\n`).join('');
  bucket.put('in/1.ndjson', Buffer.from(input)).subscribe();
  const written: string[] = [];
  const watched = decorate(bucket, (call, run) => {
    if (!['get', 'list', 'head'].includes(call.method)) written.push(call.method);
    return run;
  });
  await using gateway = await startGateway({ buckets: { lake: watched }, credentials });
  const s3 = { endpoint: gateway.endpoint, region: 'us-east-1', forcePathStyle: true, credentials };
  const job = createJob({ name: 'clicks', checkpoints: { dir: 's3://lake/checkpoints' }, s3 });
  await job.run(
    job.source('in', files('s3://lake/in/', { format: ndjson<Visit>() })).pipe(counts(), values()),
  );
  written.length = 0;
  using stores = openStores({ s3 });
  for (const how of [{ stores }, { s3 }]) {
    using state = openState('s3://lake/checkpoints/clicks', { ...how, states: specs });
    const clicks: number | undefined = await lastValueFrom(state.get('per-user', 'clicks', 'user-3/\u00e4'));
    expect(clicks).toBe(10);
    const keys = await lastValueFrom(state.keys('per-user', 'clicks').pipe(toArray()));
    expect(keys.sort()).toEqual([0, 1, 2, 3].map((i) => `user-${i}/\u00e4`));
  }
  expect(written).toEqual([]);
});
