import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import type { Frozen, Json } from '../../src/flow/index.js';
import type { Key } from '../../src/state/keys/keys.js';
import { encodeKey, storedKey } from '../../src/state/keys/keys.js';
import {
  aggregatingState,
  listState,
  mapState,
  reducingState,
  timers,
  valueState,
  type ListState,
  type MapState,
} from '../../src/state/kinds/index.js';
import type { Handles } from '../../src/state/state.js';
import { counting } from '../../src/store/decorators/counting.js';
import { faulty } from '../../src/store/decorators/faults.js';
import { createMemoryStore } from '../../src/store/memory/index.js';
import type { ObjectStore } from '../../src/store/objectStore.js';
import { fewKeys } from './arbitraries.js';
import { Bench, coded, takeTurns } from './harness.js';
import { costOfOne } from './oneOfMany.js';
import { effort } from '../support/effort.js';

const specs = {
  list: listState<unknown>(),
  map: mapState<Key, number>(),
  n: valueState(0),
  highest: reducingState((a: number, b: number) => Math.max(a, b)),
  all: aggregatingState({
    create: (): readonly number[] => [],
    add: (numbers, n: number) => [...numbers, n],
    result: (numbers) => numbers,
  }),
  timers: timers('event'),
};
type Specs = typeof specs;

function at<R>(bench: Bench, key: Key, work: (handles: Handles<Specs>) => R): R {
  bench.backend.at(storedKey(key));
  const result = work(bench.backend.handles as Handles<Specs>);
  bench.backend.leave();
  return result;
}

const append = (bench: Bench, key: Key, item: unknown): void =>
  at(bench, key, ({ list }) => {
    list.append(item);
  });
const items = (bench: Bench, key: Key): readonly unknown[] => at(bench, key, ({ list }) => list.toArray());

const namespaces: readonly (Key | undefined)[] = [undefined, '', 'w1', [1, 2]];
const names: readonly Key[] = ['x', 'y', 7, ['z', 1]];

const verbs = [
  'append',
  'append',
  'append three',
  'set list',
  'clear list',
  'put',
  'put',
  'remove',
  'clear map',
  'set value',
  'clear value',
  'add',
  'clear highest',
  'average',
  'set timer',
  'set timer',
  'clear timer',
] as const;

interface Change {
  readonly do: (typeof verbs)[number];
  readonly key: Key;
  readonly namespace: Key | undefined;
  readonly name: Key;
  readonly value: number;
  /** Whether the change is reverted within its turn. */
  readonly undone: boolean;
}

type Act = Change | { do: 'barrier' | 'cancel' | 'checkpoint' } | { do: 'turns'; count: number };

const acts: fc.Arbitrary<Act[]> = fc.array(
  fc.oneof<fc.WeightedArbitrary<Act>[]>(
    {
      weight: 16,
      arbitrary: fc.record({
        do: fc.constantFrom(...verbs),
        key: fewKeys,
        namespace: fc.constantFrom(...namespaces),
        name: fc.constantFrom(...names),
        value: fc.nat(20),
        undone: fc.oneof(
          { weight: 7, arbitrary: fc.constant(false) },
          { weight: 1, arbitrary: fc.constant(true) },
        ),
      }),
    },
    {
      weight: 7,
      arbitrary: fc.record({
        do: fc.constantFrom(
          'barrier' as const,
          'cancel' as const,
          'checkpoint' as const,
          'checkpoint' as const,
        ),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ do: fc.constant('turns' as const), count: fc.integer({ min: 1, max: 8 }) }),
    },
  ),
  { maxLength: 80, size: 'max' },
);

/** What the states hold at one key and namespace. Empty collections and cleared values are missing. */
interface Held {
  list?: readonly unknown[];
  map?: ReadonlyMap<string, number>;
  n?: number;
  highest?: number;
  all?: readonly number[];
  timers?: readonly number[];
}

/** By key and namespace. Places that hold nothing are missing. */
type Content = Map<string, Held>;

const textOf = (key: Key | undefined): string =>
  key === undefined ? '' : Buffer.from(encodeKey(storedKey(key))).toString('hex');

/** A bench and a model of its expected content. */
class Run {
  readonly bench: Bench;
  readonly cuts: { readonly snapshot: Json | undefined; readonly content: Content }[] = [];
  readonly #keys = new Map<string, Key>();
  readonly #content: Content = new Map();

  constructor(store: ObjectStore, limits?: ConstructorParameters<typeof Bench>[2]) {
    this.bench = new Bench(store, specs, limits);
  }

  act(act: Act): void {
    const { bench } = this;
    if (act.do === 'turns') takeTurns(bench.clock, act.count);
    else if ('key' in act) this.#change(act);
    else {
      this.barrier(act.do === 'cancel');
      if (act.do === 'checkpoint') takeTurns(bench.clock);
    }
  }

  barrier(cancel = false): void {
    const content = new Map(this.#content);
    const storing = this.bench.backend.freeze().subscribe({
      next: ({ snapshot }: Frozen) => this.cuts.push({ snapshot, content }),
      error: () => undefined,
    });
    if (cancel) storing.unsubscribe();
  }

  /** What a backend holds for all keys that were ever used. */
  read(bench: Bench): Content {
    const content: Content = new Map();
    for (const [id, key] of this.#keys)
      at(bench, key, (handles) => {
        for (const namespace of namespaces) {
          const held = heldIn(handles, namespace);
          if (Object.keys(held).length > 0) content.set(`${id} ${textOf(namespace)}`, held);
        }
      });
    return content;
  }

  #change(change: Change): void {
    const { key, namespace, undone } = change;
    const { backend } = this.bench;
    const id = textOf(key);
    this.#keys.set(id, key);
    at(this.bench, key, (handles) => {
      if (undone) backend.remember();
      apply(handles, change);
      if (undone) backend.undo();
    });
    if (undone) return;
    const place = `${id} ${textOf(namespace)}`;
    const held = changed(this.#content.get(place) ?? {}, change);
    if (Object.keys(held).length === 0) this.#content.delete(place);
    else this.#content.set(place, held);
  }
}

function heldIn(handles: Handles<Specs>, namespace: Key | undefined): Held {
  const inSpace = <H extends { in(namespace: Key): H }>(handle: H): H =>
    namespace === undefined ? handle : handle.in(namespace);
  const pending = handles.timers
    .pending()
    .filter((timer) => textOf(timer.namespace) === textOf(namespace))
    .map((timer) => timer.at);
  const map = inSpace(handles.map);
  const held = {
    list: specs.list.contents(inSpace(handles.list)),
    map: map.size === 0 ? undefined : new Map([...map].map(([name, value]) => [textOf(name), value])),
    n: specs.n.contents(inSpace(handles.n)),
    highest: specs.highest.contents(inSpace(handles.highest)),
    all: specs.all.contents(inSpace(handles.all)),
    timers: pending.length === 0 ? undefined : pending.sort((a, b) => a - b),
  };
  return Object.fromEntries(Object.entries(held).filter(([, value]) => value !== undefined));
}

function apply(handles: Handles<Specs>, { do: what, namespace, name, value }: Change): void {
  const inSpace = <H extends { in(namespace: Key): H }>(handle: H): H =>
    namespace === undefined ? handle : handle.in(namespace);
  const [list, map, n] = [inSpace(handles.list), inSpace(handles.map), inSpace(handles.n)];
  switch (what) {
    case 'append': {
      list.append(value);
      return;
    }
    case 'append three': {
      list.append(value, value + 1, value + 2);
      return;
    }
    case 'set list': {
      list.set([value, value]);
      return;
    }
    case 'clear list': {
      list.clear();
      return;
    }
    case 'put': {
      map.set(name, value);
      return;
    }
    case 'remove':
      return void map.delete(name);
    case 'clear map': {
      map.clear();
      return;
    }
    case 'set value': {
      n.set(value);
      return;
    }
    case 'clear value': {
      n.clear();
      return;
    }
    case 'add':
      return void inSpace(handles.highest).add(value);
    case 'clear highest': {
      inSpace(handles.highest).clear();
      return;
    }
    case 'average': {
      inSpace(handles.all).add(value);
      return;
    }
    case 'set timer':
      return void handles.timers.set(value, namespace);
    case 'clear timer':
      return void handles.timers.clear(value, namespace);
  }
}

/** The model of {@link apply} in plain collections. */
function changed(before: Held, { do: what, name, value }: Change): Held {
  const { list = [], map = new Map<string, number>(), highest, timers: pending = [] } = before;
  const rest = (omitted: keyof Held): Held =>
    Object.fromEntries(Object.entries(before).filter(([kind]) => kind !== omitted));
  switch (what) {
    case 'append':
      return { ...before, list: [...list, value] };
    case 'append three':
      return { ...before, list: [...list, value, value + 1, value + 2] };
    case 'set list':
      return { ...before, list: [value, value] };
    case 'clear list':
      return rest('list');
    case 'put':
      return { ...before, map: new Map([...map, [textOf(name), value]]) };
    case 'remove': {
      const left = new Map([...map].filter(([at]) => at !== textOf(name)));
      return left.size === 0 ? rest('map') : { ...before, map: left };
    }
    case 'clear map':
      return rest('map');
    case 'set value':
      return { ...before, n: value };
    case 'clear value':
      return rest('n');
    case 'add':
      return { ...before, highest: Math.max(highest ?? value, value) };
    case 'clear highest':
      return rest('highest');
    case 'average':
      return { ...before, all: [...(before.all ?? []), value] };
    case 'set timer':
      return { ...before, timers: [...new Set([...pending, value])].sort((a, b) => a - b) };
    case 'clear timer': {
      const left = pending.filter((time) => time !== value);
      return left.length === 0 ? rest('timers') : { ...before, timers: left };
    }
  }
}

describe('all kinds of state', () => {
  test('restoring any ack gives the state at its barrier: failures, cancels, compaction', () => {
    let compactions = 0;
    let acked = 0;
    fc.assert(
      fc.property(acts, fc.integer({ min: 1, max: 2 ** 31 - 1 }), (list, start) => {
        let seed = start;
        const random = (): number => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
        let calm = false;
        const memory = createMemoryStore();
        const run = new Run(faulty(memory, { random, before: 0.1, after: 0.1, only: () => !calm }));
        for (const act of list) run.act(act);
        calm = true;
        takeTurns(run.bench.clock);
        run.barrier();
        takeTurns(run.bench.clock);
        acked += run.cuts.length;
        compactions += run.bench.events.filter(({ type }) => type === 'segments-compacted').length;
        expect(run.read(run.bench)).toEqual(run.cuts.at(-1)?.content);
        for (const { snapshot, content } of run.cuts)
          expect(run.read(new Bench(memory, specs).restore(snapshot))).toEqual(content);
      }),
      { numRuns: effort(30, 200), interruptAfterTimeLimit: 60_000 },
    );
    expect(compactions).toBeGreaterThan(effort(3, 20));
    expect(acked).toBeGreaterThan(effort(45, 300));
  });

  test('a crash at any request leaves what was acked before it', () => {
    const script: Act[] = [];
    for (let i = 0; i < 12; i++) {
      const change = { namespace: undefined, name: names[i % 2]!, value: i, undone: false };
      script.push({ ...change, do: 'append', key: 'a' });
      script.push({ ...change, do: i % 5 === 4 ? 'clear list' : 'append', key: i % 3 });
      script.push({ ...change, do: i % 4 === 3 ? 'remove' : 'put', key: 'a', namespace: 'w1' });
      script.push({ ...change, do: i % 4 === 3 ? 'clear timer' : 'set timer', key: 'a' });
      script.push({ do: 'checkpoint' });
    }
    let last = 0;
    for (let crash = 0; ; crash++) {
      const memory = createMemoryStore();
      let requests = 0;
      const dying = faulty(memory, { random: () => 0, before: 1, only: () => requests++ >= crash });
      const run = new Run(dying);
      for (const act of script) run.act(act);
      expect(run.cuts.length).toBeGreaterThanOrEqual(last);
      last = run.cuts.length;
      for (const { snapshot, content } of run.cuts.slice(-1))
        expect(run.read(new Bench(memory, specs).restore(snapshot))).toEqual(content);
      if (requests <= crash) break;
    }
    expect(last).toBe(12);
  });

  test('an entry of a large map costs an entry', () => {
    const { bytes, cells } = costOfOne(20_000);
    expect(bytes).toBeLessThan(600);
    expect(cells).toBe(1);
  });

  test.each([
    ['into the value, with the oldest segment', 10_000, 3, 1],
    ['into one operand, without it', 100_000, 4, 2],
  ])('the cost of an append is what is appended, and merges fold it: %s', (_, count, appends, segments) => {
    const { store, counts } = counting(createMemoryStore());
    const list = { list: listState<unknown>() };
    const bench = new Bench(store, list);
    for (let i = 0; i < count; i++) append(bench, 'k', i);
    bench.checkpoint();
    const before = counts().bytesUp;
    append(bench, 'k', 'a');
    bench.checkpoint();
    expect(counts().bytesUp - before).toBeLessThan(600);
    for (const item of ['b', 'c', 'd'].slice(0, appends - 1)) {
      append(bench, 'k', item);
      bench.checkpoint();
    }
    expect(bench.backend.segments.map(({ cells }) => cells)).toEqual(Array(segments).fill(1));
    const again = new Bench(store, list).restore(bench.checkpoint().snapshot);
    const added = ['a', 'b', 'c', 'd'].slice(0, appends);
    expect(items(again, 'k').slice(count - 1)).toEqual([count - 1, ...added]);
  });

  test('an operand of a state whose kind has none cannot be merged: the segments stay as they are', () => {
    const store = createMemoryStore();
    const bench = new Bench(store, {
      list: {
        ...listState<unknown>(),
        open: (name) => Object.assign(listState<unknown>().open(name), { fold: undefined }) as never,
      },
    });
    for (let i = 0; i < 4; i++) {
      append(bench, 'k', i);
      bench.checkpoint();
    }
    expect(bench.events.at(-1)).toMatchObject({ type: 'compaction-failed', error: coded('SegmentCorrupt') });
    expect(bench.backend.segments).toHaveLength(4);
  });
});

describe('the size of segments', () => {
  const put = { do: 'put', namespace: undefined, name: 'x', undone: false } as const;
  const small = { cells: 40, cellsInBlock: 8, blocks: 16 };

  test('a freeze larger than the limit of a segment becomes several, and so does a merge', () => {
    fc.assert(
      fc.property(acts, (list) => {
        const memory = createMemoryStore();
        const run = new Run(memory, small);
        for (let i = 0; i < 70; i++)
          run.act({ ...put, key: i % 3, namespace: 'w1', name: names[i % 4]!, value: i });
        for (let i = 0; i < 100; i++) run.act({ ...put, do: 'set value', key: `k${i}`, value: i });
        run.act({ do: 'checkpoint' });
        for (const act of list) run.act(act);
        run.act({ do: 'checkpoint' });
        for (const { cells } of run.bench.backend.segments) expect(cells).toBeLessThanOrEqual(40);
        expect(run.bench.backend.segments.length).toBeGreaterThan(2);
        for (const { snapshot, content } of run.cuts)
          expect(run.read(new Bench(memory, specs).restore(snapshot))).toEqual(content);
      }),
      { numRuns: effort(8, 30) },
    );
  });

  test('its bytes are bounded, too', () => {
    const bench = new Bench(createMemoryStore(), { v: valueState('') }, { bytes: 100_000 });
    for (let i = 0; i < 300; i++) bench.with<string>(i, 'v', (v) => v.set(randomBytes(1000).toString('hex')));
    bench.checkpoint();
    const { segments } = bench.backend;
    expect(segments.length).toBeGreaterThan(2);
    // The last block may be beyond.
    for (const { bytes } of segments) expect(bytes).toBeLessThan(200_000);
  });

  test('values of widely differing sizes never make a block too large', () => {
    const memory = createMemoryStore();
    const objects = { v: valueState<unknown>(null) };
    const bench = new Bench(memory, objects, { block: 20_000 });
    const value = (i: number): object => ({ i, words: Array.from({ length: 200 }, (_, j) => `word ${j}`) });
    for (let i = 0; i < 64; i++) bench.with<unknown>(i, 'v', (v) => v.set(value(i)));
    const again = new Bench(memory, objects).restore(bench.checkpoint().snapshot);
    for (let i = 0; i < 64; i++)
      expect(again.with<unknown, unknown>(i, 'v', (v) => v.value)).toEqual(value(i));
  });

  test('a value that only a checkpoint finds is rejected with its namespace and entry', () => {
    const bench = new Bench(createMemoryStore(), {
      map: mapState<string, unknown>(),
      list: listState<unknown>(),
    });
    const lossy = Object.assign([1], { x: 1 });
    bench.backend.at('ann');
    const { map, list } = bench.backend.handles as {
      readonly map: MapState<string, unknown>;
      readonly list: ListState<unknown>;
    };
    map.in([2026, 'w']).set('long', lossy);
    bench.backend.leave();
    expect(() => bench.checkpoint()).toThrow(
      /^State map of operator .* cannot hold what is set for key "ann", namespace \[2026,"w"\], entry "long": it /,
    );
    bench.backend.at('ann');
    map.in([2026, 'w']).clear();
    list.append(lossy);
    bench.backend.leave();
    expect(() => bench.checkpoint()).toThrow(
      /^State list of operator .* cannot hold what is set for key "ann": it /,
    );
  });

  test('a value too large for a block is rejected, with state and key, and is in the next checkpoint if it shrinks', () => {
    const memory = createMemoryStore();
    const texts = { v: valueState('') };
    const bench = new Bench(memory, texts, { block: 20_000 });
    bench.with<string>('large', 'v', (v) => v.set('x'.repeat(30_000)));
    bench.with<string>('small', 'v', (v) => v.set('y'));
    expect(() => bench.checkpoint()).toThrow(coded('UnsupportedValue'));
    expect(() => bench.checkpoint()).toThrow('State v cannot hold what is set for key "large"');
    bench.with<string>('large', 'v', (v) => v.set('x'));
    const again = new Bench(memory, texts).restore(bench.checkpoint().snapshot);
    expect(['large', 'small'].map((key) => again.with<string, string>(key, 'v', (v) => v.value))).toEqual([
      'x',
      'y',
    ]);
  });
});
