import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { toArray, type Observable } from 'rxjs';
import {
  aggregatingState,
  encodeKey,
  isKeyedState,
  listState,
  mapState,
  namespaceOf,
  parseSnapshot,
  reducingState,
  storedKey,
  StoredState,
  timers,
  userKey,
  valueState,
  type Key,
  type ListState,
  type MapState,
  type ReducingState,
  type Serializer,
  type StateSpecs,
  type Timers,
  type ValueState,
} from '../../../src/state/index.js';
import { IndexBuilder } from '../../../src/state/segment/indexBuilder.js';
import { noPath } from '../../../src/state/cells.js';
import { limits } from '../../../src/state/segment/format.js';
import { counting } from '../../../src/store/decorators/counting.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import type { ObjectStore } from '../../../src/store/objectStore.js';
import type { CheckpointData } from '../../../src/store/services.js';
import { SimulatedClock } from '../../../src/testing/simulatedClock.js';
import { Bench, coded, dataOn, segmentsOf } from '../harness.js';
import { effort } from '../../support/effort.js';

const clock = new SimulatedClock();

/** The last value of an Observable that needs nothing but a memory store and the clock. */
function now<T>(source: Observable<T>): T {
  let last: { readonly value: T } | undefined;
  let failure: { readonly error: unknown } | undefined;
  source.subscribe({ next: (value) => (last = { value }), error: (error: unknown) => (failure = { error }) });
  clock.run();
  if (failure !== undefined) throw failure.error as Error;
  if (last === undefined) throw new Error('It has not emitted.');
  return last.value;
}

function opened(store: ObjectStore, snapshot: unknown, declared: StateSpecs = {}, data?: CheckpointData) {
  const parsed = parseSnapshot('op', snapshot as never);
  const state = new StoredState({ operator: 'op', snapshot: parsed, data: data ?? dataOn(store), declared });
  const space = (namespace: Key | undefined): Uint8Array =>
    namespace === undefined ? noPath.namespace : encodeKey(storedKey(namespace));
  return {
    state,
    get: (name: string, key: Key, namespace?: Key): unknown =>
      now(state.get(name, storedKey(key), space(namespace))),
    entries: (name: string, namespace?: Key) =>
      now(
        state
          .entries(name, { clock, ...(namespace === undefined ? {} : { namespace: space(namespace) }) })
          .pipe(toArray()),
      ).map(({ key, namespace: of, contents }) => [userKey(key), namespaceOf(of), contents]),
  };
}

const keys: readonly Key[] = [
  '',
  'a',
  'Aa',
  'BB', // the same hash as `Aa`
  'a/b//c',
  '\0\u0001\uffff',
  '\ud800',
  'long '.repeat(2000),
  7,
  -0.5,
  8n,
  true,
  null,
  new Date(5),
  ['a', ['b']],
  { x: 1, y: '' },
];
const namespaces: readonly (Key | undefined)[] = [undefined, '', 'w', 1, ['w', 2]];
const idOf = (...parts: readonly (Key | undefined)[]): string =>
  parts
    .map((key) => (key === undefined ? '-' : Buffer.from(encodeKey(storedKey(key))).toString('hex')))
    .join();

const specs = {
  count: valueState<unknown>(null),
  last: valueState(''),
  list: listState<number>(),
  map: mapState<Key, number>(),
  sum: reducingState<number>((a, b) => a + b),
  mean: aggregatingState({
    create: () => [0, 0] as [number, number],
    add: ([n, sum]: readonly [number, number], value: number): [number, number] => [n + 1, sum + value],
    result: ([n, sum]) => sum / n,
  }),
  due: timers('event'),
} satisfies StateSpecs;

/** What is done to one key and namespace. */
type Change = readonly [key: number, namespace: number, name: keyof typeof specs, what: number];

/** Plain collections that a state must equal. */
class Model {
  readonly held = new Map<string, { key: Key; namespace: Key | undefined; value: unknown }>();

  get(name: string, key: Key, namespace: Key | undefined): unknown {
    return this.held.get(`${name} ${idOf(key, namespace)}`)?.value;
  }

  set(name: string, key: Key, namespace: Key | undefined, value: unknown): void {
    const id = `${name} ${idOf(key, namespace)}`;
    if (value === undefined) this.held.delete(id);
    else this.held.set(id, { key, namespace, value });
  }
}

interface Clearable {
  in(namespace: Key): this;
  clear(): void;
}

function change(bench: Bench, model: Model, [k, n, name, what]: Change): void {
  const key = keys[k % keys.length]!;
  const namespace = namespaces[n % namespaces.length];
  const before = model.get(name, key, namespace);
  const set = (value: unknown): void => model.set(name, key, namespace, value);
  bench.backend.at(storedKey(key));
  const handle = bench.backend.handles[name] as Clearable;
  const here = (): unknown => (namespace === undefined ? handle : handle.in(namespace));
  if (name === 'due') {
    const due = handle as unknown as Timers;
    const pending = (before ?? []) as { at: number; namespace: Key | undefined }[];
    const others = pending.filter(({ at }) => at !== what % 5);
    if (what % 3 === 0) {
      due.clear(what % 5, namespace);
      set(others.length === 0 ? undefined : others);
    } else {
      due.set(what % 5, namespace);
      set([...others, { at: what % 5, namespace }]);
    }
  } else if (what % 7 === 0) {
    (here() as Clearable).clear();
    set(undefined);
  } else if (name === 'list') {
    (here() as ListState<number>).append(what, what + 1);
    set([...((before ?? []) as number[]), what, what + 1]);
  } else if (name === 'map') {
    const entry = keys[what % keys.length]!;
    const map = new Map((before ?? new Map()) as Map<string, [Key, number]>);
    if (what % 3 === 0) {
      (here() as MapState<Key, number>).delete(entry);
      map.delete(idOf(entry));
    } else {
      (here() as MapState<Key, number>).set(entry, what);
      map.set(idOf(entry), [entry, what]);
    }
    set(map.size === 0 ? undefined : map);
  } else if (name === 'sum') {
    (here() as ReducingState<number>).add(what);
    set(((before ?? 0) as number) + what);
  } else if (name === 'mean') {
    (here() as { add(value: number): void }).add(what);
    const { n, sum } = (before ?? { n: 0, sum: 0 }) as { n: number; sum: number };
    set({ n: n + 1, sum: sum + what });
  } else {
    const value = name === 'last' ? `text ${what}` : what % 2 === 0 ? { what } : what;
    (here() as ValueState<unknown>).set(value);
    set(value);
  }
  bench.backend.leave();
}

/** The model's value in the form that is read, without an order. */
function expected(name: string, value: unknown): unknown {
  if (value === undefined) return undefined;
  if (name === 'map') return plain([...(value as Map<string, [Key, number]>).values()]);
  if (name === 'due') return plain(value as unknown[]);
  if (name === 'mean') return (value as { n: number; sum: number }).sum / (value as { n: number }).n;
  return value;
}
function read(name: string, value: unknown): unknown {
  if (value === undefined) return undefined;
  return name === 'map' || name === 'due' ? plain([...(value as Iterable<unknown>)]) : value;
}
const plain = (items: readonly unknown[]): readonly unknown[] =>
  [...items].sort((a, b) => (order(a) < order(b) ? -1 : 1));
const order = (item: unknown): string =>
  Array.isArray(item)
    ? idOf(item[0] as Key)
    : idOf((item as { at: number }).at, (item as { namespace?: Key }).namespace);

const names = Object.keys(specs) as (keyof typeof specs)[];
/** Mostly the same few, so that runs overlap. */
const few = (most: number): fc.Arbitrary<number> =>
  fc.oneof({ weight: 3, arbitrary: fc.nat(1) }, { weight: 1, arbitrary: fc.nat(most) });
const changes: fc.Arbitrary<readonly Change[]> = fc.array(
  fc.tuple(few(15), few(4), fc.constantFrom(...names), fc.nat(100)),
  { maxLength: 60 },
);

describe('state from outside', () => {
  test('equals the last checkpoint for every kind, key and namespace, whatever was written, merged and restored', () => {
    fc.assert(
      fc.property(
        fc.array(changes, { minLength: 1, maxLength: 6 }),
        changes,
        fc.nat(5),
        (rounds, later, again) => {
          const store = createMemoryStore();
          // Small, so that little data has many blocks, pages and segments.
          const most = { blocksInPage: 2, cellsInBlock: 4, cells: 12 };
          let bench = new Bench(store, specs, most);
          const model = new Model();
          let snapshot: unknown;
          rounds.forEach((round, i) => {
            for (const each of round) change(bench, model, each);
            snapshot = bench.checkpoint().snapshot;
            if (i === again) bench = new Bench(store, specs, most).restore(snapshot as never);
          });
          const { get, entries } = opened(store, snapshot, specs);
          // What is written after the checkpoint is not in it.
          for (const each of later) change(bench, new Model(), each);
          for (const name of names) {
            const places = keys.flatMap((key) => namespaces.map((namespace) => [key, namespace] as const));
            expect(places.map(([key, namespace]) => read(name, get(name, key, namespace)))).toEqual(
              places.map(([key, namespace]) => expected(name, model.get(name, key, namespace))),
            );
            const all = [...model.held].filter(([id]) => id.startsWith(`${name} `)).map(([, held]) => held);
            const found = entries(name).map(([key, namespace, value]) => [
              idOf(key as Key, namespace as Key | undefined),
              read(name, value),
            ]);
            expect(new Map(found as [string, unknown][])).toEqual(
              new Map(
                all.map(
                  ({ key, namespace, value }) => [idOf(key, namespace), expected(name, value)] as const,
                ),
              ),
            );
            expect(found).toHaveLength(all.length);
          }
        },
      ),
      { numRuns: effort(4, 20) },
    );
  });

  test('is readable without declarations, but for aggregates, which are accumulators', () => {
    const store = createMemoryStore();
    const bench = new Bench(store, specs);
    const model = new Model();
    for (const name of names) change(bench, model, [1, 0, name, 1]);
    const { get } = opened(store, bench.checkpoint().snapshot);
    expect(names.map((name) => get(name, 'a'))).toEqual([
      1,
      'text 1',
      [1, 2],
      new Map([['a', 1]]),
      1,
      [1, 1],
      [{ at: 1, namespace: undefined }],
    ]);
    expect(get('count', 'b')).toBeUndefined();
  });

  test('has the entries of a namespace', () => {
    const store = createMemoryStore();
    const bench = new Bench(store, specs);
    for (let i = 0; i < 100; i++) change(bench, new Model(), [i, i, 'sum', 1]);
    const { entries } = opened(store, bench.checkpoint().snapshot, specs);
    const all = entries('sum');
    for (const namespace of namespaces.slice(1))
      expect(entries('sum', namespace)).toEqual(all.filter(([, of]) => idOf(of as Key) === idOf(namespace)));
    expect(entries('sum', 'w').length).toBeGreaterThan(5);
    expect(entries('sum', 'x')).toEqual([]);
  });

  test('is in the order of addresses', () => {
    const store = createMemoryStore();
    const bench = new Bench(store, { n: valueState(0) });
    for (let round = 0; round < 3; round++) {
      for (let i = round; i < 3000; i += 3) bench.with<number>(`key-${i}`, 'n', (n) => n.set(i));
      bench.checkpoint();
    }
    const { snapshot } = bench.checkpoint();
    const found = opened(store, snapshot).entries('n');
    expect(found).toHaveLength(3000);
    const one = new Bench(store, { n: valueState(0) }).restore(snapshot);
    for (let i = 0; i < 3000; i++) one.with<number>(`key-${i}`, 'n', (n) => n.set(n.value));
    const single = opened(store, one.checkpoint().snapshot).entries('n');
    expect(found).toEqual(single);
  });

  test('is described', () => {
    const store = createMemoryStore();
    const bench = new Bench(store, { n: valueState(0), list: listState() });
    for (let i = 0; i < 10; i++) bench.with<number>(`key-${i}`, 'n', (n) => n.set(i));
    bench.checkpoint();
    bench.with<number>('key-1', 'n', (n) => n.clear());
    const { state } = opened(store, bench.checkpoint().snapshot);
    const serializer = { id: 'msgpackr', version: 1 };
    expect(now(state.describe())).toMatchObject([
      { name: 'list', schema: { kind: 'list', serializer }, cells: 0 },
      { name: 'n', schema: { kind: 'value', serializer }, cells: 11 },
    ]);
    const empty = opened(store, new Bench(store, { n: valueState(0) }).checkpoint().snapshot);
    expect(now(empty.state.describe())).toEqual([{ name: 'n', schema: undefined, cells: 0 }]);
    expect([empty.get('n', 'a'), empty.entries('n')]).toEqual([undefined, []]);
  });

  test('an unknown state is an error that names those that exist', () => {
    const store = createMemoryStore();
    const bench = new Bench(store, { n: valueState(0), m: valueState(0) });
    const { get, entries } = opened(store, bench.checkpoint().snapshot);
    for (const work of [() => get('x', 'a'), () => entries('x')]) {
      expect(work).toThrow(coded('StateNotFound'));
      expect(work).toThrow('Operator op has no state x. Its states are m, n.');
    }
  });

  describe('with a custom serializer', () => {
    const utf8 = (version: number, id = 'utf8'): Serializer<string> => ({
      id,
      version,
      encode: (text) => Buffer.from(text),
      decode: (bytes, by) => `${Buffer.from(bytes).toString()}${by === version ? '' : ` of ${by}`}`,
    });
    const written = (version: number) => {
      const store = createMemoryStore();
      const bench = new Bench(store, { t: valueState('', { serializer: utf8(version) }) });
      bench.with<string>('k', 't', (t) => t.set('x'));
      return { store, snapshot: bench.checkpoint().snapshot };
    };
    const with_ = (serializer: Serializer<string>) => ({ t: valueState('', { serializer }) });

    test('is read with its declaration, of this or a later version', () => {
      const { store, snapshot } = written(1);
      expect(opened(store, snapshot, with_(utf8(1))).get('t', 'k')).toBe('x');
      expect(opened(store, snapshot, with_(utf8(2))).entries('t')).toEqual([['k', undefined, 'x of 1']]);
    });

    test('is an error without it, or with another', () => {
      const { store, snapshot } = written(2);
      const none = opened(store, snapshot);
      for (const work of [() => none.get('t', 'k'), () => none.entries('t')]) {
        expect(work).toThrow(coded('SerializerMissing'));
        expect(work).toThrow('State t of operator op was written by serializer utf8. Declare it');
      }
      for (const declared of [
        { t: valueState('') },
        with_(utf8(2, 'other')),
        with_(utf8(1)),
        { t: listState() },
      ]) {
        const { get, entries } = opened(store, snapshot, declared);
        expect(() => get('t', 'k')).toThrow(coded('StateSchemaMismatch'));
        expect(() => entries('t')).toThrow(coded('StateSchemaMismatch'));
      }
    });
  });

  test('a state that was renamed is found under its new name', () => {
    const store = createMemoryStore();
    const first = new Bench(store, { old: valueState(0) });
    first.with<number>('k', 'old', (n) => n.set(7));
    const specs = { renamed: { ...valueState(0), formerly: 'old' } };
    const bench = new Bench(store, specs).restore(first.checkpoint().snapshot);
    bench.with<number>('l', 'renamed', (n) => n.set(8));
    const { get, entries } = opened(store, bench.checkpoint().snapshot);
    expect([get('renamed', 'k'), get('renamed', 'l')]).toEqual([7, 8]);
    expect(entries('renamed')).toHaveLength(2);
    expect(() => get('old', 'k')).toThrow(coded('StateNotFound'));
  });

  test('a process reads only its key groups of segments that it shares', () => {
    const store = createMemoryStore();
    const all = new Bench(store, { n: valueState(0) });
    for (let i = 0; i < 200; i++) all.with<number>(i, 'n', (n) => n.set(i));
    const { snapshot } = all.checkpoint();
    const halves = [
      { first: 0, last: 63 },
      { first: 64, last: 127 },
    ].map((keyGroups) => {
      const half = new Bench(store, { n: valueState(0) }, {}, { keyGroups }).restore(snapshot);
      return opened(store, half.checkpoint().snapshot);
    });
    const found = halves.map(({ entries }) => entries('n').length);
    expect(found[0]! + found[1]!).toBe(200);
    for (let i = 0; i < 200; i++) expect(halves.flatMap(({ get }) => get('n', i) ?? [])).toEqual([i]);
  });
});

describe('a point read from outside', () => {
  const mebibyte = 2 ** 20;

  test('moves little of a large state in many runs', () => {
    const memory = createMemoryStore();
    const { store, counts } = counting(memory);
    const bench = new Bench(memory, { n: valueState('') });
    const write = (from: number, count: number): void => {
      for (let i = from; i < from + count; i++)
        bench.with<string>(`key-${i}`, 'n', (n) => n.set(`${i} ${randomBytes(3072).toString('base64')}`));
    };
    const count = effort(5_500, 21_500);
    write(0, count);
    bench.checkpoint();
    for (let round = 0; round < 3; round++) {
      write(count + 100 * round, 100);
      bench.checkpoint();
    }
    const { snapshot } = bench.checkpoint();
    expect(segmentsOf(snapshot).reduce((sum, { bytes }) => sum + bytes, 0)).toBeGreaterThan(
      effort(16, 64) * mebibyte,
    );
    for (const i of [0, 1, 4777, count - 1, count + 299]) {
      const before = counts().bytesDown;
      expect(opened(memory, snapshot, {}, dataOn(store)).get('n', `key-${i}`)).toContain(`${i} `);
      expect(counts().bytesDown - before).toBeLessThan(mebibyte / 4);
    }
    const before = counts().bytesDown;
    expect(opened(memory, snapshot, {}, dataOn(store)).get('n', 'none')).toBeUndefined();
    expect(counts().bytesDown - before).toBeLessThan(mebibyte / 4);
  });

  test('needs an index that grows little: 10 KiB each of root and page for 1 GiB', () => {
    const index = new IndexBuilder(limits.blocksInPage);
    const bytes = Buffer.alloc(65_000, 7);
    const blocks = 2 ** 30 / 65_536;
    for (let i = 0; i < blocks; i++)
      index.add(
        {
          bytes,
          cells: 1,
          firstGroup: i % 128,
          lastGroup: i % 128,
          firstHash: i * 7919,
          firstState: 0,
          firstKey: Buffer.from(`user-${i * 1_000_003}`),
          firstPath: noPath,
        },
        new Uint32Array(1),
      );
    const sizes = index.encode().map(({ length }) => length);
    expect(sizes).toHaveLength(blocks / limits.blocksInPage + 1);
    expect(Math.max(...sizes)).toBeLessThan(16 * 1024);
  });
});

test('only keyed state is taken for it', () => {
  const store = createMemoryStore();
  expect(isKeyedState(new Bench(store, { n: valueState(0) }).checkpoint().snapshot)).toBe(true);
  for (const other of [undefined, null, {}, [], 'keyed-state', { kind: 'files' }])
    expect(isKeyedState(other)).toBe(false);
});
