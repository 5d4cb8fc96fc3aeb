import fc from 'fast-check';
import type { Json } from '../../../src/flow/index.js';
import {
  aggregatingState,
  listState,
  mapState,
  reducingState,
  timers,
  valueState,
  type AggregatingState,
  type ListState,
  type MapState,
  type ReducingState,
  type StateSpec,
  type StateSpecs,
  type Timers,
  type ValueState,
} from '../../../src/state/index.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import type { ObjectStore } from '../../../src/store/objectStore.js';
import { Bench, coded, segmentsOf } from '../harness.js';
import { effort } from '../../support/effort.js';

const set = (bench: Bench, key: string, state: string, value: number): void => {
  bench.with<number>(key, state, (n) => n.set(value));
};
const get = (bench: Bench, key: string, state: string): number =>
  bench.with<number, number>(key, state, (n) => n.value);
const numbers = (names: readonly string[]): StateSpecs =>
  Object.fromEntries(names.map((name) => [name, valueState(0)]));
const formerly = (old: string) => valueState(0, { formerly: old });

/** A bench of another declaration that restores this snapshot. */
const evolved = (
  store: ObjectStore,
  states: StateSpecs,
  snapshot: Json | undefined,
  allowDropped: readonly string[] = [],
): Bench => new Bench(store, states, {}, { allowDropped }).restore(snapshot);

/** A store with one checkpoint in which each state holds its number for key `k`. */
function stored(names: readonly string[]): { store: ObjectStore; snapshot: Json | undefined } {
  const store = createMemoryStore();
  const bench = new Bench(store, numbers(names));
  names.forEach((name, i) => {
    set(bench, 'k', name, i + 1);
  });
  return { store, snapshot: bench.checkpoint().snapshot };
}

/** Takes checkpoints until everything is in one segment. */
function merged(bench: Bench, state: string): Json | undefined {
  for (let tries = 0; tries < 20; tries++) {
    set(bench, 'merge', state, 1);
    bench.checkpoint();
    if (bench.backend.segments.length === 1) return bench.checkpoint().snapshot;
  }
  throw new Error('The segments were not merged.', { cause: bench.events.at(-1) });
}

describe('a state that is no longer declared', () => {
  test('is an error that names it and the ways out, before anything is read', () => {
    const { store, snapshot } = stored(['a', 'old']);
    const again = (): Bench => evolved(store, numbers(['a']), snapshot, ['other']);
    expect(again).toThrow(coded('StateSchemaMismatch'));
    expect(again).toThrow(
      "The state of operator op does not fit: state old is in the checkpoint but no longer declared. Declare it again; or, if it has another name now, give that one `formerly: 'old'`; or drop what it holds with `allowDropped: ['old']`.",
    );
  });

  test('is dropped if that is allowed: its cells are not loaded, and disappear in merges', () => {
    const { store, snapshot } = stored(['a', 'old', 'z']);
    const bench = evolved(store, numbers(['a', 'z']), snapshot, ['old']);
    expect(['a', 'z'].map((name) => get(bench, 'k', name))).toEqual([1, 3]);
    set(bench, 'k', 'z', 4);
    const after = merged(bench, 'a');
    // Two of `k`, and that of `merge`.
    expect(segmentsOf(after).map(({ cells }) => cells)).toEqual([3]);
    const again = evolved(store, numbers(['a', 'z']), after);
    expect(['a', 'z'].map((name) => get(again, 'k', name))).toEqual([1, 4]);
  });

  test('need not be allowed again once a checkpoint is without it', () => {
    const { store, snapshot } = stored(['a', 'old']);
    const next = evolved(store, numbers(['a']), snapshot, ['old']).checkpoint().snapshot;
    expect(get(evolved(store, numbers(['a']), next), 'k', 'a')).toBe(1);
  });

  test('leaves a run that held nothing else out of the list', () => {
    const { store, snapshot } = stored(['old']);
    const bench = evolved(store, numbers(['a']), snapshot, ['old']);
    for (let i = 0; i < 3; i++) {
      set(bench, 'k', 'a', i);
      bench.checkpoint();
    }
    expect(bench.backend.segments.map(({ cells }) => cells)).toEqual([1]);
  });

  test('may be declared again later, as another kind: it begins empty', () => {
    const { store, snapshot } = stored(['a', 'x']);
    const without = evolved(store, numbers(['a']), snapshot, ['x']).checkpoint().snapshot;
    const bench = evolved(store, { a: valueState(0), x: mapState<string, number>() }, without);
    const entry = (on: Bench, work: (handle: ReturnType<typeof entries>) => unknown): unknown => {
      on.backend.at('k');
      const result = work(entries(on));
      on.backend.leave();
      return result;
    };
    const entries = (on: Bench) =>
      on.backend.handles['x'] as { get(n: string): unknown; set(n: string, v: number): void };
    expect(entry(bench, (x) => x.get('n'))).toBeUndefined();
    entry(bench, (x) => {
      x.set('n', 7);
    });
    const specs = { a: valueState(0), x: mapState<string, number>() };
    for (const later of [bench.checkpoint().snapshot, merged(bench, 'a')]) {
      const again = evolved(store, specs, later);
      expect(entry(again, (x) => x.get('n'))).toBe(7);
      expect(get(again, 'k', 'a')).toBe(1);
    }
  });
});

describe('a renamed state', () => {
  test('keeps what it holds, also if its place in the order of names changes, and through merges', () => {
    const { store, snapshot } = stored(['a', 'm', 'z']);
    const specs = { ...numbers(['a', 'z']), zz: formerly('m') };
    const bench = evolved(store, specs, snapshot);
    expect(['a', 'zz', 'z'].map((name) => get(bench, 'k', name))).toEqual([1, 2, 3]);
    for (const name of ['a', 'zz', 'z']) set(bench, 'k', name, 10);
    const again = evolved(store, specs, merged(bench, 'a'));
    expect(['a', 'zz', 'z'].map((name) => get(again, 'k', name))).toEqual([10, 10, 10]);
  });

  test('needs its former name only until a checkpoint has the new one', () => {
    const { store, snapshot } = stored(['n']);
    const next = evolved(store, { m: formerly('n') }, snapshot).checkpoint().snapshot;
    expect(get(evolved(store, numbers(['m']), next), 'k', 'm')).toBe(1);
  });

  test('leaves its former name to a new state', () => {
    const { store, snapshot } = stored(['n']);
    const next = evolved(store, { m: formerly('n') }, snapshot).checkpoint().snapshot;
    const bench = evolved(store, numbers(['m', 'n']), next);
    expect(['m', 'n'].map((name) => get(bench, 'k', name))).toEqual([1, 0]);
    set(bench, 'k', 'n', 5);
    const again = evolved(store, numbers(['m', 'n']), merged(bench, 'm'));
    expect(['m', 'n'].map((name) => get(again, 'k', name))).toEqual([1, 5]);
  });

  test('has no use for a former name that the checkpoint has beside the new one', () => {
    const { store, snapshot } = stored(['m', 'n']);
    expect(() => evolved(store, { m: formerly('n') }, snapshot)).toThrow('state n is in the checkpoint');
    expect(get(evolved(store, { m: formerly('n') }, snapshot, ['n']), 'k', 'm')).toBe(1);
  });

  test('that the former code restores is an error which names both ways', () => {
    const { store, snapshot } = stored(['n']);
    const next = evolved(store, { m: formerly('n') }, snapshot).checkpoint().snapshot;
    expect(() => evolved(store, numbers(['n']), next)).toThrow("`formerly: 'm'`");
  });
});

type Kind = (options: { formerly?: string }) => StateSpec<never>;

test.each<[string, Kind, (handle: never) => void]>([
  ['a value', (o) => valueState(0, o) as never, (v: ValueState<number>) => v.set(1)],
  ['a list', (o) => listState<number>(o) as never, (l: ListState<number>) => l.append(1)],
  ['a map', (o) => mapState<string, number>(o) as never, (m: MapState<string, number>) => m.set('a', 1)],
  ['timers', (o) => timers('event', o) as never, (t: Timers) => t.set(5)],
  [
    'a reduction',
    (o) => reducingState((a: number, b: number) => a + b, o) as never,
    (r: ReducingState<number>) => r.add(1),
  ],
  [
    'an aggregate',
    (o) =>
      aggregatingState<number, number, number>(
        { create: () => 0, add: (a, b) => a + b, result: (a) => a },
        o,
      ) as never,
    (a: AggregatingState<number, number>) => a.add(1),
  ],
])('%s can be renamed, and its former name must be a string', (_, kind, write) => {
  const store = createMemoryStore();
  const contents = (bench: Bench, name: string, work: (handle: never) => void): unknown => {
    bench.backend.at('k');
    const handle = bench.backend.handles[name] as never;
    work(handle);
    const held = kind({}).contents(handle);
    bench.backend.leave();
    return held;
  };
  const bench = new Bench(store, { old: kind({}) });
  const held = contents(bench, 'old', write);
  expect(held).toBeDefined();
  const specs = { new: kind({ formerly: 'old' }) } as StateSpecs;
  const again = evolved(store, specs, bench.checkpoint().snapshot);
  expect(contents(again, 'new', () => undefined)).toEqual(held);
  expect(() => kind({ formerly: 5 as never })).toThrow(coded('InvalidOption'));
});

/** One declaration after another: each state has a name and what it was called before, or is dropped. */
const names = ['a', 'b', 'c', 'd', 'e'];
const step = fc.oneof(
  fc.record({ do: fc.constant('add' as const), name: fc.constantFrom(...names) }),
  fc.record({ do: fc.constant('drop' as const), name: fc.constantFrom(...names) }),
  fc.record({
    do: fc.constant('rename' as const),
    name: fc.constantFrom(...names),
    to: fc.constantFrom(...names),
  }),
  fc.record({
    do: fc.constant('write' as const),
    name: fc.constantFrom(...names),
    key: fc.constantFrom('x', 'y'),
  }),
);

test('states added, dropped, renamed and added again in any order hold what a model of them holds', () => {
  let drops = 0;
  let merges = 0;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
      const store = createMemoryStore();
      let model = new Map<string, Map<string, number>>([['z', new Map()]]);
      let bench = new Bench(store, numbers(['z']));
      let value = 0;
      const redeclare = (renamed: ReadonlyMap<string, string>, dropped: readonly string[]): void => {
        merges += bench.events.filter(({ type }) => type === 'segments-compacted').length;
        const { snapshot } = bench.checkpoint();
        bench = evolved(
          store,
          Object.fromEntries(
            [...model.keys()].map((name) => {
              const old = renamed.get(name);
              return [name, old === undefined ? valueState(0) : formerly(old)];
            }),
          ),
          snapshot,
          dropped,
        );
      };
      for (const act of steps) {
        const known = model.get(act.name);
        if (act.do === 'write') {
          if (known === undefined) continue;
          set(bench, act.key, act.name, ++value);
          known.set(act.key, value);
          bench.checkpoint();
        } else if (act.do === 'add') {
          if (known !== undefined) continue;
          model.set(act.name, new Map());
          redeclare(new Map(), []);
        } else if (act.do === 'drop') {
          if (known === undefined) continue;
          drops++;
          model.delete(act.name);
          redeclare(new Map(), [act.name]);
        } else if (known !== undefined && !model.has(act.to)) {
          model = new Map([...model].map(([name, values]) => [name === act.name ? act.to : name, values]));
          redeclare(new Map([[act.to, act.name]]), []);
        }
        for (const [name, values] of model) {
          expect(['x', 'y'].map((key) => get(bench, key, name))).toEqual(
            ['x', 'y'].map((key) => values.get(key) ?? 0),
          );
        }
      }
    }),
    { numRuns: effort(50, 150), interruptAfterTimeLimit: 60_000 },
  );
  expect(drops).toBeGreaterThan(effort(10, 30));
  expect(merges).toBeGreaterThan(effort(1, 5));
});
