import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import type { Json } from '../../../src/flow/index.js';
import { partOfState } from '../../../src/state/backend/rescaling.js';
import { valueState } from '../../../src/state/index.js';
import { hashOf, keyGroupOf, keyGroupRange, type KeyGroupRange } from '../../../src/state/keys/keyGroups.js';
import { encodeKey, storedKey, type Key } from '../../../src/state/keys/keys.js';
import { counting } from '../../../src/store/decorators/counting.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import type { ObjectStore } from '../../../src/store/objectStore.js';
import { effort } from '../../support/effort.js';
import { keyArbitrary } from '../arbitraries.js';
import { Bench, coded, segmentsOf, tableOf } from '../harness.js';

const specs = { n: valueState(0), text: valueState('') };
const groupOf = (key: Key): number => keyGroupOf(hashOf(storedKey(key)), 128);
const get = (bench: Bench, key: Key): number => bench.with<number, number>(key, 'n', (n) => n.value);
const set = (bench: Bench, key: Key, value: number): void => {
  bench.with<number>(key, 'n', (n) => n.set(value));
};

/** The backends of one operator in several processes. */
class Processes {
  readonly benches: readonly Bench[];

  constructor(
    readonly store: ObjectStore,
    readonly parallelism: number,
    snapshots: readonly (Json | undefined)[] = [],
  ) {
    this.benches = Array.from({ length: parallelism }, (_, i) => {
      const bench = new Bench(store, specs, {}, { keyGroups: keyGroupRange(i, parallelism, 128) });
      return snapshots.length === 0 ? bench : bench.restore(...snapshots);
    });
  }

  of(key: Key): Bench {
    return this.benches.find((_, i) => {
      const { first, last } = keyGroupRange(i, this.parallelism, 128);
      return groupOf(key) >= first && groupOf(key) <= last;
    })!;
  }

  checkpoint(): readonly (Json | undefined)[] {
    return this.benches.map((bench) => bench.checkpoint().snapshot);
  }

  /** Entries in memory. */
  get size(): number {
    return this.benches.reduce((sum, { backend }) => sum + tableOf(backend.states[0]).size, 0);
  }
}

const sizes = effort(0, 1) === 1 ? [1, 2, 3, 4, 5, 6, 7, 8] : [1, 2, 5, 8];
const pairs = sizes.flatMap((p) => sizes.map((q) => [p, q] as const));

test.each(pairs)('state of %i processes is restored by %i, each key exactly once', (p, q) => {
  const store = createMemoryStore();
  const before = new Processes(store, p);
  for (let round = 0; round < 3; round++) {
    for (let key = round; key < 300; key += 2) set(before.of(key), key, key + round);
    for (let key = 0; key < 300; key += 7) before.of(key).with(key, 'n', (n) => n.clear());
    before.checkpoint();
  }
  const after = new Processes(store, q, before.checkpoint());
  const expected = Array.from({ length: 300 }, (_, key) => get(before.of(key), key));
  expect(Array.from({ length: 300 }, (_, key) => get(after.of(key), key))).toEqual(expected);
  expect(after.size).toBe(expected.filter((_, key) => key % 7 !== 0).length);
});

type Act =
  | { do: 'set'; key: number; value: number }
  | { do: 'clear'; key: number }
  | { do: 'checkpoint' }
  | { do: 'rescale'; to: number };

const acts: fc.Arbitrary<Act[]> = fc.array(
  fc.oneof<fc.WeightedArbitrary<Act>[]>(
    {
      weight: 6,
      arbitrary: fc.record({ do: fc.constant('set' as const), key: fc.nat(11), value: fc.nat(1000) }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('clear' as const), key: fc.nat(11) }) },
    { weight: 4, arbitrary: fc.constant({ do: 'checkpoint' as const }) },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constant('rescale' as const), to: fc.integer({ min: 1, max: 8 }) }),
    },
  ),
  { maxLength: 60, size: 'max' },
);

test('any keys survive any writes, snapshots, merges and rescalings', () => {
  let merges = 0;
  fc.assert(
    fc.property(
      fc.uniqueArray(keyArbitrary, {
        minLength: 12,
        maxLength: 12,
        selector: (key) => Buffer.from(encodeKey(storedKey(key))).toString('hex'),
      }),
      acts,
      (keys, list) => {
        const store = createMemoryStore();
        const model = new Map<number, number>();
        let now = new Processes(store, 1);
        const count = (): void => {
          for (const { events } of now.benches)
            merges += events.filter(({ type }) => type === 'segments-compacted').length;
        };
        const rescale = (to: number): void => {
          count();
          now = new Processes(store, to, now.checkpoint());
        };
        for (const act of list) {
          if (act.do === 'rescale') rescale(act.to);
          else if (act.do === 'checkpoint') now.checkpoint();
          else if (act.do === 'set') {
            set(now.of(keys[act.key]!), keys[act.key]!, act.value);
            model.set(act.key, act.value);
          } else {
            now.of(keys[act.key]!).with(keys[act.key]!, 'n', (n) => n.clear());
            model.delete(act.key);
          }
        }
        rescale(3);
        rescale(2);
        expect(keys.map((key) => get(now.of(key), key))).toEqual(keys.map((_, i) => model.get(i) ?? 0));
        expect(now.size).toBe(model.size);
      },
    ),
    { numRuns: effort(20, 150), interruptAfterTimeLimit: 60_000 },
  );
  expect(merges).toBeGreaterThan(effort(5, 50));
});

test('state that is never accessed survives any number of snapshots and rescalings, in few segments', () => {
  const store = createMemoryStore();
  let now = new Processes(store, 1);
  for (let key = 0; key < 50; key++) set(now.of(`untouched ${key}`), `untouched ${key}`, key);
  for (let round = 0; round < 20; round++) {
    now = new Processes(store, 1 + ((round * 5) % 8), now.checkpoint());
    for (let i = 0; i < 3; i++) {
      for (let key = 0; key < 8; key++) set(now.of(key), key, round);
      now.checkpoint();
    }
  }
  for (const bench of now.benches) expect(bench.backend.segments.length).toBeLessThan(20);
  for (let key = 0; key < 50; key++) expect(get(now.of(`untouched ${key}`), `untouched ${key}`)).toBe(key);
});

/** A segment of many blocks, in a store that counts. */
function large() {
  const { store, counts } = counting(createMemoryStore());
  const one = new Bench(store, specs);
  // Strings that Snappy cannot shrink.
  for (let key = 0; key < 8000; key++)
    one.with<string>(key, 'text', (t) => t.set(randomBytes(1100).toString('base64')));
  const { snapshot } = one.checkpoint();
  return { store, counts, snapshot };
}

describe('a range of key groups', () => {
  test('is read alone, and nothing is copied', () => {
    const { store, counts, snapshot } = large();
    const [segment] = segmentsOf(snapshot);
    const before = counts();
    new Bench(store, specs, {}, { keyGroups: { first: 64, last: 71 } }).restore(snapshot);
    const after = counts();
    expect(after.bytesDown - before.bytesDown).toBeLessThan(segment!.bytes / 8);
    expect(after.bytesUp).toBe(before.bytesUp);
  });

  test('refers only to segments that may have cells of it', () => {
    const store = createMemoryStore();
    const one = new Bench(store, specs, { cells: 20, cellsInBlock: 10 });
    for (let key = 0; key < 400; key++) set(one, key, key);
    const { snapshot = null } = one.checkpoint();
    const ends = segmentsOf(snapshot).map(({ object, first }) => ({ object, group: first?.[0] ?? 0 }));
    expect(ends.length).toBeGreaterThan(10);
    const seen = new Set<number>();
    for (let first = 0; first < 128; first += 5) {
      const keyGroups = { first, last: Math.min(127, first + 6) };
      const part = partOfState('op', [snapshot], keyGroups);
      // A group may begin in one segment and end in the next.
      const needed = ends.filter(
        ({ group }, i) => group <= keyGroups.last && (ends[i + 1]?.group ?? 128) >= first,
      );
      expect(part.objects).toEqual(needed.map(({ object }) => object));
      seen.add(part.objects.length);
      const bench = new Bench(store, specs, {}, { keyGroups }).restore(part.snapshot);
      for (let key = 0; key < 400; key++)
        if (groupOf(key) >= first && groupOf(key) <= keyGroups.last) expect(get(bench, key)).toBe(key);
    }
    expect(Math.max(...seen)).toBeLessThan(ends.length / 2);
  });

  test('is what merges keep: cells outside are dropped', () => {
    const store = createMemoryStore();
    const one = new Bench(store, specs);
    for (let key = 0; key < 400; key++) set(one, key, 1);
    const bench = new Bench(store, specs, {}, { keyGroups: { first: 0, last: 31 } });
    bench.restore(one.checkpoint().snapshot);
    const own = Array.from({ length: 400 }, (_, key) => key).filter((key) => groupOf(key) < 32);
    for (let i = 0; i < 3; i++) {
      set(bench, own[i]!, 2);
      bench.checkpoint();
    }
    expect(bench.backend.segments.map(({ cells }) => cells)).toEqual([own.length]);
  });

  test('rejects a record with a key outside, and says which', () => {
    const bench = new Bench(createMemoryStore(), specs, {}, { keyGroups: { first: 0, last: 63 } });
    set(bench, 42, 1); // In group 29.
    expect(() => get(bench, 'a')).toThrow(coded('KeyOutsideRange'));
    expect(() => get(bench, 'a')).toThrow(
      'Operator op got a record with key "a", which is in key group 81, and has the state of key groups 0 to 63 only. Send each record to the job that has its key group: keyGroupOf(key) returns the group of a key, and records(filter(…)) leaves others out.',
    );
  });

  const snapshots = (ranges: readonly KeyGroupRange[]): (Json | undefined)[] => {
    const store = createMemoryStore();
    return ranges.map((keyGroups) => new Bench(store, specs, {}, { keyGroups }).checkpoint().snapshot);
  };
  const restoring = (ranges: readonly KeyGroupRange[]) => () =>
    new Bench(createMemoryStore(), specs, {}, { keyGroups: { first: 10, last: 20 } }).restore(
      ...snapshots(ranges),
    );

  test('is restored from checkpoints in any order', () => {
    expect(
      restoring([
        { first: 15, last: 30 },
        { first: 0, last: 14 },
      ]),
    ).not.toThrow();
  });

  test.each<[string, KeyGroupRange[], string]>([
    ['nothing', [], 'no checkpoint has key groups 10 to 20'],
    [
      'a gap',
      [
        { first: 0, last: 14 },
        { first: 16, last: 30 },
      ],
      'no checkpoint has key group 15.',
    ],
    ['the end missing', [{ first: 0, last: 14 }], 'no checkpoint has key groups 15 to 20'],
    [
      'an overlap',
      [
        { first: 0, last: 14 },
        { first: 14, last: 30 },
      ],
      'two checkpoints have key group 14.',
    ],
    [
      'two of the same',
      [
        { first: 0, last: 127 },
        { first: 0, last: 127 },
      ],
      'key groups 10 to 20',
    ],
  ])('is not restored from checkpoints with %s', (_, ranges, message) => {
    expect(restoring(ranges)).toThrow(coded('StateSchemaMismatch'));
    expect(restoring(ranges)).toThrow(message);
  });

  test('is restored if other checkpoints overlap elsewhere', () => {
    expect(
      restoring([
        { first: 0, last: 9 },
        { first: 5, last: 9 },
        { first: 10, last: 127 },
      ]),
    ).not.toThrow();
  });
});

describe('processes at different declarations', () => {
  const half = (first: number, states: object, store: ObjectStore): Bench =>
    new Bench(store, states as never, {}, { keyGroups: { first, last: first + 63 } });

  test('a state that only one of them has is added; one that only one has renamed is one', () => {
    const store = createMemoryStore();
    const [low, high] = [42, 'a'] as const; // In groups 29 and 81.
    const old = new Bench(store, { n: valueState(0) });
    for (const key of [low, high]) set(old, key, 1);
    const { snapshot } = old.checkpoint();
    const renamed = { m: { ...valueState(0), formerly: 'n' }, b: valueState(5) };
    const first = half(0, renamed, store).restore(snapshot);
    const second = half(64, { n: valueState(0) }, store).restore(snapshot);
    const both = new Bench(store, renamed).restore(first.checkpoint().snapshot, second.checkpoint().snapshot);
    for (const key of [low, high]) {
      expect(both.with<number, number>(key, 'm', (m) => m.value)).toBe(1);
      expect(both.with<number, number>(key, 'b', (b) => b.value)).toBe(5);
    }
  });

  test('a state that one of them dropped and another kept is a mismatch', () => {
    const store = createMemoryStore();
    const old = new Bench(store, { n: valueState(0), x: valueState(0) });
    const { snapshot } = old.checkpoint();
    const dropping = new Bench(
      store,
      { n: valueState(0) },
      {},
      { keyGroups: { first: 0, last: 63 }, allowDropped: ['x'] },
    ).restore(snapshot);
    const keeping = half(64, { n: valueState(0), x: valueState(0) }, store).restore(snapshot);
    const parts = [dropping.checkpoint().snapshot, keeping.checkpoint().snapshot];
    expect(() => new Bench(store, { n: valueState(0), x: valueState(0) }).restore(...parts)).toThrow(
      coded('StateSchemaMismatch'),
    );
    const both = new Bench(store, { n: valueState(0) }, {}, { allowDropped: ['x'] });
    expect(() => both.restore(...parts)).not.toThrow();
  });
});
