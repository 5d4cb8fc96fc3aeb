import fc from 'fast-check';
import type { Json } from '../../../src/flow/index.js';
import {
  aggregatingState,
  listState,
  mapState,
  reducingState,
  valueState,
  type KeyedStateOptions,
} from '../../../src/state/kinds/index.js';
import { storedKey, type Key } from '../../../src/state/keys/keys.js';
import type { TtlOptions } from '../../../src/state/kinds/ttl.js';
import type { Handles } from '../../../src/state/state.js';
import { faulty } from '../../../src/store/decorators/faults.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import type { ObjectStore } from '../../../src/store/objectStore.js';
import { Bench, coded, takeTurns } from '../harness.js';
import { effort } from '../../support/effort.js';

const after = 10;
const start = 1_000_000;

const specsWith = (options: KeyedStateOptions<never> = {}) => ({
  n: valueState(0, options as KeyedStateOptions<number>),
  sum: reducingState((a: number, b: number) => a + b, options as KeyedStateOptions<number>),
  all: aggregatingState(
    {
      create: (): readonly number[] => [],
      add: (numbers, n: number) => [...numbers, n],
      result: (numbers) => numbers,
    },
    options as KeyedStateOptions<readonly number[]>,
  ),
  list: listState<number>(options),
  map: mapState<string, number>(options),
});
type Specs = ReturnType<typeof specsWith>;

/** What the states hold at one key and namespace. */
interface Held {
  readonly n: number;
  readonly sum: number | undefined;
  readonly all: readonly number[] | undefined;
  readonly list: readonly number[];
  readonly map: ReadonlyMap<string, number>;
  readonly size: number;
  readonly length: number;
  readonly last: number | undefined;
}

const spaces: readonly (Key | undefined)[] = [undefined, 'w'];
const keys: readonly Key[] = ['a', 'b', 3];

function turn<R>(bench: Bench, key: Key, space: Key | undefined, work: (handles: Handles<Specs>) => R): R {
  bench.backend.at(storedKey(key));
  const { n, sum, all, list, map } = bench.backend.handles as Handles<Specs>;
  const result = work(
    space === undefined
      ? { n, sum, all, list, map }
      : { n: n.in(space), sum: sum.in(space), all: all.in(space), list: list.in(space), map: map.in(space) },
  );
  bench.backend.leave();
  return result;
}

const read = (bench: Bench, key: Key, space: Key | undefined): Held =>
  turn(bench, key, space, ({ n, sum, all, list, map }) => ({
    n: n.value,
    sum: sum.value,
    all: all.value,
    list: list.toArray(),
    map: new Map(map),
    size: map.size,
    length: list.length,
    last: list.at(-1),
  }));

const cellsOf = ({ backend }: Bench): number =>
  backend.segments.map(({ cells }) => cells).reduce((sum, cells) => sum + cells, 0);

const readAll = (bench: Bench): Held[] =>
  keys.flatMap((key) => spaces.map((space) => read(bench, key, space)));

// The model: a value with its time.
type At<V> = readonly [value: V, time: number];

interface Place {
  readonly n?: At<number> | undefined;
  readonly sum?: At<number> | undefined;
  readonly all?: At<readonly number[]> | undefined;
  readonly list: readonly At<number>[];
  readonly map: ReadonlyMap<string, At<number>>;
}

const nothing: Place = { list: [], map: new Map() };

function pruned({ n, sum, all, list, map }: Place, now: number): Place {
  const live = (each: At<unknown> | undefined): boolean => each !== undefined && now - each[1] < after;
  return {
    n: live(n) ? n : undefined,
    sum: live(sum) ? sum : undefined,
    all: live(all) ? all : undefined,
    list: list.filter(live),
    map: new Map([...map].filter(([, each]) => live(each))),
  };
}

function renewed({ n, sum, all, list, map }: Place, now: number): Place {
  const at = <V>(each: At<V>): At<V> => [each[0], now];
  return {
    n: n && at(n),
    sum: sum && at(sum),
    all: all && at(all),
    list: list.map(at),
    map: new Map([...map].map(([name, each]) => [name, at(each)])),
  };
}

const heldIn = ({ n, sum, all, list, map }: Place): Held => ({
  n: n?.[0] ?? 0,
  sum: sum?.[0],
  all: all?.[0],
  list: list.map(([each]) => each),
  map: new Map([...map].map(([name, [each]]) => [name, each])),
  size: map.size,
  length: list.length,
  last: list.at(-1)?.[0],
});

const verbs = [
  'set',
  'clear',
  'add',
  'average',
  'append',
  'two',
  'replace',
  'put',
  'remove',
  'empty',
] as const;

interface Change {
  readonly do: (typeof verbs)[number];
  readonly key: Key;
  readonly space: Key | undefined;
  readonly name: string;
  readonly value: number;
  readonly undone: boolean;
}

function apply({ n, sum, all, list, map }: Handles<Specs>, { do: what, name, value }: Change): void {
  if (what === 'set') n.set(value);
  else if (what === 'clear') n.clear();
  else if (what === 'add') sum.add(value);
  else if (what === 'average') all.add(value);
  else if (what === 'append') list.append(value);
  else if (what === 'two') list.append(value, value + 1);
  else if (what === 'replace') list.set([value]);
  else if (what === 'put') map.set(name, value);
  else if (what === 'remove') map.delete(name);
  else {
    map.clear();
    list.clear();
  }
}

/** The model of {@link apply}. `before` has nothing that has expired. */
function changed(before: Place, { do: what, name, value }: Change, now: number): Place {
  const { n, sum, all, list, map } = before;
  switch (what) {
    case 'set':
      return { ...before, n: [value, now] };
    case 'clear':
      return { ...before, n: n && undefined };
    case 'add':
      return { ...before, sum: [(sum?.[0] ?? 0) + value, now] };
    case 'average':
      return { ...before, all: [[...(all?.[0] ?? []), value], now] };
    case 'append':
      return { ...before, list: [...list, [value, now]] };
    case 'two':
      return { ...before, list: [...list, [value, now], [value + 1, now]] };
    case 'replace':
      return { ...before, list: [[value, now]] };
    case 'put':
      return { ...before, map: new Map([...map, [name, [value, now]]]) };
    case 'remove':
      return { ...before, map: new Map([...map].filter(([each]) => each !== name)) };
    case 'empty':
      return { ...before, list: [], map: new Map() };
  }
}

type Act =
  | Change
  | { readonly do: 'read'; readonly key: Key; readonly space: Key | undefined }
  | { readonly do: 'pass' | 'turns'; readonly count: number }
  | { readonly do: 'barrier' | 'cancel' | 'checkpoint' | 'restart' };

const at = { key: fc.constantFrom(...keys), space: fc.constantFrom(...spaces) };
const acts: fc.Arbitrary<Act[]> = fc.array(
  fc.oneof<fc.WeightedArbitrary<Act>[]>(
    {
      weight: 14,
      arbitrary: fc.record({
        do: fc.constantFrom(...verbs),
        ...at,
        name: fc.constantFrom('x', 'y'),
        value: fc.nat(9),
        undone: fc.oneof(
          { weight: 7, arbitrary: fc.constant(false) },
          { weight: 1, arbitrary: fc.constant(true) },
        ),
      }),
    },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('read' as const), ...at }) },
    { weight: 6, arbitrary: fc.record({ do: fc.constant('pass' as const), count: fc.nat(6) }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('turns' as const), count: fc.nat(8) }) },
    {
      weight: 7,
      arbitrary: fc.record({
        do: fc.constantFrom('barrier', 'cancel', 'checkpoint', 'checkpoint', 'checkpoint', 'restart'),
      }),
    },
  ),
  { maxLength: 80, size: 'max' },
);

class Run {
  bench: Bench;
  readonly cuts: {
    readonly snapshot: Json | undefined;
    readonly now: number;
    readonly places: Map<string, Place>;
  }[] = [];
  events: Bench['events'] = [];
  readonly #store: ObjectStore;
  readonly #ttl: TtlOptions;
  #now = start;
  #places = new Map<string, Place>();

  constructor(store: ObjectStore, ttl: TtlOptions) {
    this.#store = store;
    this.#ttl = ttl;
    this.bench = this.open(this.#now);
  }

  open(now: number, snapshot?: Json, store = this.#store): Bench {
    const bench = new Bench(store, specsWith({ ttl: this.#ttl }));
    this.#turn(bench, now);
    return snapshot === undefined ? bench : bench.restore(snapshot);
  }

  act(act: Act): void {
    if ('name' in act) this.#change(act);
    else if (act.do === 'read') this.check(act.key, act.space);
    else if (act.do === 'turns') takeTurns(this.bench.clock, act.count);
    else if (act.do === 'pass') this.pass(act.count);
    else if (act.do !== 'restart') {
      this.barrier(act.do === 'cancel');
      if (act.do === 'checkpoint') takeTurns(this.bench.clock);
    }
  }

  restart(store: ObjectStore): void {
    const cut = this.cuts.at(-1);
    if (cut === undefined) return;
    this.events.push(...this.bench.events);
    this.bench.backend.close();
    // Event time goes back to the checkpoint, the clock does not.
    if (this.#ttl.time === 'event') this.#now = cut.now;
    this.#places = new Map(cut.places);
    this.bench = this.open(this.#now, cut.snapshot, store);
  }

  pass(time: number): void {
    this.#turn(this.bench, (this.#now += time));
  }

  barrier(cancel = false): void {
    const [now, places] = [this.#now, new Map(this.#places)];
    const storing = this.bench.backend.freeze().subscribe({
      next: ({ snapshot }) => this.cuts.push({ snapshot, now, places }),
      error: () => undefined,
    });
    if (cancel) storing.unsubscribe();
  }

  check(key: Key, space: Key | undefined): void {
    const id = JSON.stringify([key, space]);
    const place = pruned(this.#places.get(id) ?? nothing, this.#now);
    expect(read(this.bench, key, space)).toEqual(heldIn(place));
    this.#places.set(id, this.#ttl.refresh === 'read' ? renewed(place, this.#now) : place);
  }

  checkAll(): void {
    for (const key of keys) for (const space of spaces) this.check(key, space);
  }

  /** Compares every checkpoint, as a restore finds it. */
  checkCuts(store: ObjectStore): void {
    for (const { snapshot, now: then, places } of this.cuts) {
      const now = this.#ttl.time === 'event' ? then : this.#now;
      const expected = keys.flatMap((key) =>
        spaces.map((space) => heldIn(pruned(places.get(JSON.stringify([key, space])) ?? nothing, now))),
      );
      expect(readAll(this.open(now, snapshot, store))).toEqual(expected);
    }
  }

  /** Turns the clock of the state, and leaves the other one alone. */
  #turn(bench: Bench, now: number): void {
    if (this.#ttl.time === 'event') bench.backend.eventTime = now;
    else bench.clock.setTime(now);
  }

  #change(change: Change): void {
    const { key, space, undone } = change;
    const { backend } = this.bench;
    turn(this.bench, key, space, (handles) => {
      if (undone) backend.remember();
      apply(handles, change);
      if (undone) backend.undo();
    });
    const id = JSON.stringify([key, space]);
    const before = pruned(this.#places.get(id) ?? nothing, this.#now);
    this.#places.set(id, undone ? before : changed(before, change, this.#now));
  }
}

describe.each(['processing', 'event'] as const)('in %s time', (time) => {
  test.each(['write', 'read'] as const)(
    'everything expires so long after the last %s, and every ack restores: failures, merges, restarts',
    (refresh) => {
      let compactions = 0;
      fc.assert(
        fc.property(acts, fc.integer({ min: 1, max: 2 ** 31 - 1 }), (list, first) => {
          let seed = first;
          const random = (): number => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
          let calm = false;
          const memory = createMemoryStore();
          const store = faulty(memory, { random, before: 0.1, after: 0.1, only: () => !calm });
          const run = new Run(store, { after, refresh, time });
          for (const act of list) {
            if (act.do !== 'restart') run.act(act);
            else {
              calm = true;
              run.restart(store);
              calm = false;
            }
          }
          calm = true;
          takeTurns(run.bench.clock);
          run.barrier();
          takeTurns(run.bench.clock);
          run.checkAll();
          run.checkCuts(memory);
          compactions += [...run.events, ...run.bench.events].filter(
            ({ type }) => type === 'segments-compacted',
          ).length;
        }),
        { numRuns: effort(35, 100), interruptAfterTimeLimit: 60_000 },
      );
      expect(compactions).toBeGreaterThan(effort(1, 10));
    },
  );

  const benchWith = (ttl: Partial<TtlOptions> = {}, store = createMemoryStore()) => {
    const bench = new Bench(store, specsWith({ ttl: { after, time, ...ttl } }));
    const now = (milliseconds: number): void => {
      if (time === 'event') bench.backend.eventTime = milliseconds;
      else bench.clock.setTime(milliseconds);
    };
    now(start);
    return { bench, now, store };
  };
  const fill = (bench: Bench, key: Key): void =>
    turn(bench, key, undefined, ({ n, sum, all, list, map }) => {
      n.set(1);
      sum.add(1);
      all.add(1);
      list.append(1, 2);
      map.set('x', 1);
    });
  const full = heldIn({
    n: [1, 0],
    sum: [1, 0],
    all: [[1], 0],
    list: [
      [1, 0],
      [2, 0],
    ],
    map: new Map([['x', [1, 0]]]),
  });
  const empty = heldIn(nothing);

  test('what nobody reads leaves memory in the turns of other keys, and the store with the merges', () => {
    const { bench, now } = benchWith();
    for (let i = 0; i < 500; i++) fill(bench, i);
    bench.checkpoint();
    expect(bench.backend.states.map(({ size }) => size)).toEqual([500, 500, 500, 500, 500]);
    now(start + after);
    for (let i = 0; i < 600; i++) bench.with<number>('other', 'n', (n) => n.set(i));
    for (let i = 0; i < 4; i++) {
      bench.with<number>('other', 'n', (n) => n.set(i));
      bench.checkpoint();
    }
    expect(bench.backend.states.map(({ size }) => size).reduce((a, b) => a + b)).toBe(1);
    expect(cellsOf(bench)).toBeLessThan(5);
  });

  test('merges drop what has expired without a tombstone', () => {
    const { bench, now, store } = benchWith();
    for (let i = 0; i < 50; i++) fill(bench, i);
    bench.checkpoint();
    now(start + after);
    // Restored, it is not in memory, so that no tombstone is written.
    const again = new Bench(store, specsWith({ ttl: { after, time } }));
    again.backend.eventTime = start + after;
    again.clock.setTime(start + after);
    again.restore(bench.checkpoint().snapshot);
    for (let i = 0; i < 5; i++) {
      again.with<number>('other', 'n', (n) => n.set(i));
      again.checkpoint();
    }
    expect(cellsOf(again)).toBeLessThan(5);
  });

  test('expired values are shown until they are removed, if asked for', () => {
    const { bench, now } = benchWith({ expired: 'until-cleaned' });
    for (let i = 0; i < 20; i++) fill(bench, i);
    fill(bench, 'a');
    now(start + 100 * after);
    expect(read(bench, 'a', undefined)).toEqual(full);
    for (let i = 0; i < 20; i++) bench.with<number>('other', 'n', () => undefined);
    expect(read(bench, 'a', undefined)).toEqual(empty);
  });

  test('a restore removes all that has expired, of a list its first elements', () => {
    const { bench, now, store } = benchWith({ expired: 'until-cleaned' });
    fill(bench, 'a');
    now(start + after / 2);
    turn(bench, 'a', undefined, ({ list, map }) => {
      list.append(3, 4, 5);
      map.set('y', 2);
    });
    now(start + after);
    const { snapshot } = bench.checkpoint();
    const again = new Bench(store, specsWith({ ttl: { after, time, expired: 'until-cleaned' } }));
    again.clock.setTime(time === 'event' ? 0 : start + after);
    again.restore(snapshot);
    const { list, map, ...others } = read(again, 'a', undefined);
    expect([list, map]).toEqual([[3, 4, 5], new Map([['y', 2]])]);
    expect(others).toEqual({ ...empty, list: undefined, map: undefined, size: 1, length: 3, last: 5 });
  });

  test('the longest TTL never ends', () => {
    const { bench, now } = benchWith({ after: Number.MAX_SAFE_INTEGER });
    fill(bench, 'a');
    now(Number.MAX_SAFE_INTEGER);
    expect(read(bench, 'a', undefined)).toEqual(full);
  });

  test('a changed TTL applies to what is there', () => {
    const { bench, store } = benchWith();
    fill(bench, 'a');
    const { snapshot } = bench.checkpoint();
    const longer = benchWith({ after: 5 * after }, store);
    longer.now(start + 4 * after);
    longer.bench.restore(snapshot);
    expect(read(longer.bench, 'a', undefined)).toEqual(full);
    longer.now(start + 5 * after);
    expect(read(longer.bench, 'a', undefined)).toEqual(empty);
  });

  test('a TTL may be added and removed: what had no time counts as written when it is restored', () => {
    const store = createMemoryStore();
    const without = new Bench(store, specsWith());
    fill(without, 'a');
    const added = benchWith({}, store);
    added.bench.restore(without.checkpoint().snapshot);
    expect(read(added.bench, 'a', undefined)).toEqual(full);
    turn(added.bench, 'a', undefined, ({ list }) => list.append(3));
    const { snapshot } = added.bench.checkpoint();
    added.now(start + after);
    expect(read(added.bench, 'a', undefined)).toEqual(empty);
    const removed = new Bench(store, specsWith()).restore(snapshot);
    removed.clock.setTime(start + 100 * after);
    expect(read(removed, 'a', undefined)).toEqual({ ...full, list: [1, 2, 3], length: 3, last: 3 });
    expect(
      read(new Bench(store, specsWith()).restore(removed.checkpoint().snapshot), 'a', undefined).list,
    ).toEqual([1, 2, 3]);
  });

  test('values that only a serializer reads keep their time', () => {
    const store = createMemoryStore();
    const dates = {
      v: valueState<Date | null>(null, { ttl: { after, time } }),
      list: listState<unknown>({ ttl: { after, time } }),
    };
    const open = (now: number): Bench => {
      const bench = new Bench(store, dates);
      bench.backend.eventTime = now;
      bench.clock.setTime(now);
      return bench;
    };
    const bench = open(start);
    const items = [new Date(5), { a: [1] }, new Uint8Array([1]), undefined, -0, null];
    bench.backend.at('k');
    const handles = bench.backend.handles as Handles<typeof dates>;
    handles.v.set(new Date(7));
    handles.list.append(...items);
    bench.backend.leave();
    const { snapshot } = bench.checkpoint();
    for (const [now, value, list] of [
      [start + after - 1, new Date(7), items],
      [start + after, null, []],
    ] as const) {
      const again = open(now).restore(snapshot);
      again.backend.at('k');
      const { v, list: found } = again.backend.handles as Handles<typeof dates>;
      expect([v.value, found.toArray()]).toEqual([value, list]);
      again.backend.leave();
    }
  });
});

test('before the first watermark nothing expires, and what was written then counts as written with it', () => {
  const store = createMemoryStore();
  const specs = specsWith({ ttl: { after, time: 'event' } });
  const bench = new Bench(store, specs);
  turn(bench, 'a', undefined, ({ n }) => n.set(1));
  const early = bench.checkpoint().snapshot;
  bench.backend.eventTime = 50;
  const value = (of: Bench): number => turn(of, 'a', undefined, ({ n }) => n.value);
  expect(value(bench)).toBe(1);
  bench.backend.eventTime = 59;
  expect(value(bench)).toBe(1);
  bench.backend.eventTime = 60;
  expect(value(bench)).toBe(0);
  const again = new Bench(store, specs).restore(early);
  again.backend.eventTime = 1000;
  expect(value(again)).toBe(1);
  again.backend.eventTime = 1010;
  expect(value(again)).toBe(0);
});

test('a merge drops only what has expired in every checkpoint that may refer to its result', () => {
  const store = createMemoryStore();
  const specs = specsWith({ ttl: { after, time: 'event' } });
  const bench = new Bench(store, specs);
  const { backend, clock, events } = bench;
  const set = (key: Key): void => turn(bench, key, undefined, ({ n }) => n.set(1));
  backend.eventTime = start;
  set('a');
  for (let i = 0; i < 3; i++) {
    set(i);
    bench.checkpoint();
  }
  set(3);
  backend.freeze().subscribe();
  while (events.filter(({ type }) => type === 'segment-written').length < 4) takeTurns(clock, 1);
  set(4);
  // Stored after the merge, and at an earlier time.
  const frozen = backend.freeze();
  backend.eventTime = start + after;
  takeTurns(clock);
  expect(events.at(-1)?.type).toBe('segments-compacted');
  let snapshot: Json | undefined;
  frozen.subscribe((ack) => (snapshot = ack.snapshot));
  takeTurns(clock);
  const again = new Bench(store, specs);
  again.backend.eventTime = start;
  again.restore(snapshot);
  expect(turn(again, 'a', undefined, ({ n }) => n.value)).toBe(1);
});

test('an iteration renews what it visits, in a turn that it changes', () => {
  const bench = new Bench(createMemoryStore(), specsWith({ ttl: { after, refresh: 'read' } }));
  turn(bench, 'a', undefined, ({ map, list }) => {
    map.set('x', 1);
    map.set('y', 2);
    list.append(1, 2);
  });
  bench.clock.setTime(9);
  turn(bench, 'a', undefined, ({ map, list }) => {
    expect(map.get('x')).toBe(1);
    expect(list.at(0)).toBe(1);
  });
  bench.clock.setTime(18);
  turn(bench, 'a', undefined, ({ map, list }) => {
    expect([...map.keys()]).toEqual(['x']);
    expect([map.has('y'), map.delete('y'), map.size]).toEqual([false, false, 1]);
    expect(list.toArray()).toEqual([1, 2]);
  });
});

test('elements of a list expire in order, even if the clock was set back', () => {
  const bench = new Bench(createMemoryStore(), specsWith({ ttl: { after } }));
  for (const [now, value] of [
    [100, 1],
    [50, 2],
  ] as const) {
    bench.clock.setTime(now);
    turn(bench, 'a', undefined, ({ list }) => list.append(value));
  }
  const at = (now: number): readonly number[] => {
    bench.clock.setTime(now);
    return turn(bench, 'a', undefined, ({ list }) => list.toArray());
  };
  expect([at(109), at(110)]).toEqual([[1, 2], []]);
});

test.each([
  [{}, 'ttl.after'],
  [{ after: 0 }, 'ttl.after'],
  [{ after: '5 years' }, 'ttl.after'],
  [{ after: 5, refresh: 'always' }, 'ttl.refresh'],
  [{ after: 5, expired: 'shown' }, 'ttl.expired'],
  [{ after: 5, time: 'wall' }, 'ttl.time'],
  [{ after: 5, until: 5 }, 'ttl.until'],
  [5, 'ttl'],
])('%j is no TTL', (ttl, name) => {
  const options = { ttl } as never;
  for (const declare of [() => valueState(0, options), () => listState(options), () => mapState(options)]) {
    expect(declare).toThrow(coded('InvalidOption'));
    expect(declare).toThrow(name);
  }
});
