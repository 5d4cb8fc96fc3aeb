import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import {
  catchError,
  concat,
  concatMap,
  connect,
  EMPTY,
  map,
  merge,
  mergeMap,
  scan,
  share,
  tap,
  throwError,
  toArray,
  type Observable,
} from 'rxjs';
import { createStores, decorate, StoreError } from '../../src/entries/stores.js';
import {
  deadLetter,
  fileSink,
  files,
  keyed,
  mergeFlows,
  MillraceError,
  ndjson,
  records,
  text,
  values,
  valueState,
  type FilesOptions,
  type Flow,
  type Format,
  type JobEvent,
  type JobOptions,
  type Logger,
} from '../../src/index.js';
import { flowOperator, systemClock, FlowSubscriber } from '../../src/entries/operators.js';
import { pause } from '../../src/flow/clock.js';
import { Lake } from './harness.js';

interface Row {
  readonly n: number;
}

class Boom extends Error {
  override readonly name = 'Boom';
}
const boom = new Boom('boom');
const bad = 2500;
/** Fails at the record that every test is about. */
const failAt = <T extends Row>(row: T): T => {
  if (row.n === bad) throw boom;
  return row;
};

const row = (n: number): string => JSON.stringify({ n });
const all = Array.from({ length: 4000 }, (_, n) => row(n));
const second = all.slice(1000);
/** All rows in two objects, blank lines and wide characters among them. */
const body = (lines: readonly string[]): string => `{"n":-1,"name":"ä€😀"}\r\n\n${lines.join('\n')}\n`;
const before = Buffer.byteLength(body(second).split(row(bad))[0]!);
const place = { source: 'raw', offset: before, line: 3 + bad - 1000 };
const object = 'memory://lake/raw/b.ndjson';

type Failed = Extract<JobEvent, { type: 'failed' | 'restarting' }>;

interface World {
  readonly lake: Lake;
  /** zlib works off the main thread, in the machine's time. */
  readonly zipped: boolean;
  readonly options: Partial<JobOptions>;
  readonly lines: { readonly message: string; readonly context: object }[];
}

function world(zipped = false): World {
  const lake = new Lake();
  const put = (key: string, content: string): void =>
    void lake.store
      .put(zipped ? `${key}.gz` : key, zipped ? gzipSync(content) : Buffer.from(content))
      .subscribe();
  put('raw/a.ndjson', body(all.slice(0, 1000)));
  put('raw/b.ndjson', body(second));
  const lines: World['lines'] = [];
  const log = (context: object, message: string): void => void lines.push({ context, message });
  const logger: Logger = { debug: () => undefined, info: () => undefined, warn: log, error: log };
  const options = zipped ? { logger, clock: systemClock, restart: { initial: 1 } } : { logger };
  return { lake, zipped, options, lines };
}

async function failing(
  leaf: (flow: Flow<Row>) => Observable<unknown>,
  { lake, zipped, options, lines }: World = world(),
  reading: Partial<FilesOptions<Row>> = {},
) {
  const { job, events } = lake.job(options);
  const format: Format<Row> = ndjson<Row>();
  const flow = job.source('raw', files('memory://lake/raw/*', { format, ...reading }));
  const error: unknown = await (zipped ? job.run(leaf(flow)) : lake.run(job, leaf(flow))).catch(
    (each: unknown) => each,
  );
  const failures = events.filter((event): event is Failed => ['failed', 'restarting'].includes(event.type));
  const restored = events.flatMap((event) => (event.type === 'running' ? [event.checkpoint] : []));
  return { error, failures, last: failures.at(-1), lines, restored };
}

const out = <A>(options: object = {}) =>
  fileSink<A>('out', 'memory://lake/out', { format: ndjson(), ...options });
const counts = { count: valueState(0) };
const same = keyed('same', { key: ({ n }: Row) => n % 7, state: counts, onRecord: (each) => [each] });

class Own extends FlowSubscriber<Row, Row> {
  override onRecord(each: Row): void {
    this.emit(failAt(each));
  }
}

const leaves: readonly (readonly [string, string | undefined, (flow: Flow<Row>) => Observable<unknown>])[] = [
  ['map in records', 'records(…)', (flow) => flow.pipe(records(map(failAt)), out())],
  [
    'a later operator of records',
    'records(…)',
    (flow) =>
      flow.pipe(
        records(
          map((r) => r),
          tap(failAt),
        ),
        same,
        out(),
      ),
  ],
  ['scan in records', 'records(…)', (flow) => flow.pipe(records(scan((_, r: Row) => failAt(r))), out())],
  [
    'mergeMap in records',
    'records(…)',
    (flow) =>
      flow.pipe(
        records(
          mergeMap((r) => [r, r]),
          map(failAt),
        ),
        out(),
      ),
  ],
  [
    'key of keyed',
    'k',
    (flow) => flow.pipe(keyed('k', { key: (r) => failAt(r).n, state: counts, onRecord: (r) => [r] }), out()),
  ],
  [
    'onRecord of keyed',
    'k',
    (flow) => flow.pipe(keyed('k', { key: (r) => r.n, state: counts, onRecord: (r) => [failAt(r)] }), out()),
  ],
  [
    'a generator of keyed',
    'k',
    (flow) =>
      flow.pipe(
        keyed('k', {
          key: (r) => r.n,
          state: counts,
          onRecord: function* (r) {
            yield r;
            yield failAt(r);
          },
        }),
        out(),
      ),
  ],
  [
    'keyed after others',
    'k',
    (flow) =>
      flow.pipe(
        records(map((r) => r)),
        same,
        keyed('k', { key: (r) => failAt(r).n, state: counts, onRecord: (r) => [r] }),
        out(),
      ),
  ],
  ['partitionBy', 'out', (flow) => flow.pipe(out<Row>({ partitionBy: (r: Row) => `p=${failAt(r).n % 2}` }))],
  [
    'encode',
    'out',
    (flow) => flow.pipe(out<Row>({ format: { extension: '.x', encode: (r: Row) => `${failAt(r).n}\n` } })),
  ],
  [
    'toJSON of a record',
    'out',
    (flow) => flow.pipe(records(map((r) => ({ toJSON: () => failAt(r) }))), out()),
  ],
  [
    'an operator of one’s own',
    'Own',
    (flow) =>
      flow.pipe(
        flowOperator<Row, Row>((down) => new Own(down)),
        out(),
      ),
  ],
  ['after mergeFlows', 'records(…)', (flow) => mergeFlows(flow, flow).pipe(records(map(failAt)), out())],
  [
    'after share',
    'k',
    (flow) => {
      const shared = flow.pipe(share());
      return merge(
        shared.pipe(keyed('k', { key: (r) => failAt(r).n, state: counts, onRecord: (r) => [r] }), out()),
        shared.pipe(values()),
      );
    },
  ],
  [
    'on a branch of connect',
    'out',
    (flow) =>
      flow.pipe(
        connect((shared) =>
          merge(shared.pipe(values()), shared.pipe(out({ partitionBy: (r: Row) => String(failAt(r).n) }))),
        ),
      ),
  ],
  ['a plain operator after values()', undefined, (flow) => flow.pipe(values(), map(failAt))],
];

describe.each([
  ['plain', false],
  ['gzip', true],
])('an error of a callback names operator, object, offset and line; %s', (_, zipped) => {
  test.each(leaves)('%s', async (__, operator, leaf) => {
    const { error, failures, lines } = await failing(leaf, world(zipped));
    expect(error).toBe(boom);
    const where = {
      ...(operator === undefined ? {} : { operator }),
      ...place,
      object: zipped ? `${object}.gz` : object,
    };
    expect(failures).toEqual([{ type: 'failed', job: 'test', error: boom, ...where }]);
    expect(failures[0]!.error).toBe(boom);
    expect(lines).toEqual([
      { message: 'The job failed', context: { job: 'test', ...where, code: 'UNKNOWN', name: 'Boom' } },
    ]);
  });
});

test('an error of a source’s schema is reported with the source, and one of a custom decoder, too', async () => {
  const validate = (value: unknown) => ({ value: failAt(value as Row) });
  const schema = { '~standard': { version: 1 as const, vendor: 'test', validate } };
  const own: Format<Row> = {
    ...ndjson<Row>(),
    decoder: (from) => {
      const byLine = text().decoder(from);
      return {
        ...byLine,
        decode: (block, start, line, on, malformed) =>
          byLine.decode(
            block,
            start,
            line,
            (each) => each !== '' && on(failAt(JSON.parse(each) as Row)),
            malformed,
          ),
      };
    },
  };
  for (const format of [ndjson<Row>({ schema }), own]) {
    const { error, last } = await failing((flow) => flow.pipe(out()), world(), { format });
    expect(error).toBe(boom);
    expect(last).toMatchObject({ operator: 'raw', ...place, object });
  }
});

test('a malformed record is reported with its place, under fail and if its dead letter fails', async () => {
  const broken = world();
  const start = body(second);
  broken.lake.store.put('raw/b.ndjson', Buffer.from(`${start}{ broken\n${row(1)}\n`)).subscribe();
  const where = { source: 'raw', object, offset: Buffer.byteLength(start), line: 3 + second.length };
  const failed = await failing((flow) => flow.pipe(out()), broken);
  expect(failed.error).toMatchObject({ code: 'MalformedRecord', offset: where.offset, line: where.line });
  expect(failed.last).toMatchObject({ operator: 'raw', ...where });
  const letters = fileSink<object>('dead', 'memory://lake/dead', {
    format: ndjson(),
    partitionBy: () => {
      throw boom;
    },
  });
  const lost = await failing((flow) => flow.pipe(out()), broken, { onMalformed: deadLetter(letters) });
  expect(lost.error).toBe(boom);
  expect(lost.last).toMatchObject({ operator: 'dead', ...where });
});

test('skipped malformed records do not shift the place', async () => {
  const broken = world();
  const content = `{ broken\n${row(1)}\n{ broken\n${row(bad)}\n{ broken\n${row(2)}\n`;
  broken.lake.store.put('raw/a.ndjson', Buffer.from(content)).subscribe();
  const { last } = await failing((flow) => flow.pipe(records(map(failAt)), out()), broken, {
    onMalformed: 'skip',
  });
  expect(last).toMatchObject({
    object: 'memory://lake/raw/a.ndjson',
    offset: content.indexOf(row(bad)),
    line: 4,
  });
});

test.each([
  ['plain', false],
  ['gzip', true],
])('each restart reports the place, and so does the log, also in a resumed object; %s', async (_, zipped) => {
  const flaky = new MillraceError('Flaky', 'Try again.', { retryable: true });
  const at = world(zipped);
  // Reads take time, so that there are checkpoints before the failure.
  const { clock } = at.options;
  const slow = decorate(at.lake.store, (call, run) =>
    call.method === 'get' ? concat(pause(clock ?? at.lake.clock, 2), run) : run,
  );
  const stores = createStores({ schemes: { memory: () => slow }, clock: clock ?? at.lake.clock });
  let tries = 0;
  const { error, failures, lines, restored } = await failing(
    (flow) =>
      flow.pipe(
        records(
          tap(({ n }) => {
            if (n === bad && tries++ < 4) throw flaky;
          }),
        ),
        out(),
      ),
    {
      ...at,
      options: { ...at.options, stores, checkpoints: { dir: 'memory://lake/checkpoints', interval: 1 } },
    },
    { prefetch: { window: 1, fragment: 1000 } },
  );
  expect(error).toEqual({ outcome: 'finished' });
  const where = { operator: 'records(…)', ...place, object: zipped ? `${object}.gz` : object };
  expect(failures).toHaveLength(4);
  expect(restored.at(-1)).toBeGreaterThan(0);
  for (const each of failures) {
    expect(each).toMatchObject({ type: 'restarting', ...where });
    expect(each.error).toBe(flaky);
  }
  expect(lines.map(({ context }) => context)).toEqual(
    failures.map(
      (_, i) =>
        expect.objectContaining({
          ...where,
          code: 'Flaky',
          delay: zipped ? [1, 2, 2, 3][i] : [1000, 1500, 2250, 3375][i],
        }) as object,
    ),
  );
});

describe('if the record is not known, none is named', () => {
  const known = async (
    leaf: (flow: Flow<Row>) => Observable<unknown>,
    operator?: string,
    at = world(),
  ): Promise<unknown> => {
    const { error, last } = await failing(leaf, at);
    expect(Object.keys(last!).sort()).toEqual([
      'error',
      'job',
      ...(operator === undefined ? [] : ['operator']),
      'type',
    ]);
    expect(last!.operator).toBe(operator);
    return error;
  };

  test('a callback that runs at the end of the input', async () => {
    const fails = map((rows: Row[]) => {
      if (rows.length > 0) throw boom;
      return rows;
    });
    expect(await known((flow) => flow.pipe(records(toArray(), fails), out()), 'records(…)')).toBe(boom);
  });

  test('an asynchronous operator in records', async () => {
    const error = await known(
      (flow) => flow.pipe(records(mergeMap((r) => Promise.resolve(r))), out()),
      'records(…)',
    );
    expect(error).toMatchObject({ code: 'AsyncInRecords' });
  });

  test('asynchronous work after values()', async () => {
    const work = concatMap((r: Row) => (r.n === bad ? Promise.resolve(r).then(failAt) : [r]));
    expect(await known((flow) => flow.pipe(values(), work))).toBe(boom);
  });

  test('a store that fails while a record is written', async () => {
    const at = world();
    const down = new StoreError('PermissionDenied', 'No.');
    const refusing = decorate(at.lake.store, (call, run) =>
      call.method === 'createUpload' ? throwError(() => down) : run,
    );
    const stores = createStores({ schemes: { memory: () => refusing }, clock: at.lake.clock });
    const wide = records(map((r: Row) => ({ ...r, pad: 'x'.repeat(4000) })));
    const leaf = (flow: Flow<Row>) => flow.pipe(wide, out({ partSize: '5MiB' }));
    expect(await known(leaf, 'out', { ...at, options: { ...at.options, stores } })).toBe(down);
  });

  test('records that mergeFlows held, while another source sends', async () => {
    // One input of the merge is far ahead of the other: what it brings after a barrier waits, and goes down in no turn of its own.
    const at = world();
    const { job, events } = at.lake.job({ ...at.options, checkpoints: { interval: 1 } });
    const source = (id: string) =>
      job.source(
        id,
        files('memory://lake/raw/*', { format: ndjson<Row>(), prefetch: { window: 1, fragment: 500 } }),
      );
    const merged = mergeFlows(source('left'), source('right')).pipe(records(map(failAt)), out());
    await expect(at.lake.run(job, merged)).rejects.toBe(boom);
    const failed = events.at(-1) as Failed;
    expect(failed.operator).toBe('records(…)');
    if (failed.object !== undefined)
      expect(failed).toMatchObject({ object, offset: place.offset, line: place.line });
  });
});

test.each<[string, unknown]>([
  ['a string', 'boom'],
  ['undefined', undefined],
  ['a frozen error', Object.freeze(new Error('frozen'))],
  ['NaN', Number.NaN],
])('whatever is thrown is what run rejects with: %s', async (_, thrown) => {
  const { error, last } = await failing((flow) =>
    flow.pipe(
      records(
        tap(({ n }) => {
          if (n === bad) throw thrown;
        }),
      ),
      out(),
    ),
  );
  expect(error).toBe(thrown);
  expect(last).toMatchObject({ operator: 'records(…)', ...place, object });
});

test('an error that another operator of a later run throws again is reported with that operator', async () => {
  const at = world();
  const first = await failing((flow) => flow.pipe(records(map(failAt)), out()), at);
  const later = await failing(
    (flow) => flow.pipe(out<Row>({ partitionBy: (r: Row) => `p=${failAt(r).n}` })),
    at,
  );
  expect([first.last?.operator, later.last?.operator]).toEqual(['records(…)', 'out']);
});

test('the operator of a caught error is not reported for a later one', async () => {
  const { error, last } = await failing((flow) => {
    const caught = flow.pipe(
      records(
        map(({ n }) => {
          if (n === 5) throw new Error('caught');
          return n;
        }),
      ),
      values(),
      catchError(() => EMPTY),
    );
    return merge(
      caught,
      flow.pipe(keyed('k', { key: (r) => failAt(r).n, state: counts, onRecord: (r) => [r] })),
    );
  });
  expect(error).toBe(boom);
  expect(last).toMatchObject({ operator: 'k', ...place, object });
});

test('the place is that of the record for any content, format and cut', async () => {
  const content = fc.array(fc.constantFrom('', '{"n":0}', '{"n":0,"x":"€€€😀"}', '{ broken', '{"n":0}\r'), {
    maxLength: 60,
  });
  await fc.assert(
    fc.asyncProperty(
      content,
      content,
      fc.integer({ min: 20, max: 400 }),
      fc.boolean(),
      async (head, tail, fragment, zipped) => {
        const lake = new Lake();
        const start = head.map((line) => `${line}\n`).join('');
        const whole = Buffer.from(`${start}${row(bad)}\n${tail.join('\n')}`);
        lake.store.put('raw/a', zipped ? gzipSync(whole) : whole).subscribe();
        const { last } = await failing(
          (flow) => flow.pipe(records(map(failAt)), out()),
          { lake, zipped, options: zipped ? { clock: systemClock } : {}, lines: [] },
          { onMalformed: 'skip', prefetch: { window: 2, fragment }, compression: zipped ? 'gzip' : 'none' },
        );
        expect(last).toMatchObject({
          object: 'memory://lake/raw/a',
          offset: Buffer.byteLength(start),
          line: head.length + 1,
        });
      },
    ),
    { numRuns: 60 },
  );
});
