import fc from 'fast-check';
import type { Observable } from 'rxjs';
import { defaultConfig } from '../../../src/config/service.js';
import type { Json } from '../../../src/flow/index.js';
import {
  aggregatingState,
  listState,
  mapState,
  reducingState,
  timers,
  valueState,
  type Key,
  type ListState,
  type MapState,
  type Serializer,
  type StateSpecs,
  type Timers,
  type ValueState,
} from '../../../src/state/index.js';
import { encodeKey, storedKey } from '../../../src/state/keys/keys.js';
import { entryName } from '../../../src/state/layout/entryName.js';
import { exportEntries } from '../../../src/state/layout/exportEntries.js';
import { importEntries, type Imported } from '../../../src/state/layout/importEntries.js';
import { parseSnapshot } from '../../../src/state/backend/snapshot.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import type { ObjectStore } from '../../../src/store/objectStore.js';
import { SimulatedClock } from '../../../src/testing/simulatedClock.js';
import { keyArbitrary, valueArbitrary } from '../arbitraries.js';
import { Bench, coded, dataOn, same } from '../harness.js';

const place = (store: ObjectStore) => ({ store, prefix: 'base/state/' });

function now<T>(clock: SimulatedClock, source: Observable<T>): T {
  let last: T | undefined;
  let failure: unknown;
  source.subscribe({ next: (value) => (last = value), error: (error: unknown) => (failure = error) });
  clock.run();
  if (failure !== undefined) throw failure as Error;
  return last as T;
}

function exported(
  store: ObjectStore,
  snapshot: Json | undefined,
  target: ObjectStore,
  more: { declared?: StateSpecs; compression?: boolean } = {},
): number {
  const clock = new SimulatedClock();
  return now(
    clock,
    exportEntries({
      operator: 'op',
      snapshot: parseSnapshot('op', snapshot ?? null, 128),
      data: dataOn(store),
      declared: {},
      to: place(target),
      extension: '.state',
      compression: true,
      clock,
      ...more,
    }),
  );
}

function imported(source: ObjectStore, store: ObjectStore): Imported {
  const clock = new SimulatedClock();
  return now(
    clock,
    importEntries({
      from: place(source),
      data: dataOn(store),
      files: defaultConfig().state,
      clock,
      random: () => 0.5,
    }),
  );
}

function keys(store: ObjectStore): readonly string[] {
  let all: readonly string[] = [];
  store.list({}).subscribe(({ objects }) => (all = objects.map(({ key }) => key)));
  return all;
}

/** Calls back with the handles for a key. */
function at<R>(bench: Bench, key: Key, work: (handles: never) => R): R {
  bench.backend.at(storedKey(key));
  const result = work(bench.backend.handles as never);
  bench.backend.leave();
  return result;
}

describe('the layout', () => {
  test('is an object for each key, state and namespace, by key group', () => {
    const [store, target] = [createMemoryStore(), createMemoryStore()];
    const bench = new Bench(store, { clicks: valueState(0), 'A/b': valueState(0) });
    at(bench, 'a', (h: { clicks: ValueState<number>; 'A/b': ValueState<number> }) => {
      h.clicks.set(1);
      h.clicks.in('w1').set(2);
      h['A/b'].set(3);
    });
    bench.with<number>('user-42', 'clicks', (n) => n.set(4));
    expect(exported(store, bench.checkpoint().snapshot, target)).toBe(4);
    expect(keys(target)).toEqual([
      'base/state/=41=2fb/81/=05=01a.state',
      'base/state/_export.json',
      'base/state/clicks/20/=05=07user-42.state',
      'base/state/clicks/81/=05=01a.=05=02w1.state',
      'base/state/clicks/81/=05=01a.state',
    ]);
  });

  test('has neither what was cleared nor states that were dropped', () => {
    const [store, target] = [createMemoryStore(), createMemoryStore()];
    const bench = new Bench(store, { n: valueState(0), old: valueState(0) });
    for (const name of ['n', 'old']) bench.with<number>('a', name, (n) => n.set(1));
    const next = new Bench(store, { n: valueState(0) }, {}, { allowDropped: ['old'] });
    next.restore(bench.checkpoint().snapshot);
    next.with<number>('b', 'n', (n) => n.set(1));
    next.with<number>('a', 'n', (n) => n.clear());
    expect(exported(store, next.checkpoint().snapshot, target)).toBe(1);
    expect(keys(target)).toHaveLength(2);
  });

  test('is not written over what is there', () => {
    const [store, target] = [createMemoryStore(), createMemoryStore()];
    const { snapshot } = new Bench(store, { n: valueState(0) }).checkpoint();
    exported(store, snapshot, target);
    expect(() => exported(store, snapshot, target)).toThrow(coded('ExportNotEmpty'));
  });
});

test('all kinds of state come back as they were, with keys and namespaces of any kind', () => {
  const sum = reducingState((a: number, b: number) => a + b);
  const mean = aggregatingState({
    create: () => [0, 0] as readonly number[],
    add: ([n = 0, total = 0]: readonly number[], value: number) => [n + 1, total + value],
    result: ([n = 0, total = 0]) => total / n,
  });
  const specs = {
    value: valueState<unknown>(null),
    list: listState<unknown>(),
    map: mapState<Key, unknown>(),
    sum,
    mean,
    timers: timers('event'),
  };
  type All = {
    value: ValueState<unknown>;
    list: ListState<unknown>;
    map: MapState<Key, unknown>;
    sum: { add(n: number): void; in(namespace: Key): { add(n: number): void } };
    mean: { add(n: number): void };
    timers: Timers;
  };
  const contents = (bench: Bench, key: Key, namespace: Key): unknown =>
    at(bench, key, (handles: Record<string, { in?: (namespace: Key) => unknown }>) =>
      Object.entries(specs).flatMap(([name, spec]) => {
        const of = (handle: unknown): unknown => {
          const held = (spec.contents as (handle: unknown) => unknown)(handle);
          // Timers are in no particular order.
          return name === 'timers' ? (held as { at: number }[]).toSorted((a, b) => a.at - b.at) : held;
        };
        return [of(handles[name]), of(handles[name]?.in?.(namespace) ?? handles[name])];
      }),
    );
  const key = fc.oneof(keyArbitrary, fc.string({ minLength: 300, maxLength: 2000, unit: 'binary' }));
  const value = valueArbitrary.filter((each) => {
    try {
      new Bench(createMemoryStore(), specs).with<unknown>('k', 'value', (v) => v.set(each));
      return true;
    } catch {
      return false;
    }
  });
  fc.assert(
    fc.property(
      fc.uniqueArray(key, {
        minLength: 1,
        maxLength: 6,
        selector: (each) => Buffer.from(encodeKey(storedKey(each))).toString('hex'),
      }),
      key,
      fc.array(value, { minLength: 1, maxLength: 4 }),
      fc.boolean(),
      (all, namespace, values, compression) => {
        const [store, target, other] = [createMemoryStore(), createMemoryStore(), createMemoryStore()];
        const bench = new Bench(store, specs);
        let snapshot: Json | undefined;
        values.forEach((each, round) => {
          for (const one of all) {
            at(bench, one, ({ value: v, list, map, sum: s, mean: m, timers: t }: All) => {
              v.in(namespace).set(each);
              if (round % 2 === 0) v.set(each);
              list.append(each, each);
              map.set(round, each);
              map.in(namespace).set(one, each);
              s.add(round);
              s.in(namespace).add(1);
              m.add(round);
              t.set(round, namespace);
              t.set(1000 + round);
            });
          }
          try {
            ({ snapshot } = bench.checkpoint());
          } catch {
            fc.pre(false); // Arrays and objects are checked only now.
          }
        });
        exported(store, snapshot, target, { declared: specs, compression });
        const { snapshot: again } = imported(target, other);
        const restored = new Bench(other, specs).restore(again);
        const before = new Bench(store, specs).restore(snapshot);
        for (const one of all)
          expect(same(contents(restored, one, namespace), contents(before, one, namespace))).toBe(true);
        for (const name of keys(target)) expect(Buffer.byteLength(name)).toBeLessThan(512);
      },
    ),
    { numRuns: 30, interruptAfterTimeLimit: 60_000 },
  );
});

test('names are injective, also where case is ignored, and safe on S3', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.tuple(fc.string({ unit: 'binary' }), keyArbitrary, fc.oneof(fc.constant(undefined), keyArbitrary)),
        {
          minLength: 2,
        },
      ),
      (entries) => {
        const names = new Map<string, string>();
        for (const [state, key, space] of entries) {
          const namespace = space === undefined ? Buffer.alloc(0) : encodeKey(storedKey(space));
          const encoded = Buffer.from(encodeKey(storedKey(key)));
          const id = JSON.stringify([state, encoded.toString('hex'), Buffer.from(namespace).toString('hex')]);
          const name = entryName(state, storedKey(key), namespace, 128);
          expect(name).toMatch(/^[a-z0-9_=-]{1,207}\/\d{1,3}\/[a-z0-9_=.-]{1,207}$/);
          expect(names.get(name) ?? id).toBe(id);
          names.set(name, id);
        }
      },
    ),
    { numRuns: 500 },
  );
  const name = (key: Key): string => entryName('n', storedKey(key), Buffer.alloc(0), 128);
  expect(new Set(['a', 'A', 'a/b', '../a', 'a b', 1, '1', '=41'].map(name)).size).toBe(8);
  expect(name('x'.repeat(5000))).toMatch(/^n\/\d+\/=sha256-[0-9a-f]{64}$/);
  expect(name('x'.repeat(5000))).not.toBe(name('x'.repeat(5001)));
});

describe('states with a custom serializer', () => {
  const text = (version: number): Serializer<string> => ({
    id: 'text',
    version,
    encode: (value) => Buffer.from(`${version}${value}`),
    decode: (bytes, wrote) => {
      const all = Buffer.from(bytes).toString();
      if (!all.startsWith(String(wrote))) throw new Error('another version wrote this');
      return all.slice(1);
    },
  });
  const declared = (version: number) => ({ t: valueState('', { serializer: text(version) }) });

  test('need their declaration, and are exported in its version', () => {
    const [store, target, other] = [createMemoryStore(), createMemoryStore(), createMemoryStore()];
    const bench = new Bench(store, declared(1));
    bench.with<string>('a', 't', (t) => t.set('x'));
    const { snapshot } = bench.checkpoint();
    expect(() => exported(store, snapshot, target)).toThrow(coded('SerializerMissing'));
    expect(keys(target)).toEqual([]);
    exported(store, snapshot, target, { declared: declared(2) });
    const { snapshot: again } = imported(target, other);
    expect(() => new Bench(other, declared(1)).restore(again)).toThrow(coded('StateSchemaMismatch'));
    const restored = new Bench(other, declared(2)).restore(again);
    expect(restored.with<string, string>('a', 't', (t) => t.value)).toBe('x');
  });
});

describe('an export', () => {
  const target = (): ObjectStore => {
    const [store, to] = [createMemoryStore(), createMemoryStore()];
    const bench = new Bench(store, { n: valueState(0), unused: valueState(0) });
    for (const key of ['a', 'b', 'c']) bench.with<number>(key, 'n', (n) => n.set(1));
    exported(store, bench.checkpoint().snapshot, to);
    return to;
  };

  test('without its summary, or with an object missing, is incomplete', () => {
    for (const name of ['_export.json', 'n/81/=05=01a.state']) {
      const store = target();
      store.delete([`base/state/${name}`]).subscribe();
      expect(() => imported(store, createMemoryStore())).toThrow(coded('ExportIncomplete'));
    }
  });

  test('with any byte of an object flipped, or an object under another name, is corrupt', () => {
    const read = (store: ObjectStore, key: string): Buffer => {
      let bytes = Buffer.alloc(0);
      store.get(key).subscribe(({ chunks }) => (bytes = Buffer.concat(chunks)));
      return bytes;
    };
    const key = 'base/state/n/81/=05=01a.state';
    const { length } = read(target(), key);
    for (let i = 0; i < length; i++) {
      const store = target();
      const bytes = Buffer.from(read(store, key));
      bytes[i] = bytes[i]! ^ 1;
      store.put(key, bytes).subscribe();
      expect(() => imported(store, createMemoryStore())).toThrow(coded('EntryCorrupt'));
      expect(() => imported(store, createMemoryStore())).toThrow(key);
    }
    const store = target();
    store.put(key.replace('01a', '01d'), read(store, key)).subscribe();
    expect(() => imported(store, createMemoryStore())).toThrow(coded('EntryCorrupt'));
  });

  test('of no entries has its states', () => {
    const [store, to, other] = [createMemoryStore(), createMemoryStore(), createMemoryStore()];
    expect(exported(store, new Bench(store, { n: valueState(0) }).checkpoint().snapshot, to)).toBe(0);
    const { snapshot, objects } = imported(to, other);
    expect(objects).toEqual([]);
    expect(() => new Bench(other, { n: valueState(0) }).restore(snapshot)).not.toThrow();
  });
});
