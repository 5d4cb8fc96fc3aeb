import {
  createJob,
  fileSink,
  files,
  loadConfig,
  mergeFlows,
  ndjson,
  reduceByKey,
  silentLogger,
} from 'millrace';
import type { ObjectStore } from 'millrace/stores';
import { hurried } from '../support/hurried.js';
import { crashes, live, type LivesOptions } from './lives.js';
import { minimumPartSize } from './pipeline.js';
import { keysOf, now, textOf } from './world.js';
import { effort } from '../support/effort.js';

const sums = [{ n: 6 }, { n: 9 }];

/** A job that emits nothing before the end of its input. */
function lives(each: (job: ReturnType<typeof createJob>) => AbortSignal | undefined = () => undefined) {
  return {
    fill: (world: ObjectStore) => {
      const lines = [1, 2, 3, 4, 5].map((n) => `${JSON.stringify({ n })}\n`);
      now(world.put('raw/a', Buffer.from(lines.join(''))));
    },
    begin: (surroundings) => {
      const job = createJob({
        name: 'sums',
        checkpoints: { dir: 'memory://lake/checkpoints', interval: 5 },
        config: loadConfig({ env: {}, file: false }),
        restart: 'none',
        logger: silentLogger,
        ...surroundings,
      });
      each(job);
      const leaf = job.source('in', files('memory://lake/raw/*', { format: ndjson<{ n: number }>() })).pipe(
        reduceByKey('sum', {
          key: ({ n }) => n % 2,
          accumulator: (sum, { n }) => ({ n: sum.n + n }),
          seed: { n: 0 },
        }),
        fileSink('out', 'memory://lake/out', { format: ndjson() }),
      );
      return { job, leaf };
    },
  } satisfies Omit<LivesOptions, 'fates'>;
}

const published = (world: ObjectStore): { n: number }[] =>
  keysOf(world, 'out/')
    .flatMap((key) => textOf(world, key).split('\n'))
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { n: number })
    .sort((a, b) => a.n - b.n);

test('what operators emit at the end of the input is published once, wherever the process crashes', () => {
  let ends = 0;
  for (const { world } of crashes(lives(), effort(4, 1))) {
    expect(published(world)).toEqual(sums);
    ends++;
  }
  expect(ends).toBeGreaterThan(20);
});

test('a finished job that runs again, makes checkpoints and dies, stays finished', () => {
  const { world } = live({ ...lives(), fates: [] });
  const copy = (fresh: ObjectStore): void => {
    for (const key of keysOf(world, '')) now(fresh.put(key, Buffer.concat(now(world.get(key)).chunks)));
  };
  let savepoints = 0;
  const again = lives((job) => {
    job.events$.subscribe(({ type }) => {
      if (type === 'savepoint-made') savepoints++;
      // Nothing is read before its barrier.
      if (type === 'running') job.savepoint('memory://lake/savepoints').catch(() => undefined);
      return undefined;
    });
    return undefined;
  });
  for (const lived of crashes({ ...again, fill: copy })) expect(published(lived.world)).toEqual(sums);
  expect(savepoints).toBeGreaterThan(10);
});

/** Two inputs, one of which is over long before the other, each with an operator that emits at the end. */
const two = (apart: boolean): Omit<LivesOptions, 'fates'> => ({
  fill: (world: ObjectStore) => {
    now(world.put('short/a', Buffer.from('{"n":1}\n{"n":2}\n')));
    for (let i = 0; i < 6; i++) now(world.put(`long/${i}`, Buffer.from('{"n":1}\n'.repeat(10))));
  },
  begin: (surroundings) => {
    const job = createJob({
      name: 'sums',
      checkpoints: { dir: 'memory://lake/checkpoints', interval: 5 },
      config: loadConfig({ env: {}, file: false }),
      restart: 'none',
      logger: silentLogger,
      ...surroundings,
    });
    const numbers = (id: string) =>
      job.source(
        id,
        files(`memory://lake/${id}/*`, {
          format: ndjson<{ n: number }>(),
          prefetch: { window: 1, fragment: 64 },
        }),
      );
    const sum = (id: string) =>
      reduceByKey(id, {
        key: () => 0,
        accumulator: (sum, { n }: { n: number }) => ({ n: sum.n + n }),
        seed: { n: 0 },
      });
    const out = (id: string) => fileSink(`to-${id}`, `memory://lake/out/${id}`, { format: ndjson() });
    if (apart)
      return {
        job,
        leaf: numbers('short').pipe(sum('a'), out('short')),
        others: [numbers('long').pipe(sum('b'), out('long'))],
      };
    const merged = mergeFlows(numbers('short').pipe(sum('a')), numbers('long'));
    return { job, leaf: merged.pipe(sum('b'), out('both')) };
  },
});

test.each([
  [true, { short: [3], long: [60] }],
  [false, { both: [63] }],
])('an input that is over before another one sends its end once (separate flows: %s)', (apart, sums) => {
  for (const { world } of crashes(two(apart), effort(6, 1)))
    for (const [id, expected] of Object.entries(sums)) {
      const lines = keysOf(world, `out/${id}/`).map((key) => JSON.parse(textOf(world, key)) as { n: number });
      expect(lines.map(({ n }) => n)).toEqual(expected);
    }
});

/**
 * An operator that takes many slices to emit its end, slowed down by its sink, while barriers of another source, or a stop,
 * wait for it. What is merged ends with the slower input.
 */
const slow = (merged: boolean): Omit<LivesOptions, 'fates'> => ({
  fill: (world: ObjectStore) => {
    const lines = Array.from({ length: 60 }, (_, n) => `${JSON.stringify({ n })}\n`);
    now(world.put('short/a', Buffer.from(lines.join(''))));
    for (let i = 0; i < 8; i++) now(world.put(`long/${i}`, Buffer.from('{"n":-1}\n'.repeat(10))));
  },
  begin: (surroundings) => {
    const job = createJob({
      name: 'ends',
      checkpoints: { dir: 'memory://lake/checkpoints', interval: 5 },
      config: loadConfig({ env: {}, file: false }),
      restart: 'none',
      logger: silentLogger,
      ...surroundings,
      clock: hurried(surroundings.clock),
    });
    const numbers = (id: string) =>
      job.source(
        id,
        files(`memory://lake/${id}/*`, {
          format: ndjson<{ n: number }>(),
          prefetch: { window: 1, fragment: 64 },
        }),
      );
    const out = (id: string) =>
      fileSink(`to-${id}`, `memory://lake/out/${id}`, {
        format: ndjson(),
        partSize: minimumPartSize,
        roll: { size: 4 * minimumPartSize },
        budget: 16 * minimumPartSize,
      });
    const last = numbers('short').pipe(
      reduceByKey('last', {
        key: ({ n }) => n,
        accumulator: (_, { n }) => ({ n, filler: '.'.repeat(100) }),
        seed: { n: 0, filler: '' },
      }),
    );
    if (merged) return { job, leaf: mergeFlows(last, numbers('long')).pipe(out('both')) };
    return { job, leaf: last.pipe(out('short')), others: [numbers('long').pipe(out('long'))] };
  },
});

describe.each([true, false])('an end that takes many slices (merged: %s)', (merged) => {
  const exact = (world: ObjectStore): void => {
    const numbers = published(world).map(({ n }) => n);
    expect(numbers).toEqual([
      ...Array.from({ length: 80 }, () => -1),
      ...Array.from({ length: 60 }, (_, n) => n),
    ]);
  };

  it('is published once, wherever the process crashes', () => {
    let checkpoints = 0;
    for (const { world, checkpoints: some } of crashes(slow(merged), effort(5, 2))) {
      exact(world);
      checkpoints += some;
    }
    expect(checkpoints).toBeGreaterThan(effort(40, 100));
  });

  it('is published once, wherever the process is stopped', () => {
    const [requests = []] = live({ ...slow(merged), fates: [] }).requests;
    for (let at = 1; at < requests.length; at += effort(5, 2))
      exact(live({ ...slow(merged), fates: [{ kind: 'stop', at }] }).world);
  });
});
