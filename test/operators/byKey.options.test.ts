import { NEVER, of, Subject } from 'rxjs';
import {
  barrier,
  end,
  isSignal,
  open,
  type Frozen,
  type FlowOperator,
  type Json,
  type Service,
  type Signal,
} from '../../src/flow/index.js';
import {
  countByKey,
  distinctByKey,
  joinByKey,
  keyed,
  latestByKey,
  listState,
  reduceByKey,
  scanByKey,
  scanState,
  valueState,
  type ByKeyOptions,
  type Flow,
  type Key,
  type Serializer,
} from '../../src/index.js';
import { createMemoryStore } from '../../src/store/memory/index.js';
import { checkpointData } from '../../src/store/services.js';
import { SimulatedClock, TestAttempt } from '../../src/testing/index.js';
import { dataOn } from '../state/harness.js';

interface Row {
  readonly k: Key;
  readonly v: unknown;
}
type Operator = FlowOperator<Row, unknown>;
type Options = Omit<ByKeyOptions<Row, Key, never>, 'key'> & { readonly otherFormerly?: string };

const row = (k: Key, v: unknown): Row => ({ k, v });
const key = ({ k }: Row): Key => k;
const keep = (_: unknown, { v }: Row): unknown => v;
const same = (a: Row, b: Row): boolean => a.v === b.v;

/** Joins a flow with itself. */
const selfJoin =
  (options: Options): Operator =>
  (flow) =>
    (flow as Flow<Row>).pipe(
      joinByKey('op', flow as Flow<Row>, {
        ...options,
        ...('serializer' in options ? { otherSerializer: options.serializer } : {}),
        key,
        otherKey: key,
      }),
    );

/** A `keyed` whose states hold, under other names, what the operator holds; and a state that it lacks. */
const earlier = (change: (row: Row, before: { old: unknown; count: number }) => unknown): Operator =>
  keyed('op', {
    key,
    state: { old: valueState<unknown>(null), gone: valueState(0) },
    onRecord: (each: Row, { old, gone }) => {
      old.set(change(each, { old: old.value, count: gone.update((n) => n + 1) }));
      return [];
    },
  });

const earlierJoin: Operator = keyed('op', {
  key,
  state: { old: listState<Row>(), old2: listState<Row>(), gone: valueState(0) },
  onRecord: (each: Row, { old, old2, gone }) => {
    old.append(each);
    old2.append(each);
    gone.set(1);
    return [];
  },
});

const operators: readonly {
  readonly name: string;
  readonly make: (options: Options) => Operator;
  readonly earlier: Operator;
  /** Whether its state has what is in the records. */
  readonly holds: boolean;
}[] = [
  {
    name: 'scanByKey',
    make: (options) => scanByKey('op', { ...options, key, accumulator: keep, seed: null }),
    earlier: earlier(({ v }) => v),
    holds: true,
  },
  {
    name: 'reduceByKey',
    make: (options) =>
      reduceByKey('op', {
        ...options,
        key,
        accumulator: (sum: readonly unknown[] | null, { v }: Row) => [...(sum ?? []), v],
        seed: null,
      }),
    earlier: earlier(({ v }, { old }) => [...((old as unknown[] | null) ?? []), v]),
    holds: true,
  },
  {
    name: 'countByKey',
    make: (options) => countByKey('op', { ...options, key }),
    earlier: earlier((_, { count }) => count),
    holds: false,
  },
  {
    name: 'distinctByKey',
    make: (options) => distinctByKey('op', { ...options, key }),
    earlier: earlier(() => true),
    holds: false,
  },
  {
    name: 'latestByKey',
    make: (options) => latestByKey('op', { ...options, key, comparator: same }),
    earlier: earlier((each) => [each]),
    holds: true,
  },
  { name: 'joinByKey', make: selfJoin, earlier: earlierJoin, holds: true },
  {
    name: 'scanState',
    make: (options) =>
      scanState(
        'op',
        (sum: readonly unknown[], { v }: Row) => [...sum, v],
        [] as readonly unknown[],
        options,
      ),
    earlier: keyed('op', {
      key: () => null,
      state: { old: valueState<readonly unknown[]>([]), gone: valueState(0) },
      onRecord: ({ v }: Row, { old, gone }) => {
        gone.set(1);
        old.update((before) => [...before, v]);
        return [];
      },
    }),
    holds: true,
  },
];

/** An operator in one attempt, on a manual input. */
class Attempted {
  readonly records: unknown[] = [];
  error: unknown;
  readonly attempt: TestAttempt;
  readonly #input = new Subject<Row | Signal>();
  #checkpoints = 0;

  constructor(
    operator: Operator,
    readonly world: World,
    snapshot?: Json,
  ) {
    this.attempt = new TestAttempt({
      clock: world.clock,
      services: new Map<Service<unknown>, unknown>([[checkpointData, dataOn(world.store)]]),
      restored: new Map(snapshot === undefined ? [] : [['op', { snapshot, pending: [] }]]),
    });
    this.#input.pipe(operator as FlowOperator<Row, unknown>).subscribe({
      next: (value) => {
        if (!isSignal(value)) this.records.push(value);
      },
      error: (error: unknown) => (this.error = error),
    });
    this.#input.next(open(['s'], this.attempt));
    world.clock.run();
  }

  send(...rows: readonly Row[]): this {
    for (const each of rows) this.#input.next(each);
    return this;
  }

  end(): this {
    this.#input.next(end);
    return this;
  }

  checkpoint(): Json {
    const acks: Frozen[] = [];
    this.#input.next(barrier(++this.#checkpoints, 'periodic', (_, frozen) => acks.push(frozen), NEVER));
    this.world.clock.run();
    const [frozen] = acks;
    if (frozen?.snapshot === undefined) throw this.error;
    return frozen.snapshot;
  }

  get skipped(): readonly unknown[] {
    return this.attempt.trace.flatMap((each) =>
      each.type === 'report' && (each.event as { type: string }).type === 'record-skipped'
        ? [each.event]
        : [],
    );
  }
}

class World {
  readonly clock = new SimulatedClock(1_000_000);
  readonly store = createMemoryStore();

  attempt(operator: Operator, snapshot?: Json): Attempted {
    return new Attempted(operator, this, snapshot);
  }
}

const good = [row('a', 1), row('b', 2), row('a', 3)];
const next = [row('a', 4), row('b', 2), row('c', 5), row('a', 6)];
const noKey = row((() => 1) as never, 7);
const noValue = row(
  'a',
  new (class Money {
    readonly amount = 1;
  })(),
);

/** What an operator emits for {@link good}, and then, restored, for {@link next}. */
function expected(make: (options: Options) => Operator) {
  const world = new World();
  const first = world.attempt(make({})).send(...good);
  const second = world
    .attempt(make({}), first.checkpoint())
    .send(...next)
    .end();
  return { first: first.records, second: second.records };
}

/** JSON, whose version 2 has a prefix. Lists which versions it has read. */
function json(version: 1 | 2, id = 'json') {
  const read: number[] = [];
  const serializer: Serializer<never> = {
    id,
    version,
    encode: (value) => Buffer.from(`${version === 2 ? '2:' : ''}${JSON.stringify(value)}`),
    decode: (bytes, written) => {
      read.push(written);
      return JSON.parse(
        Buffer.from(bytes)
          .toString()
          .slice(written === 2 ? 2 : 0),
      ) as never;
    },
  };
  return { serializer, read };
}

describe.each(operators)('$name', ({ name, make, earlier: before, holds }) => {
  const bad = [...(name === 'scanState' ? [] : [noKey]), ...(holds ? [noValue] : [])];

  test('skips a record that cannot be stored, as if it had never come', () => {
    const world = new World();
    const first = world
      .attempt(make({ onUnencodable: 'skip' }))
      .send(...good.flatMap((each) => [...bad, each]));
    const second = world.attempt(make({ onUnencodable: 'skip' }), first.checkpoint());
    second.send(...bad, ...next).end();
    expect({ first: first.records, second: second.records }).toEqual(expected(make));
    // Each of the two sides of a join skips it.
    expect(first.skipped).toHaveLength(3 * bad.length * (name === 'joinByKey' ? 2 : 1));
    expect(first.skipped[0]).toMatchObject({ operator: 'op', count: 1 });
  });

  test.each(bad)('by default, such a record ends the flow: %j', (record) => {
    expect(new World().attempt(make({})).send(record).error).toMatchObject({
      code: record === noKey ? 'UnsupportedKey' : 'UnsupportedValue',
    });
  });

  test('its state expires', () => {
    const world = new World();
    const ttl = { after: 100 };
    const t = world.attempt(make({ ttl })).send(...good);
    world.clock.advance(99);
    const snapshot = t.checkpoint();
    world.clock.advance(1);
    const restored = world.attempt(make({ ttl }), snapshot);
    const fresh = world.attempt(make({}));
    for (const each of [t, restored, fresh]) {
      each.records.length = 0;
      each.send(row('a', 3)).end();
    }
    expect(t.records).toEqual(fresh.records);
    expect(restored.records).toEqual(fresh.records);
    expect(fresh.records).toHaveLength(1);
  });

  test('its state is stored by a serializer, whose next version reads what this one wrote', () => {
    const world = new World();
    const [one, two] = [json(1), json(2)];
    const first = world.attempt(make({ serializer: one.serializer })).send(...good);
    const snapshot = first.checkpoint();
    const second = world.attempt(make({ serializer: two.serializer }), snapshot);
    second.send(...next);
    const third = world.attempt(make({ serializer: json(2).serializer }), second.checkpoint());
    expect(third.error).toBeUndefined();
    second.end();
    expect({ first: first.records, second: second.records }).toEqual(expected(make));
    expect(two.read).toContain(1);
    const refused = { code: 'StateSchemaMismatch' };
    expect(world.attempt(make({}), snapshot).error).toMatchObject(refused);
    expect(world.attempt(make({ serializer: json(1, 'other').serializer }), snapshot).error).toMatchObject(
      refused,
    );
  });

  test('takes over the state of a keyed that it replaces', () => {
    const world = new World();
    const snapshot = world
      .attempt(before)
      .send(...good)
      .checkpoint();
    const names = { formerly: 'old', ...(name === 'joinByKey' ? { otherFormerly: 'old2' } : {}) };
    const t = world.attempt(make({ ...names, allowDropped: ['gone'] }), snapshot);
    t.send(...next).end();
    expect(t.error).toBeUndefined();
    expect(t.records).toEqual(expected(make).second);
    for (const options of [{}, names, { allowDropped: ['gone'] }])
      expect(world.attempt(make(options), snapshot).error).toMatchObject({ code: 'StateSchemaMismatch' });
    // A checkpoint that has the new name needs neither.
    expect(
      world.attempt(
        make({}),
        world
          .attempt(make({}), undefined)
          .send(...good)
          .checkpoint(),
      ).error,
    ).toBe(undefined);
  });

  test.each<[string, object, string]>([
    ['onUnencodable', { onUnencodable: 'drop' }, 'InvalidOption'],
    ['allowDropped', { allowDropped: 'all' }, 'InvalidOption'],
    ['ttl', { ttl: { after: 0 } }, 'InvalidOption'],
    ['ttl.until', { ttl: { until: 5 } }, 'InvalidOption'],
    ['formerly', { formerly: 1 }, 'InvalidOption'],
    ['Serializer x', { serializer: { id: 'x', version: 0 } }, 'InvalidState'],
  ])('an error names a wrong option: %s', (option, options, code) => {
    const wrong = () => new World().attempt(make(options));
    expect(wrong).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(option) as string }),
    );
    if (code === 'InvalidOption') expect(wrong).toThrow(name);
  });
});

test('the two flows of a join have a serializer each', () => {
  const world = new World();
  const [left, right] = [json(1, 'left'), json(1, 'right')];
  const make =
    (serializer: Serializer<never>, otherSerializer: Serializer<never>): Operator =>
    (flow: Flow<Row>) =>
      flow.pipe(joinByKey('op', flow, { key, otherKey: key, serializer, otherSerializer }));
  const snapshot = world.attempt(make(left.serializer, right.serializer)).send(row('a', 1)).checkpoint();
  const restored = world.attempt(make(left.serializer, right.serializer), snapshot);
  restored.send(row('a', 2));
  expect(restored.records).toHaveLength(3);
  expect([left.read.length > 0, right.read.length > 0]).toEqual([true, true]);
  expect(world.attempt(make(right.serializer, left.serializer), snapshot).error).toMatchObject({
    code: 'StateSchemaMismatch',
  });
});

test('what has expired by the end of the input is not reduced', () => {
  const { make } = operators[1]!;
  const world = new World();
  const t = world.attempt(make({ ttl: { after: 100 } })).send(row('a', 1));
  world.clock.advance(50);
  t.send(row('b', 2));
  world.clock.advance(50);
  expect(t.end().records).toEqual([[2]]);
});

describe('a callback that is async by mistake is a typed error, which is not skipped', () => {
  const accumulator = (): Promise<number> => Promise.resolve(1);
  const asyncKey = (): never => Promise.resolve('a') as never;
  const cases: [string, Operator][] = (['fail', 'skip'] as const).flatMap((onUnencodable) =>
    Object.entries<Operator>({
      "key of scanByKey('op')": scanByKey('op', {
        key: asyncKey,
        accumulator: keep,
        seed: 0,
        onUnencodable,
      }),
      "accumulator of scanByKey('op')": scanByKey('op', {
        key,
        accumulator: accumulator as never,
        seed: 0,
        onUnencodable,
      }),
      "accumulator of reduceByKey('op')": reduceByKey('op', {
        key,
        accumulator: accumulator as never,
        seed: 0,
        onUnencodable,
      }),
      "key of reduceByKey('op')": reduceByKey('op', {
        key: asyncKey,
        accumulator: keep,
        seed: 0,
        onUnencodable,
      }),
      "key of countByKey('op')": countByKey('op', { key: asyncKey, onUnencodable }),
      "key of distinctByKey('op')": distinctByKey('op', { key: asyncKey, onUnencodable }),
      "key of latestByKey('op')": latestByKey('op', { key: asyncKey, comparator: same, onUnencodable }),
      "comparator of latestByKey('op')": latestByKey('op', {
        key,
        comparator: (() => Promise.resolve(false)) as never,
        onUnencodable,
      }),
      "key of joinByKey('op')": (flow: Flow<Row>) =>
        flow.pipe(joinByKey('op', flow, { key: asyncKey, otherKey: key, onUnencodable })),
      "accumulator of scanState('op')": scanState('op', accumulator as never, 0, {
        onUnencodable,
      }),
      'State n of operator op': keyed('op', {
        key,
        state: { n: valueState<unknown>(0) },
        onRecord: (_: Row, { n }) => [n.update(accumulator)],
        onUnencodable,
      }),
    }).map(([what, operator]): [string, Operator] => [what, operator]),
  );

  test.each(cases)('%s', (what, operator) => {
    // A comparator is called for the second record.
    const t = new World().attempt(operator).send(row('a', 1), row('a', 2));
    expect(t.error).toMatchObject({
      code: 'PromiseInFlow',
      message: expect.stringContaining(what) as string,
    });
    expect(t.skipped).toEqual([]);
  });

  test('an Observable is one, too', () => {
    const t = new World().attempt(
      scanByKey('op', { key, accumulator: (() => of(1)) as never, seed: 0, onUnencodable: 'skip' }),
    );
    expect(t.send(row('a', 1)).error).toMatchObject({ code: 'ObservableInFlow' });
  });
});

describe('what a callback throws', () => {
  const boom = new Error('boom');
  const failing = <R>(result: R) => {
    let calls = 0;
    return (): R => {
      if (++calls === 3) throw boom;
      return result;
    };
  };
  const makes: [string, (options: Options) => Operator][] = [
    ['scanByKey', (o) => scanByKey('op', { ...o, key, accumulator: failing(1), seed: 0 })],
    ['reduceByKey', (o) => reduceByKey('op', { ...o, key, accumulator: failing(1), seed: 0 })],
    ['countByKey', (o) => countByKey('op', { ...o, key: failing('a') })],
    ['distinctByKey', (o) => distinctByKey('op', { ...o, key: failing('a') })],
    ['latestByKey', (o) => latestByKey<Row>('op', { ...o, key: () => 1, comparator: failing(false) })],
    ['scanState', (o) => scanState('op', failing(1), 0, o)],
    [
      'joinByKey',
      (o) => (flow: Flow<Row>) => flow.pipe(joinByKey('op', flow, { ...o, key, otherKey: failing('a') })),
    ],
  ];
  test.each(makes)('is the error of the flow, also if records may be skipped: %s', (_, make) => {
    const rows = [1, 2, 3, 4, 5].map((v) => row('a', v));
    for (const onUnencodable of ['fail', 'skip'] as const) {
      const t = new World().attempt(make({ onUnencodable })).send(...rows);
      expect(t.error).toBe(boom);
      const emitted = t.records.length;
      t.send(...rows).end();
      expect(t.records).toHaveLength(emitted);
      expect(t.skipped).toEqual([]);
    }
  });
});

describe('undefined', () => {
  const forgets = (): undefined => undefined;
  test('is an accumulation like any other, and restored', () => {
    const world = new World();
    const seen: unknown[] = [];
    const remembers = (sum: unknown): unknown => {
      seen.push(sum);
      return undefined;
    };
    const make = () => scanByKey('op', { key, accumulator: remembers, seed: 'seed' });
    const first = world.attempt(make()).send(row('a', 1), row('a', 2));
    const second = world.attempt(make(), first.checkpoint()).send(row('a', 3));
    expect([...first.records, ...second.records]).toEqual([undefined, undefined, undefined]);
    expect(seen).toEqual(['seed', undefined, undefined]);
    expect(world.attempt(scanState('op', forgets, 'seed')).send(row('a', 1)).records).toEqual([undefined]);
    const reduce = reduceByKey('op', { key, accumulator: forgets, seed: 'seed' });
    expect(world.attempt(reduce).send(row('a', 1)).end().records).toEqual([undefined]);
  });

  test('is a record like any other to latestByKey', () => {
    const world = new World();
    const make = () =>
      latestByKey<unknown>('op', { key: () => 1, comparator: (a, b) => a === b }) as unknown as Operator;
    const first = world.attempt(make()).send(undefined as never, undefined as never);
    const second = world.attempt(make(), first.checkpoint()).send(undefined as never, row('a', 1));
    expect([first.records, second.records]).toEqual([[undefined], [row('a', 1)]]);
  });

  test('is not a key, and as the result of a comparator means that records differ', () => {
    const none = (() => undefined) as never;
    expect(new World().attempt(countByKey('op', { key: none })).send(row('a', 1)).error).toMatchObject({
      code: 'UnsupportedKey',
    });
    const latest = latestByKey('op', { key, comparator: none });
    expect(new World().attempt(latest).send(row('a', 1), row('a', 1)).records).toHaveLength(2);
  });
});
