import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import type { Frozen, Json } from '../../src/flow/index.js';
import type { Key } from '../../src/state/keys.js';
import { encodeKey, storedKey } from '../../src/state/keys.js';
import type { StateSpecs } from '../../src/state/state.js';
import { valueState, type ValueState } from '../../src/state/valueState.js';
import { counting } from '../../src/store/decorators/counting.js';
import { faulty } from '../../src/store/decorators/faults.js';
import { createMemoryStore } from '../../src/store/memory/index.js';
import type { ObjectStore } from '../../src/store/objectStore.js';
import { fewKeys } from './arbitraries.js';
import { Bench, coded, takeTurns } from './harness.js';
import { appendsState, type Appends } from './kinds/appends.js';
import { entriesState, type Entries } from './kinds/entries.js';
import { costOfOne } from './oneOfMany.js';

const specs: StateSpecs = { list: appendsState(), map: entriesState(), n: valueState(0) };

function at<R>(bench: Bench, key: Key, work: (handles: Handles) => R): R {
  bench.backend.at(storedKey(key));
  const result = work(bench.backend.handles as unknown as Handles);
  bench.backend.leave();
  return result;
}

interface Handles {
  readonly list: Appends;
  readonly map: Entries;
  readonly n: ValueState<number>;
}
const append = (bench: Bench, key: Key, item: unknown): void =>
  at(bench, key, ({ list }) => {
    list.append(item);
  });
const items = (bench: Bench, key: Key): readonly unknown[] => at(bench, key, ({ list }) => [...list.items]);
const entry = (bench: Bench, key: Key, namespace: string, name: Key): unknown =>
  at(bench, key, ({ map }) => map.in(namespace).get(name));

const namespaces = ['', 'w1', 'w2'];
const names: readonly Key[] = ['x', 'y', 7, ['z', 1]];

type Act =
  | { do: 'append' | 'clear' | 'set value'; key: Key; value: number }
  | { do: 'set' | 'delete'; key: Key; namespace: string; name: Key; value: number }
  | { do: 'barrier' | 'cancel' | 'checkpoint' }
  | { do: 'turns'; count: number };

const acts: fc.Arbitrary<Act[]> = fc.array(
  fc.oneof<fc.WeightedArbitrary<Act>[]>(
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constantFrom('append' as const, 'append' as const, 'clear' as const, 'set value' as const),
        key: fewKeys,
        value: fc.nat(1000),
      }),
    },
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constantFrom('set' as const, 'set' as const, 'delete' as const),
        key: fewKeys,
        namespace: fc.constantFrom(...namespaces),
        name: fc.constantFrom(...names),
        value: fc.nat(1000),
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

type Change = Extract<Act, { key: Key }>;

/** The content of all states, by key in hex. */
type Content = Map<string, unknown>;

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
    const keep = (id: string, value: unknown): unknown => value !== undefined && content.set(id, value);
    for (const [id, key] of this.#keys) {
      const list = items(bench, key);
      if (list.length > 0) keep(`${id} list`, list);
      const value = at(bench, key, ({ n }) => n.value);
      if (value !== 0) keep(`${id} n`, value);
      for (const namespace of namespaces)
        for (const name of names)
          keep(`${id} ${namespace} ${JSON.stringify(name)}`, entry(bench, key, namespace, name));
    }
    return content;
  }

  #change(act: Change): void {
    const { bench } = this;
    const { key } = act;
    const id = Buffer.from(encodeKey(storedKey(key))).toString('hex');
    this.#keys.set(id, key);
    const content = this.#content;
    if (act.do === 'append') {
      append(bench, key, act.value);
      content.set(`${id} list`, [...((content.get(`${id} list`) as unknown[] | undefined) ?? []), act.value]);
    } else if (act.do === 'clear') {
      at(bench, key, ({ list }) => {
        list.clear();
      });
      content.delete(`${id} list`);
    } else if (act.do === 'set value') {
      at(bench, key, ({ n }) => {
        n.set(act.value + 1);
      });
      content.set(`${id} n`, act.value + 1);
    } else if ('namespace' in act) {
      const { do: what, namespace, name, value } = act;
      const place = `${id} ${namespace} ${JSON.stringify(name)}`;
      at(bench, key, ({ map }) => {
        if (what === 'set') map.in(namespace).set(name, value);
        else map.in(namespace).delete(name);
      });
      if (act.do === 'set') content.set(place, act.value);
      else content.delete(place);
    }
  }
}

describe('kinds of state unknown to the backend', () => {
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
      { numRuns: 200, interruptAfterTimeLimit: 60_000 },
    );
    expect(compactions).toBeGreaterThan(20);
    expect(acked).toBeGreaterThan(300);
  });

  test('a crash at any request leaves what was acked before it', () => {
    const script: Act[] = [];
    for (let i = 0; i < 12; i++) {
      script.push({ do: 'append', key: 'a', value: i });
      script.push({ do: i % 5 === 4 ? 'clear' : 'append', key: i % 3, value: i });
      script.push({
        do: i % 4 === 3 ? 'delete' : 'set',
        key: 'a',
        namespace: 'w1',
        name: names[i % 2]!,
        value: i,
      });
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
    const list = { list: appendsState() };
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
        ...appendsState(),
        open: (name) => Object.assign(appendsState().open(name), { fold: undefined }) as never,
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
  const small = { cells: 40, cellsInBlock: 8, blocks: 16 };

  test('a freeze larger than the limit of a segment becomes several, and so does a merge', () => {
    fc.assert(
      fc.property(acts, (list) => {
        const memory = createMemoryStore();
        const run = new Run(memory, small);
        for (let i = 0; i < 70; i++)
          run.act({ do: 'set', key: i % 3, namespace: 'w1', name: names[i % 4]!, value: i });
        for (let i = 0; i < 100; i++) run.act({ do: 'set value', key: `k${i}`, value: i });
        run.act({ do: 'checkpoint' });
        for (const act of list) run.act(act);
        run.act({ do: 'checkpoint' });
        for (const { cells } of run.bench.backend.segments) expect(cells).toBeLessThanOrEqual(40);
        expect(run.bench.backend.segments.length).toBeGreaterThan(2);
        for (const { snapshot, content } of run.cuts)
          expect(run.read(new Bench(memory, specs).restore(snapshot))).toEqual(content);
      }),
      { numRuns: 30 },
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
