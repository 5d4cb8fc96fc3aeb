import {
  asapScheduler,
  concatMap,
  connect,
  count,
  filter,
  map,
  merge,
  observeOn,
  of,
  share,
  take,
  tap,
  type Observable,
} from 'rxjs';
import {
  deadLetter,
  fileSink,
  files,
  keyed,
  mergeFlows,
  ndjson,
  records,
  values,
  valueState,
  type Flow,
} from '../../src/index.js';
import { Lake } from './harness.js';

interface Visit {
  user: string;
  n: number;
}

const visits = (from: number, to: number): Visit[] =>
  Array.from({ length: to - from }, (_, i) => ({ user: `u${(from + i) % 3}`, n: from + i }));

function lakeWithVisits(): Lake {
  const lake = new Lake();
  lake.put('raw/a.ndjson', visits(0, 20));
  lake.put('raw/b.ndjson', visits(20, 50));
  return lake;
}

const raw = () => files('memory://lake/raw/*', { format: ndjson<Visit>() });
const out = <A>(id = 'out') => fileSink<A>(id, `memory://lake/${id}`, { format: ndjson() });

test('two leaves of one source each receive everything, and it is read once', async () => {
  const lake = lakeWithVisits();
  const { job } = lake.job();
  const source = job.source('raw', raw());
  await lake.run(job, source.pipe(out('left')), source.pipe(records(map(({ n }) => ({ n }))), out('right')));
  expect(lake.lines('left/')).toEqual(visits(0, 50));
  expect(lake.lines('right/')).toHaveLength(50);
});

test('flows of two sources merge', async () => {
  const lake = lakeWithVisits();
  lake.put('more/c.ndjson', visits(50, 60));
  const { job } = lake.job({ checkpoints: { interval: 3 } });
  const both = mergeFlows(
    job.source('raw', raw()),
    job.source('more', files('memory://lake/more/*', { format: ndjson<Visit>() })),
  );
  await lake.run(job, both.pipe(out()));
  expect((lake.lines('out/') as Visit[]).map(({ n }) => n).sort((a, b) => a - b)).toEqual(
    visits(0, 60).map(({ n }) => n),
  );
});

test('two branches of one source merge: every record comes once from each, within a small budget', async () => {
  const lake = lakeWithVisits();
  const { job } = lake.job({ budget: 64, checkpoints: { interval: 3 } });
  const source = job.source(
    'raw',
    files('memory://lake/raw/*', { format: ndjson<Visit>(), prefetch: { window: 1, fragment: 128 } }),
  );
  await lake.run(
    job,
    mergeFlows(source, source.pipe(records(map((each) => ({ ...each, n: -each.n }))))).pipe(out()),
  );
  expect((lake.lines('out/') as Visit[]).map(({ n }) => Math.abs(n)).sort((a, b) => a - b)).toEqual(
    visits(0, 50).flatMap(({ n }) => [n, n]),
  );
});

test('values() gives a plain Observable that completes with the job', async () => {
  const lake = lakeWithVisits();
  const { job } = lake.job();
  const seen: number[] = [];
  let completed = false;
  const plain = job
    .source('raw', raw())
    .pipe(values(), tap({ next: ({ n }) => seen.push(n), complete: () => (completed = true) }));
  await expect(lake.run(job, plain)).resolves.toEqual({ outcome: 'finished' });
  expect(seen).toEqual(visits(0, 50).map(({ n }) => n));
  expect(completed).toBe(true);
});

test('run waits for the asynchronous work of a leaf after values()', async () => {
  const lake = lakeWithVisits();
  const { job } = lake.job();
  const done: number[] = [];
  const work = async ({ n }: Visit): Promise<void> => {
    await Promise.resolve();
    done.push(n);
  };
  await expect(lake.run(job, job.source('raw', raw()).pipe(values(), concatMap(work)))).resolves.toEqual({
    outcome: 'finished',
  });
  expect(done).toEqual(visits(0, 50).map(({ n }) => n));
});

test('a leaf that shares the flow of another needs no source of its own', async () => {
  const lake = lakeWithVisits();
  const { job } = lake.job();
  const seen: number[] = [];
  const shared = job.source('raw', raw()).pipe(records(map(({ n }) => n)), share());
  await lake.run(
    job,
    shared.pipe(out()),
    shared.pipe(
      values(),
      tap((n) => seen.push(n)),
    ),
  );
  expect(seen).toEqual(lake.lines('out/'));
  expect(seen).toHaveLength(50);
});

test('a finished job, run again, does nothing', async () => {
  const lake = lakeWithVisits();
  for (let run = 0; run < 2; run++) {
    const { job } = lake.job();
    await expect(lake.run(job, job.source('raw', raw()).pipe(out()))).resolves.toEqual({
      outcome: 'finished',
    });
    expect(lake.lines('out/')).toHaveLength(50);
  }
});

test('dead letters are published under the same barriers, with object, offset and line', async () => {
  const lake = new Lake();
  lake.put('raw/a.ndjson', [{ user: 'u', n: 1 }, '{"user": broken', { user: 'u', n: 2 }]);
  const { job } = lake.job();
  const source = files('memory://lake/raw/*', {
    format: ndjson<Visit>(),
    onMalformed: deadLetter(out('dead')),
  });
  await lake.run(job, job.source('raw', source).pipe(out()));
  expect(lake.lines('out/')).toHaveLength(2);
  expect(lake.lines('dead/')).toEqual([
    expect.objectContaining({
      source: 'raw',
      object: 'memory://lake/raw/a.ndjson',
      offset: 19,
      line: 2,
      text: '{"user": broken',
    }),
  ]);
});

test('a finished job, run again, flushes nothing a second time', async () => {
  const lake = lakeWithVisits();
  const counted = async (): Promise<void> => {
    const { job } = lake.job();
    await lake.run(job, job.source('raw', raw()).pipe(records(count()), out()));
  };
  await counted();
  await counted();
  await counted();
  expect(lake.lines('out/')).toEqual([50]);
});

describe('mistakes are errors with advice', () => {
  const failing = async (leaf: (source: Flow<Visit>) => Observable<unknown>): Promise<unknown> => {
    const lake = lakeWithVisits();
    const { job } = lake.job();
    return lake.run(job, leaf(job.source('raw', raw()))).catch((error: unknown) => error);
  };

  test.each<[string, string, (source: Flow<Visit>) => Observable<unknown>]>([
    ['a leaf that starts at no source', 'LeafWithoutSource', () => of(1)],
    ['a plain merge of two branches', 'OpenedTwice', (source) => merge(source, source).pipe(out())],
    [
      'a plain operator',
      'PlainOperator',
      (source) =>
        source.pipe(
          map((each) => each as Visit),
          out(),
        ),
    ],
    [
      'one that copies signals, on what connect(…) hands out',
      'CopiedSignal',
      (source) =>
        source.pipe(
          connect((shared) => shared.pipe(map((each) => ({ ...each }) as Visit))),
          out(),
        ),
    ],
    ['one sink id twice', 'DuplicateId', (source) => mergeFlows(source.pipe(out()), source.pipe(out()))],
    ['an operator called like its source', 'DuplicateId', (source) => source.pipe(out('raw'))],
    [
      'a flow that is cut short',
      'LeafCompleted',
      (source) => source.pipe(connect((shared) => shared.pipe(take(3)))),
    ],
    [
      'one that drops signals there',
      'OpenLost',
      (source) =>
        source.pipe(
          connect((shared) => shared.pipe(filter((each): each is Visit => 'n' in each))),
          out(),
        ),
    ],
    [
      'one that holds signals back there',
      'OpenLost',
      (source) =>
        source.pipe(
          connect((shared) => shared.pipe(observeOn(asapScheduler))),
          out(),
        ),
    ],
    [
      'one that does so on a branch only',
      'LateRegistration',
      (source) =>
        source.pipe(
          connect((shared) => merge(shared.pipe(out('a')), shared.pipe(observeOn(asapScheduler), out('b')))),
        ),
    ],
  ])('%s: %s', async (_, code, leaf) => {
    expect(await failing(leaf)).toMatchObject({ code });
  });

  test('a flow subscribed outside run: OutsideRun', () => {
    const { job } = lakeWithVisits().job();
    let error: unknown;
    job.source('raw', raw()).subscribe({ error: (each: unknown) => (error = each) });
    expect(error).toMatchObject({ code: 'OutsideRun' });
  });

  test('nothing to run: NoLeaves', async () => {
    const { job } = new Lake().job();
    await expect(job.run({ signal: new AbortController().signal })).rejects.toMatchObject({
      code: 'NoLeaves',
    });
  });

  test('two sources of one id: DuplicateId', () => {
    const { job } = lakeWithVisits().job();
    job.source('raw', raw());
    expect(() => job.source('raw', raw())).toThrow(expect.objectContaining({ code: 'DuplicateId' }));
  });

  test('what a callback throws ends the job', async () => {
    const boom = new Error('boom');
    const error = await failing((source) =>
      source.pipe(
        keyed('k', {
          key: ({ user }) => user,
          state: { n: valueState(0) },
          onRecord: ({ n }) => {
            if (n === 30) throw boom;
            return [];
          },
        }),
      ),
    );
    expect(error).toBe(boom);
  });

  test('a missing operator with state: VanishedOperator', async () => {
    const lake = lakeWithVisits();
    const counted = (source: Flow<Visit>) =>
      source.pipe(
        keyed('k', {
          key: ({ user }) => user,
          state: { n: valueState(0) },
          onRecord: (v, { n }) => [n.update((x) => x + 1)],
        }),
      );
    const first = lake.job();
    await lake.run(first.job, counted(first.job.source('raw', raw())).pipe(out()));
    const second = lake.job();
    const error: unknown = await lake
      .run(second.job, second.job.source('raw', raw()).pipe(out()))
      .catch((each: unknown) => each);
    expect(error).toMatchObject({
      code: 'VanishedOperator',
      message: expect.stringContaining("'k'") as string,
    });
    const used = lake.job({ allowDropped: ['k'] });
    const inUse: unknown = await lake
      .run(used.job, counted(used.job.source('raw', raw())).pipe(out()))
      .catch((each: unknown) => each);
    expect(inUse).toMatchObject({ code: 'DroppedOperator' });
    const third = lake.job({ allowDropped: ['k', 'never was'] });
    await lake.run(third.job, third.job.source('raw', raw()).pipe(out()));
    const fourth = lake.job();
    await lake.run(fourth.job, fourth.job.source('raw', raw()).pipe(out()));
  });

  test.each([
    [{ name: 'a/b' }, 'name'],
    [{ checkpoints: { dir: 'memory://lake/c', interval: '10 parsecs' } }, 'checkpoints.interval'],
    [{ restart: { jitter: 2 } }, 'restart.jitter'],
    [{ budget: -1 }, 'budget'],
    [{ budget: 0 }, 'budget'],
    [{ allowDropped: ['k', ''] }, 'allowDropped'],
    [{ checkpoints: { dir: 'memory://lake/c', timeout: '25d' } }, 'checkpoints.timeout'],
  ])('option %j: InvalidOption names it', (options, key) => {
    expect(() => new Lake().job(options)).toThrow(expect.objectContaining({ code: 'InvalidOption', key }));
  });
});
