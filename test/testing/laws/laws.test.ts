import fc from 'fast-check';
import { filter, map, mergeMap, scan, tap, type OperatorFunction } from 'rxjs';
import {
  countByKey,
  distinctByKey,
  fileSink,
  type Flow,
  isNewBatch,
  joinByKey,
  keyed,
  latestByKey,
  listState,
  mapState,
  mergeFlows,
  ndjson,
  type OutboxMark,
  outboxSink,
  records,
  reduceByKey,
  reducingState,
  scanByKey,
  scanState,
  type Signal,
  timers,
  valueState,
  watermarks,
} from '../../../src/index.js';
import { listAll, type ObjectStore, type Stores } from '../../../src/entries/stores.js';
import { isSignal, Service, signal, stores } from '../../../src/entries/operators.js';
import { effort } from '../../support/effort.js';
import { hurried } from '../../support/hurried.js';
import { stuckServices } from '../../support/marbleServices.js';
import { right, wrong } from '../wrong/operators.js';
import type { Item } from '../wrong/passing.js';
import { type Board, board, onBoard } from '../wrong/publishing.js';
import { type Outlet, outlet } from '../wrong/writing.js';
import { checkLaws, lawInputs, memoryServices, type LawOptions } from '../../../src/testing/index.js';

/** The records below `out/`, in the order of the files' names. */
const publishedFiles: LawOptions['published'] = (services) => {
  const { store } = (services.get(stores) as Stores).open('memory://lake/out');
  return [keysOf(store, 'out/').flatMap((key) => linesOf(store, key))];
};

function keysOf(store: ObjectStore, prefix: string): string[] {
  const keys: string[] = [];
  listAll(store, prefix).subscribe((page) => keys.push(...page.map(({ key }) => key)));
  return keys;
}

function linesOf(store: ObjectStore, key: string): unknown[] {
  const lines: unknown[] = [];
  store.get(key).subscribe(({ chunks }) => {
    const content = Buffer.concat(chunks).toString();
    for (const line of content.split('\n')) if (line !== '') lines.push(JSON.parse(line));
  });
  return lines;
}

const byThree = { key: ({ n }: Item) => n % 3 };
const addTo = ({ sum }: { readonly sum: number }, { n }: Item) => ({ sum: sum + n });

const check = (
  operator: () => OperatorFunction<never, unknown>,
  options: LawOptions = {},
  numRuns = 100,
): void => {
  const { errorInstance } = fc.check(
    fc.property(lawInputs(fc, fc.record({ n: fc.nat({ max: 9 }) })), (input) => {
      checkLaws(operator, input, {
        services: memoryServices,
        mutate: (record) => {
          // Not where it is frozen.
          Reflect.set(record as Item, 'n', -1);
        },
        ...options,
      });
    }),
    { numRuns },
  );
  if (errorInstance !== null && errorInstance !== undefined) throw errorInstance as Error;
};

/** For what keeps them: a wrong operator must be found, however few runs there are of others. */
const kept = (operator: () => OperatorFunction<never, unknown>, options?: LawOptions): void => {
  check(operator, options, effort(30, 100));
};

describe('every law is kept by', () => {
  test('records of stateless operators', () => {
    kept(() =>
      records(
        map(({ n }: Item) => n + 1),
        filter((n) => n % 3 !== 0),
        mergeMap((n) => [n, -n]),
      ),
    );
  });

  test('keyed', () => {
    kept(() =>
      keyed('sums', {
        key: ({ n }: Item) => n % 3,
        state: { sum: valueState(0), last: valueState<Item | undefined>(undefined) },
        onRecord: (record, { sum, last }) => {
          const before = last.value?.n ?? null;
          last.set({ n: record.n });
          return [{ sum: sum.update((each) => each + record.n), before }];
        },
      }),
    );
  });

  test('keyed, with every kind of state and timers', () => {
    kept(() =>
      keyed('timed', {
        key: ({ n }: Item) => n % 3,
        state: {
          due: timers('event'),
          all: listState<number>(),
          counts: mapState<number, number>(),
          highest: reducingState((a: number, b: number) => Math.max(a, b)),
        },
        onRecord: ({ n }, { due, all, counts, highest }) => {
          due.set(n, n % 2);
          all.append(n);
          counts.in(n % 2).update(n, (count = 0) => count + 1);
          return [highest.add(n)];
        },
        onTimer: ({ at, namespace = null }, { all, counts }) => {
          const result = { at, all: all.toArray(), counts: [...counts.in(namespace).values()].sort() };
          counts.in(namespace).delete(at);
          if (all.length > 5) all.clear();
          return [result];
        },
      }),
    );
  });

  test.each([
    ['reduceByKey', () => reduceByKey('sums', { ...byThree, accumulator: addTo, seed: { sum: 0 } })],
    [
      'timers',
      () =>
        keyed('timed', {
          key: ({ n }: Item) => n % 3,
          state: { due: timers('event') },
          onRecord: ({ n }, { due }) => {
            for (const at of [n, n + 1, n + 9]) due.set(at);
            return [n];
          },
          onTimer: ({ key, at }) => [`${String(key)} ${at}`],
        }),
    ],
  ])('what emits on its own, in many slices: %s', (_, operator) => {
    // Records that wait have not been handled.
    kept(operator, { clock: hurried, mutate: () => undefined });
  });

  test("keyed, of the user's own objects", () => {
    kept(() =>
      keyed('last', {
        key: ({ n }: Item) => n % 3,
        state: { last: valueState<Item | undefined>(undefined) },
        onRecord: (record, { last }) => {
          const before = last.value;
          last.set(record);
          return before === undefined ? [] : [before];
        },
      }),
    );
  });

  test.each([
    ['scanByKey', () => scanByKey('sums', { ...byThree, accumulator: addTo, seed: { sum: 0 } })],
    ['reduceByKey', () => reduceByKey('sums', { ...byThree, accumulator: addTo, seed: { sum: 0 } })],
    ['countByKey', () => countByKey('counts', byThree)],
    ['distinctByKey', () => distinctByKey('first', byThree)],
    [
      'latestByKey',
      () => latestByKey('changes', { ...byThree, comparator: (a: Item, b: Item) => a.n === b.n }),
    ],
    ['scanState', () => scanState('sum', addTo, { sum: 0 })],
    [
      'joinByKey',
      () => (source: Flow<Item>) =>
        source.pipe(joinByKey('join', source, { ...byThree, otherKey: byThree.key })),
    ],
  ] as [string, () => OperatorFunction<never, unknown>][])('%s', (_, operator) => {
    kept(operator);
  });

  test('fileSink', () => {
    const pending = { requests: 0 };
    kept(
      () =>
        fileSink<Item>('out', 'memory://lake/out', {
          format: ndjson(),
          partSize: 16,
          roll: { size: 32 },
          budget: 64,
        }),
      {
        published: publishedFiles,
        stuck: {
          services: () => {
            pending.requests = 0;
            return stuckServices(pending);
          },
          requests: () => pending.requests,
          // A record takes eight bytes.
          budget: 8,
        },
      },
    );
  });

  test('outboxSink', () => {
    const pending = { requests: 0 };
    const target = new Service<{ readonly rows: unknown[]; last?: OutboxMark }>('target');
    const withTarget = () =>
      new Map([...memoryServices(), [target, { rows: [] }]] as [Service<unknown>, unknown][]);
    kept(
      () => (flow: Flow<Item>) => {
        let table: { readonly rows: unknown[]; last?: OutboxMark };
        const opened = tap((each: Item | Signal) => {
          if (isSignal(each) && each[signal] === 'open') table = each.attempt.use(target);
        });
        const publish = (batch: readonly Item[], mark: OutboxMark): [] => {
          if (!isNewBatch(mark, table.last)) return [];
          table.rows.push(...batch);
          table.last = mark;
          return [];
        };
        return opened(flow).pipe(
          outboxSink<Item>('out', { publish, maxBatch: { records: 2 }, budget: 4096, backlog: 100 }),
        );
      },
      {
        services: withTarget,
        published: (services) => [(services.get(target) as { readonly rows: unknown[] }).rows],
        stuck: {
          services: () => {
            pending.requests = 0;
            return new Map([...stuckServices(pending), [target, { rows: [] }]] as [
              Service<unknown>,
              unknown,
            ][]);
          },
          requests: () => pending.requests,
          // A record takes about twenty bytes.
          budget: 200,
        },
      },
    );
  });

  test.each([undefined, 2])('watermarks, idle after %s ms', (idle) => {
    kept(() => watermarks('time', { timestamp: ({ n }: Item) => n, outOfOrder: 3, ...(idle && { idle }) }), {
      replacesWatermarks: true,
    });
  });

  test('mergeFlows', () => {
    kept(() => (source: Flow<Item>) => mergeFlows(source));
  });
});

describe('laws', () => {
  const services = (answers: boolean) => () =>
    new Map<Service<unknown>, unknown>([
      [board, new Map()],
      [outlet, { pending: 0, answers } satisfies Outlet],
    ]);
  const optionsFor = (name: string): LawOptions => ({
    services: services(true),
    ...((name.includes('publish') || name in (wrong['publishing'] ?? {})) && {
      published: (given) => onBoard(given.get(board) as Board),
    }),
    ...(/writ|request/.test(name) && {
      stuck: {
        services: services(false),
        requests: (given) => (given.get(outlet) as Outlet).pending,
        budget: 3,
      },
    }),
  });

  test.each(Object.keys(right))('hold for an operator that %s', (name) => {
    kept(right[name]!, optionsFor(name));
  });

  test.each(
    Object.entries(wrong).flatMap(([law, operators]) =>
      Object.keys(operators).map((name) => [law, name] as const),
    ),
  )('of %s find an operator that %s', (law, name) => {
    const operator = wrong[law]![name]!;
    expect(() => {
      check(operator, optionsFor(name));
    }).toThrow(`Law of ${law} broken`);
  });

  test.each([
    ['drops every record', () => false],
    ['loses every second record', (_: Item, index: number) => index % 2 === 0],
  ])('of publishing find a fileSink that %s', (_, keeps) => {
    expect(() => {
      check(
        () => (flow) =>
          (flow as Flow<Item>).pipe(
            records(filter(keeps)),
            fileSink<Item>('out', 'memory://lake/out', { format: ndjson() }),
          ),
        { published: publishedFiles },
      );
    }).toThrow('Law of publishing broken');
  });

  test('of restore find that records(scan) is not restored', () => {
    expect(() => {
      check(() => records(scan((sum, { n }: Item) => sum + n, 0)));
    }).toThrow('Law of restore broken');
  });
});
