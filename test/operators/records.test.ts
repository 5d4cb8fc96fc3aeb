import {
  bufferCount,
  catchError,
  concat,
  concatMap,
  concatWith,
  connect,
  count,
  debounceTime,
  defer,
  delay,
  delayWhen,
  endWith,
  exhaustMap,
  expand,
  filter,
  first,
  groupBy,
  map,
  merge,
  mergeMap,
  mergeWith,
  NEVER,
  observeOn,
  of,
  asapScheduler,
  pairwise,
  reduce,
  repeat,
  scan,
  share,
  skip,
  startWith,
  Subject,
  subscribeOn,
  switchMap,
  take,
  takeUntil,
  takeWhile,
  tap,
  timer,
  toArray,
  windowCount,
  withLatestFrom,
  BehaviorSubject,
  EMPTY,
  Observable,
  type OperatorFunction,
} from 'rxjs';
import { credit, end, isSignal, open, systemClock } from '../../src/entries/operators.js';
import {
  fileSink,
  files,
  keyed,
  ndjson,
  records,
  values,
  valueState,
  type FlowOperator,
  type Signal,
} from '../../src/index.js';
import { TestAttempt } from '../../src/testing/index.js';
import { Lake } from '../job/harness.js';

const lift = (...ops: OperatorFunction<number, unknown>[]): FlowOperator<number, unknown> =>
  Reflect.apply(records, undefined, ops) as FlowOperator<number, unknown>;

/** The output of `records(…)` for these records, and how it ends. */
function run(input: readonly number[], ...ops: OperatorFunction<never, unknown>[]) {
  const source = new Subject<number | Signal>();
  const out: unknown[] = [];
  let error: unknown;
  let completed = false;
  source.pipe(lift(...(ops as OperatorFunction<number, unknown>[]))).subscribe({
    next: (value) => {
      if (!isSignal(value)) out.push(value);
    },
    error: (each: unknown) => (error = each),
    complete: () => (completed = true),
  });
  source.next(open(['in'], new TestAttempt({ clock: systemClock })));
  for (const n of input) {
    source.next(n);
    source.next(credit('in', n));
  }
  source.next(end);
  source.complete();
  return { out, error, completed };
}

describe('synchronous operators emit in the turn of their record, or at End', () => {
  const config = new BehaviorSubject('c');
  test.each<[string, OperatorFunction<never, unknown>[], unknown[]]>([
    ['map, filter', [map((n: number) => n * 2), filter((n) => n !== 4)], [2, 6]],
    ['mergeMap over an array', [mergeMap((n: number) => [n, -n])], [1, -1, 2, -2, 3, -3]],
    ['concatMap of concat', [concatMap((n: number) => concat(of(n), of(-n)))], [1, -1, 2, -2, 3, -3]],
    ['switchMap, exhaustMap', [switchMap((n: number) => of(n)), exhaustMap((n) => of(n))], [1, 2, 3]],
    ['expand that ends', [expand((n: number) => (n < 3 ? of(n + 1) : EMPTY))], [1, 2, 3, 2, 3, 3]],
    ['reduce, toArray', [reduce((a: number, n: number) => a + n), toArray()], [[6]]],
    ['bufferCount with a rest', [bufferCount(2)], [[1, 2], [3]]],
    [
      'scan, pairwise',
      [scan((a: number, n: number) => a + n), pairwise()],
      [
        [1, 3],
        [3, 6],
      ],
    ],
    ['take', [take(2)], [1, 2]],
    ['take, toArray', [take(2), toArray()], [[1, 2]]],
    ['first', [first()], [1]],
    ['takeWhile, endWith', [takeWhile((n: number) => n < 3), endWith(9)], [1, 2, 9]],
    ['take, repeat', [take(2), repeat(2)], [1, 2, 3]],
    ['concatWith', [concatWith(of(7))], [1, 2, 3, 7]],
    ['skip, count', [skip(1), count()], [2]],
    [
      'groupBy and merge',
      [groupBy((n: number) => n % 2), mergeMap((g: Observable<number>) => g.pipe(toArray()))],
      [[1, 3], [2]],
    ],
    ['windowCount', [windowCount(2), mergeMap((w: Observable<number>) => w.pipe(count()))], [2, 1]],
    ['share', [share()], [1, 2, 3]],
    [
      'connect',
      [connect((s: Observable<number>) => merge(s, s.pipe(map((n) => -n))))],
      [1, -1, 2, -2, 3, -3],
    ],
    ['withLatestFrom a live value', [withLatestFrom(config), map(([n]: [number, string]) => n)], [1, 2, 3]],
    [
      'catchError that continues',
      [
        map((n: number) => {
          if (n === 2) throw new Error('two');
          return n;
        }),
        catchError((_: unknown, caught) => caught as Observable<unknown>),
      ],
      [1, 3],
    ],
    ['an empty array for each', [mergeMap(() => [])], []],
    ['a thousand for each', [mergeMap(() => Array.from({ length: 1000 }, (_, i) => i)), count()], [3000]],
  ])('%s', (_, ops, expected) => {
    const { out, error, completed } = run([1, 2, 3], ...ops);
    expect(error).toBeUndefined();
    expect(completed).toBe(true);
    expect(out).toEqual(expected);
  });
});

describe('operators that cannot keep their place among signals are rejected', () => {
  test.each<[string, string, OperatorFunction<never, unknown>[]]>([
    ['a mergeMap over promises', 'AsyncInRecords', [mergeMap((n: number) => Promise.resolve(n))]],
    ['a concatMap of delayed values', 'AsyncInRecords', [concatMap((n: number) => of(n).pipe(delay(1e6)))]],
    ['a switchMap over timers', 'AsyncInRecords', [switchMap(() => timer(1e6))]],
    ['delay', 'AsyncInRecords', [delay(1e6)]],
    ['delayWhen', 'AsyncInRecords', [delayWhen(() => NEVER)]],
    ['observeOn', 'AsyncInRecords', [observeOn(asapScheduler)]],
    ['subscribeOn', 'AsyncInRecords', [subscribeOn(asapScheduler)]],
    [
      'delay before others',
      'AsyncInRecords',
      [map((n: number) => n), delay(1e6), filter(() => true), toArray()],
    ],
    ['an inner Observable that never completes', 'AsyncInRecords', [mergeMap(() => NEVER)]],
    ['concatWith what never completes', 'AsyncInRecords', [concatWith(NEVER)]],
    ['startWith', 'EarlyInRecords', [startWith(0)]],
    ['startWith before others', 'EarlyInRecords', [map((n: number) => n), startWith(0), map((n) => n)]],
    ['mergeWith', 'EarlyInRecords', [mergeWith(of(0))]],
    ['map(async)', 'PromiseInFlow', [map((n: number) => Promise.resolve(n))]],
    [
      'promises from an array',
      'PromiseInFlow',
      [mergeMap((n: number) => [[Promise.resolve(n)]]), mergeMap((n) => n)],
    ],
    ['map to an Observable', 'ObservableInFlow', [map((n: number) => of(n))]],
    ['groupBy whose groups nothing takes', 'ObservableInFlow', [groupBy((n: number) => n % 2)]],
    ['map to a Subject', 'ObservableInFlow', [map(() => new Subject())]],
  ])('%s: %s', (_, code, ops) => {
    const { error, completed } = run([1, 2, 3], ...ops);
    expect(error).toMatchObject({ code });
    expect(completed).toBe(false);
  });

  test('an emission after the turn, and a completion', () => {
    const gate = new Subject<void>();
    for (const op of [delayWhen(() => gate), takeUntil(gate)]) {
      const source = new Subject<number | Signal>();
      let error: unknown;
      source
        .pipe(lift(op as OperatorFunction<number, unknown>))
        .subscribe({ error: (each: unknown) => (error = each) });
      source.next(open(['in'], new TestAttempt({ clock: systemClock })));
      source.next(1);
      expect(error).toBeUndefined();
      gate.next();
      expect(error).toMatchObject({ code: 'AsyncInRecords' });
    }
  });

  test('debounceTime gives the last record at End', () => {
    expect(run([1, 2, 3], debounceTime(1e6))).toEqual({ out: [3], error: undefined, completed: true });
  });
});

describe('a stack overflow ends the job with the RangeError, whatever operators are around', () => {
  interface Row {
    readonly n: number;
  }
  const grows = expand(({ n }: Row) => (n >= 5 && n < 100_000 ? of({ n: n + 1 }) : EMPTY));
  const merges = mergeMap(function again({ n }: Row): Observable<Row> {
    return n < 5
      ? of({ n })
      : concat(
          of({ n }),
          defer(() => of({ n: n + 1 }).pipe(mergeMap(again))),
        );
  });
  const same = map((row: Row) => row);
  const all = filter(() => true) as OperatorFunction<Row, Row>;
  const counts = keyed('count', {
    key: ({ n }: Row) => n % 10,
    state: { count: valueState(0) },
    onRecord: (row: Row, { count: seen }) => [{ ...row, count: seen.update((before) => before + 1) }],
  });
  const out = fileSink<Row>('out', 'memory://lake/out', { format: ndjson() });
  const chains: Record<string, (flow: Observable<Row | Signal>) => Observable<unknown>> = {
    expand: (flow) => flow.pipe(records(grows), out),
    'expand among others': (flow) => flow.pipe(records(same, grows, all, same), out),
    'a mergeMap that calls itself': (flow) => flow.pipe(records(merges), out),
    'a mergeMap that calls itself, among others': (flow) => flow.pipe(records(same, merges, all), out),
    'expand before state': (flow) => flow.pipe(records(grows), counts, out),
    'expand before other records': (flow) =>
      flow.pipe(records(grows), records(same, all), counts, records(same), out),
    'expand before plain operators': (flow) =>
      flow.pipe(
        records(same, grows),
        values(),
        tap(() => undefined),
        map((row) => row),
      ),
    'expand before two sinks': (flow) =>
      flow.pipe(
        records(grows),
        connect((shared) => merge(shared.pipe(counts, out), shared.pipe(values(), same))),
      ),
    'a callback that recurses': (flow) =>
      flow.pipe(
        records(
          map((row) => {
            const deep = (n: number): number => deep(n + 1) + 1;
            return { n: deep(row.n) };
          }),
        ),
        out,
      ),
  };

  test.each(Object.entries(chains))('%s', async (_, leaf) => {
    const lake = new Lake();
    lake.put(
      'in/a.ndjson',
      Array.from({ length: 50 }, (_, n) => ({ n })),
    );
    const { job } = lake.job({ checkpoints: { interval: 1 } });
    const flow = job.source('in', files('memory://lake/in/*', { format: ndjson<Row>() }));
    const outcome = await lake.run(job, leaf(flow)).catch((error: unknown) => error);
    expect(outcome).toBeInstanceOf(RangeError);
  });

  test('an error that RxJS swallowed is detected at the next signal, before any barrier', () => {
    // The state that an overflow leaves: stopped, but its subscriber was not notified.
    const dies = (flow: Observable<number>): Observable<number> =>
      new Observable((subscriber) =>
        flow.subscribe((n) => {
          if (n === 2) (subscriber as unknown as { isStopped: boolean }).isStopped = true;
          else subscriber.next(n);
        }),
      );
    const { out, error } = run(
      [1, 2, 3],
      dies,
      map((n: number) => n),
    );
    expect(out).toEqual([1]);
    expect(error).toMatchObject({ code: 'StoppedInRecords' });
  });
});
