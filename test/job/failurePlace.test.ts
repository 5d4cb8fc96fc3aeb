import { gzipSync } from 'node:zlib';
import { concatMap, map, mergeMap, of, scan, tap, timer } from 'rxjs';
import {
  deadLetter,
  fileSink,
  files,
  type Flow,
  type Job,
  keyed,
  MillraceError,
  mergeFlows,
  ndjson,
  records,
  systemClock,
  values,
  valueState,
  type JobEvent,
} from '../../src/index.js';
import { Lake } from './harness.js';

interface Item {
  n: number;
  text: string;
}

/** Records of different lengths, with characters of several bytes, and an empty line now and then. */
const items = Array.from({ length: 5000 }, (_, n) => ({ n, text: 'ü'.repeat(n % 7) }));
const lines = items.map((item) => `${JSON.stringify(item)}\n${item.n % 100 === 0 ? '\n' : ''}`);
const broken = 3456;
const place = {
  source: 'raw',
  object: 'memory://lake/raw/a.ndjson',
  offset: Buffer.byteLength(lines.slice(0, broken).join('')),
  line: broken + 1 + 35,
};

const bug = new Error('bug');
const failAt =
  <T>(then: (item: Item) => T) =>
  (item: Item): T => {
    if (item.n === broken) throw bug;
    return then(item);
  };

const out = <A>(options = {}) => fileSink<A>('out', 'memory://lake/out', { format: ndjson(), ...options });
const raw = (job: Job): Flow<Item> =>
  job.source('raw', files('memory://lake/raw/*', { format: ndjson<Item>() }));

/** Runs a job that fails, and gives the event that tells so. */
async function failure(
  world: Lake,
  leaf: (job: Job) => Parameters<Job['run']>[0],
): Promise<Extract<JobEvent, { type: 'failed' }>> {
  // gzip and timers of RxJS take real time.
  const { job, events } = world.job({ clock: systemClock });
  await expect(job.run(leaf(job))).rejects.toBe(bug);
  const found = events.find((event) => event.type === 'failed');
  if (found?.type !== 'failed') throw new Error('It did not fail.');
  return found;
}

const lake = (content: string | Buffer = lines.join(''), key = 'raw/a.ndjson'): Lake => {
  const world = new Lake();
  world.store.put(key, Buffer.from(content)).subscribe();
  return world;
};

describe('a failure is told with its operator, object, offset and line, where a callback throws in', () => {
  test.each<[string, string, (job: Job) => Parameters<Job['run']>[0]]>([
    ['records(map)', 'records(…)', (job) => raw(job).pipe(records(map(failAt((item) => item))), out())],
    [
      'records(scan)',
      'records(…)',
      (job) =>
        raw(job).pipe(
          records(
            map(failAt(({ n }) => n)),
            scan((a, b) => a + b),
          ),
          out(),
        ),
    ],
    [
      'the key of keyed',
      'sums',
      (job) =>
        raw(job).pipe(
          keyed('sums', { key: failAt(({ n }) => n % 3), state: { sum: valueState(0) }, onRecord: () => [] }),
          out(),
        ),
    ],
    [
      'onRecord of keyed',
      'sums',
      (job) =>
        raw(job).pipe(
          keyed('sums', {
            key: ({ n }: Item) => n % 3,
            state: { sum: valueState(0) },
            onRecord: failAt((item) => [item]),
          }),
          out(),
        ),
    ],
    ['partitionBy', 'out', (job) => raw(job).pipe(out<Item>({ partitionBy: failAt(() => 'p') }))],
    [
      'what a record is encoded with',
      'out',
      (job) => raw(job).pipe(records(map((item) => ({ toJSON: () => failAt(({ n }) => n)(item) }))), out()),
    ],
    [
      'an operator after a merge',
      'records(…)',
      (job) => mergeFlows(raw(job), raw2(job)).pipe(records(map(failAt((item) => item))), out()),
    ],
    ['an operator after values()', 'values()', (job) => raw(job).pipe(values(), map(failAt((item) => item)))],
  ])('%s', async (name, operator, leaf) => {
    const { error, ...event } = await failure(lake(), leaf);
    expect(error).toBe(bug);
    const where = name.includes('values()') ? place : { operator, ...place };
    expect(event).toEqual({ type: 'failed', job: 'test', ...where });
  });

  test('a compressed object', async () => {
    const { offset, line } = await failure(lake(gzipSync(lines.join('')), 'raw/a.ndjson.gz'), (job) =>
      raw(job).pipe(records(map(failAt((item) => item))), out()),
    );
    expect({ offset, line }).toEqual({ offset: place.offset, line: place.line });
  });

  test('a dead letter', async () => {
    const world = lake(lines.toSpliced(broken, 1, '{"n": broken\n').join(''));
    const event = await failure(world, (job) =>
      job
        .source(
          'raw',
          files('memory://lake/raw/*', {
            format: ndjson<Item>(),
            onMalformed: deadLetter(
              fileSink('rejects', 'memory://lake/rejects', {
                format: ndjson(),
                partitionBy: () => {
                  throw bug;
                },
              }),
            ),
          }),
        )
        .pipe(out()),
    );
    expect(event).toMatchObject({ operator: 'rejects', ...place });
  });
});

const raw2 = (job: Job): Flow<Item> =>
  job.source('none', files('memory://lake/none/*', { format: ndjson<Item>(), allowEmpty: true }));

test('a restart is told with the place, too', async () => {
  const world = lake();
  const { job, events } = world.job();
  let failures = 0;
  const flaky = new MillraceError('Flaky', 'try again', { retryable: true });
  const leaf = raw(job).pipe(
    records(
      tap(({ n }) => {
        if (n === broken && failures++ === 0) throw flaky;
      }),
    ),
    out(),
  );
  await expect(world.run(job, leaf)).resolves.toEqual({ outcome: 'finished' });
  expect(events.filter(({ type }) => type === 'restarting')).toEqual([
    expect.objectContaining({ error: flaky, operator: 'records(…)', ...place }),
  ]);
});

test('what fails later is told with its operator, and with no place that may be another record’s', async () => {
  const world = lake();
  const event = await failure(world, (job) =>
    raw(job).pipe(
      values(),
      concatMap((item) => (item.n === broken ? timer(0) : of(0)).pipe(map(() => failAt(({ n }) => n)(item)))),
    ),
  );
  expect(event).toEqual({ type: 'failed', job: 'test', error: bug });
});

test('the log line has it', async () => {
  const world = lake();
  const logged: object[] = [];
  const { job } = world.job({
    logger: {
      error: (fields: object) => void logged.push(fields),
      warn: () => undefined,
      info: () => undefined,
      debug: () => undefined,
    },
  });
  await expect(
    world.run(job, raw(job).pipe(records(mergeMap(failAt((item) => [item]))), out())),
  ).rejects.toBe(bug);
  expect(logged).toEqual([{ job: 'test', operator: 'records(…)', ...place, code: 'UNKNOWN', name: 'Error' }]);
});
