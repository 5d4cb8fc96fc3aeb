import {
  bufferCount,
  catchError,
  combineLatestWith,
  concat,
  concatMap,
  connect,
  count,
  debounceTime,
  defer,
  delay,
  distinct,
  EMPTY,
  endWith,
  filter,
  finalize,
  first,
  groupBy,
  map,
  materialize,
  merge,
  mergeMap,
  mergeWith,
  observeOn,
  asapScheduler,
  of,
  pairwise,
  reduce,
  retry,
  scan,
  share,
  shareReplay,
  skip,
  startWith,
  switchMap,
  take,
  takeWhile,
  tap,
  toArray,
  windowCount,
  withLatestFrom,
  type Observable,
  type OperatorFunction,
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
  readonly user: string;
  readonly n: number;
}

const visits = Array.from({ length: 50 }, (_, n): Visit => ({ user: `u${n % 3}`, n }));

/** JavaScript users can apply any operator to a flow. */
type Slip = OperatorFunction<Visit, unknown>;
const on = (flow: Flow<Visit>, slip: Slip): Flow<Visit> =>
  (flow as Observable<Visit>).pipe(slip) as Flow<Visit>;
const out = (id = 'out') => fileSink<Visit>(id, `memory://lake/${id}`, { format: ndjson() });
const counted = () =>
  keyed('count', {
    key: ({ user }: Visit) => user,
    state: { seen: valueState(0) },
    onRecord: (visit, { seen }) => [{ ...visit, seen: seen.update((n) => n + 1) }],
  });

async function run(leaf: (flow: Flow<Visit>) => Observable<unknown>) {
  const lake = new Lake();
  lake.put('raw/a.ndjson', visits);
  const { job } = lake.job();
  const flow = job.source('raw', files('memory://lake/raw/', { format: ndjson<Visit>() }));
  const result: unknown = await lake.run(job, leaf(flow)).catch((error: unknown) => error);
  return { lake, result };
}

const refused = expect.objectContaining({
  code: 'PlainOperator',
  message: expect.stringContaining('records(') as string,
  retryable: false,
}) as unknown;

const called: unknown[] = [];
/** Records the arguments of a callback. */
const note = <T, R>(work: (value: T, index: number) => R) =>
  function noting(value: T, index: number): R {
    called.push(value);
    return work(value, index);
  };
beforeEach(() => void (called.length = 0));

const slips: readonly (readonly [string, Slip])[] = [
  ['map to a field of a field', map(note((v: Visit) => v.user.length))],
  ['map to a copy', map(note((v: Visit) => ({ ...v })))],
  ['map by destructuring', map(note(({ user }: Visit) => user))],
  ['map to itself', map(note((v: Visit) => v))],
  ['filter by a field', filter(note((v: Visit) => v.n > 3))],
  ['filter by index', filter(note((_: Visit, i: number) => i % 2 === 0))],
  ['filter that passes all', filter(note(() => true))],
  ['filter that passes nothing', filter(note(() => false))],
  ['tap', tap(note(() => undefined) as (v: Visit) => void)],
  ['scan', scan((sum: number, v: Visit) => note<Visit, number>(({ n }) => sum + n)(v, 0), 0)],
  ['reduce', reduce((sum: number) => sum + 1, 0)],
  ['mergeMap over a list', mergeMap(note((v: Visit) => [v]))],
  ['concatMap over Observables', concatMap(note((v: Visit) => of(v)))],
  ['switchMap', switchMap(note((v: Visit) => of(v)))],
  [
    'groupBy and mergeMap',
    (flow) =>
      flow.pipe(
        groupBy((v) => note(({ user }: Visit) => user)(v, 0)),
        mergeMap((group) => group),
      ),
  ],
  ['take', take(3)],
  ['first', first()],
  ['takeWhile', takeWhile(note((v: Visit) => v.n < 10))],
  ['skip', skip(1)],
  ['distinct', distinct((v) => note(({ user }: Visit) => user)(v, 0))],
  ['pairwise', pairwise()],
  ['bufferCount', bufferCount(3)],
  ['toArray', toArray()],
  ['count', count()],
  ['delay', delay(1)],
  ['debounceTime', debounceTime(1)],
  ['observeOn', observeOn(asapScheduler)],
  ['withLatestFrom', withLatestFrom(of(1))],
  ['materialize', materialize()],
  ['catchError that swallows', catchError(() => EMPTY)],
  ['retry', retry()],
  ['mergeWith', mergeWith(of(1))],
  ['combineLatestWith', combineLatestWith(of(1))],
  [
    'several',
    (flow) =>
      flow.pipe(
        filter(note(() => true)),
        catchError(() => EMPTY),
        take(100),
      ),
  ],
];

describe.each<[string, (flow: Flow<Visit>, slip: Slip) => Observable<unknown>]>([
  ['on a source, before a sink', (flow, slip) => on(flow, slip).pipe(out())],
  ['on a source, at the end', (flow, slip) => on(flow, slip)],
  ['on a source, before values()', (flow, slip) => on(flow, slip).pipe(values())],
  ['after records(…)', (flow, slip) => on(flow.pipe(records(map((v) => v))), slip).pipe(out())],
  ['after keyed(…)', (flow, slip) => on(flow.pipe(counted()), slip).pipe(out())],
  ['after mergeFlows(…)', (flow, slip) => on(mergeFlows(flow, flow), slip).pipe(out())],
  ['after share()', (flow, slip) => on(flow.pipe(share()), slip).pipe(out())],
  ['after share(), at the end', (flow, slip) => on(flow.pipe(share()), slip)],
  ['after a sink', (flow, slip) => on(flow.pipe(out()), slip)],
])('a plain operator straight on a flow is refused, and sees nothing: %s', (_, leaf) => {
  test.each(slips.map(([name, slip]) => [name, { slip }] as const))('%s', async (_, { slip }) => {
    const { lake, result } = await run((flow) => leaf(flow, slip));
    expect(result).toEqual(refused);
    expect(called).toEqual([]);
    expect(lake.lines('out/')).toEqual([]);
  });
});

const last = { user: 'last', n: 0 };
test.each<[string, string, Slip]>([
  ['startWith', 'NotOpened', startWith(last)],
  ['windowCount', 'NotOpened', windowCount(3)],
  ['concat before', 'NotOpened', (flow) => concat(of(last), flow)],
  ['merge with what is there at once', 'NotOpened', (flow) => merge(of(last), flow)],
  ['endWith', 'RecordAfterEnd', endWith(last)],
  ['concat after', 'RecordAfterEnd', (flow) => concat(flow, of(last))],
])('a record that %s puts outside the checkpoints is an error: %s', async (_, code, slip) => {
  const { result } = await run((flow) => on(flow, slip).pipe(out()));
  expect(result).toMatchObject({ code, message: expect.stringContaining('records(') as string });
});

test('a plain operator on the flow of dead letters is rejected, too', async () => {
  const lake = new Lake();
  lake.put('raw/a.ndjson', ['{ broken', ...visits]);
  const { job } = lake.job();
  const letters = fileSink('dead', 'memory://lake/dead', { format: ndjson() });
  const source = files('memory://lake/raw/', {
    format: ndjson<Visit>(),
    onMalformed: deadLetter((flow) =>
      flow.pipe(
        filter(() => true),
        letters,
      ),
    ),
  });
  await expect(lake.run(job, job.source('raw', source).pipe(out()))).rejects.toEqual(refused);
});

test('the stack of the error leads to the pipe(…)', async () => {
  const { result } = await run(function theSlipOfTheUser(flow) {
    return on(
      flow,
      filter(() => true),
    ).pipe(out());
  });
  expect((result as Error).stack).toContain('theSlipOfTheUser');
});

test('it is rejected wherever the flow is subscribed; after values() it is allowed', () => {
  const errors: unknown[] = [];
  const note = (error: unknown): void => void errors.push(error);
  const { job } = new Lake().job();
  const flow = job.source('raw', files('memory://lake/raw/', { format: ndjson<Visit>() }));
  flow.pipe(toArray()).subscribe({ error: note });
  flow.pipe(values(), toArray()).subscribe({ error: note });
  expect(errors).toEqual([refused, expect.objectContaining({ code: 'OutsideRun' })]);
});

describe('operators that pass elements on unchanged may be applied to a flow', () => {
  test.each<[string, (flow: Flow<Visit>) => Flow<Visit>]>([
    ['share', (flow) => flow.pipe(share())],
    ['shareReplay', (flow) => flow.pipe(shareReplay({ bufferSize: 1, refCount: true }))],
    ['connect', (flow) => flow.pipe(connect((shared) => shared))],
    ['finalize', (flow) => flow.pipe(finalize(() => undefined))],
    ['defer', (flow) => defer(() => flow)],
    [
      'all of them',
      (flow) =>
        defer(() =>
          flow.pipe(
            share(),
            finalize(() => undefined),
            connect((s) => s),
          ),
        ),
    ],
  ])('%s', async (_, transparent) => {
    const { lake, result } = await run((flow) => transparent(flow.pipe(counted())).pipe(out()));
    expect(result).toEqual({ outcome: 'finished' });
    expect(lake.lines('out/')).toHaveLength(50);
  });

  test('after values() any operator, shared or not; and leaves may be merged', async () => {
    const { result } = await run((flow) => {
      const shared = flow.pipe(values(), share());
      return merge(shared.pipe(map(note(({ n }) => n)), toArray()), flow.pipe(out()));
    });
    expect(result).toEqual({ outcome: 'finished' });
    expect(called).toEqual(visits);
  });
});
