import { toArray, type Observable } from 'rxjs';
import { valueState } from '../../../src/state/index.js';
import { absent, comparePaths, noPath, type CellContent } from '../../../src/state/cells.js';
import { Namespace } from '../../../src/state/keys/keyMap.js';
import { storedKey, type Key } from '../../../src/state/keys/keys.js';
import { PointReader } from '../../../src/state/segment/pointReader.js';
import { counting } from '../../../src/store/decorators/counting.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import { Bench, dataOn, segmentsOf } from '../harness.js';
import { mapState, type MapState } from '../../../src/state/kinds/index.js';

function now<T>(source: Observable<T>): T | undefined {
  let last: T | undefined;
  let failure: unknown;
  source.subscribe({ next: (value) => (last = value), error: (error: unknown) => (failure = error) });
  if (failure !== undefined) throw failure as Error;
  return last;
}

function written(count: number, key: (i: number) => Key = (i) => `key-${i}`, blocksInPage = 128) {
  const memory = createMemoryStore();
  const bench = new Bench(memory, { n: valueState<unknown>(0), other: valueState(0) }, { blocksInPage });
  for (let i = 0; i < count; i++) bench.with<unknown>(key(i), 'n', (n) => n.set(i));
  bench.with<unknown>(key(7), 'n', (n) => n.clear());
  const [ref] = segmentsOf(bench.checkpoint().snapshot);
  const { store, counts } = counting(memory);
  const reader = new PointReader(dataOn(store), ref!);
  const get = (at: Key, state = 0): { content: CellContent } | undefined =>
    now(reader.get({ key: storedKey(at), state, path: noPath }));
  return { memory, ref: ref!, reader, get, counts };
}

describe('a point read', () => {
  test.each([128, 2])('finds every cell, tombstones too, and no other, with %i blocks a page', (inPage) => {
    const { reader, get } = written(20_000, undefined, inPage);
    expect(now(reader.footer())?.schema.states.map(({ id }) => id)).toEqual(['n', 'other']);
    for (let i = 0; i < 20_000; i += 97) expect(get(`key-${i}`)).toMatchObject({ content: i });
    expect(get('key-7')).toMatchObject({ content: absent });
    expect(get('key-97', 1)).toBeUndefined();
    expect(get('key-20000')).toBeUndefined();
  });

  test('distinguishes the states of a key', () => {
    const memory = createMemoryStore();
    const bench = new Bench(memory, { n: valueState(0), other: valueState(0) });
    bench.with<number>('k', 'n', (n) => n.set(1));
    bench.with<number>('k', 'other', (other) => other.set(2));
    const [ref] = segmentsOf(bench.checkpoint().snapshot);
    const reader = new PointReader(dataOn(memory), ref!);
    const get = (state: number) => now(reader.get({ key: 'k', state, path: noPath }));
    expect([get(0), get(1)]).toMatchObject([{ content: 1 }, { content: 2 }]);
  });

  test('reads the end of the segment once, then a filter and a block; for absent cells hardly ever a block', () => {
    const { get, counts, ref } = written(200_000);
    expect(ref.bytes).toBeGreaterThan(1_500_000);
    get('key-5');
    const opened = counts();
    expect(opened.bytesDown).toBeLessThan(3 * 16 * 1024 + 64 * 1024);
    for (let i = 0; i < 50; i++) get(`key-${i * 3001}`);
    const found = counts();
    expect((found.bytesDown - opened.bytesDown) / 50).toBeLessThan(80 * 1024);
    expect((found.requests.get ?? 0) - (opened.requests.get ?? 0)).toBeLessThanOrEqual(100);
    for (let i = 0; i < 200; i++) get(`none-${i}`);
    const missed = counts();
    // A filter has 10 bits for each of a block's cells.
    expect((missed.bytesDown - found.bytesDown) / 200).toBeLessThan(14 * 1024);
    expect((missed.requests.get ?? 0) - (found.requests.get ?? 0)).toBeLessThanOrEqual(220);
  });

  test.each([128, 2])('finds keys that are too long for the index, with %i blocks a page', (inPage) => {
    const { get } = written(300, (i) => ['x'.repeat(2000), i], inPage);
    for (let i = 8; i < 300; i += 29) expect(get(['x'.repeat(2000), i])).toMatchObject({ content: i });
    expect(get(['x'.repeat(2000), 300])).toBeUndefined();
  });

  test('reads a page of the index once, and hardly more of a large index', () => {
    const { reader, get, counts, ref } = written(300, (i) => `${'x'.repeat(20_000)} ${i}`, 4);
    expect(now(reader.footer())?.root.length).toBeGreaterThan(500);
    get(`${'x'.repeat(20_000)} 5`);
    const opened = counts();
    get(`${'x'.repeat(20_000)} 5`);
    const requests = (counts().requests.get ?? 0) - (opened.requests.get ?? 0);
    expect(requests).toBeLessThanOrEqual(2);
    expect(ref.first).toEqual([expect.any(Number), expect.any(Number)]);
  });

  test.each([128, 2])(
    'finds all cells of a key, a state and a namespace, in order, %i blocks a page',
    (inPage) => {
      const memory = createMemoryStore();
      const states = { before: valueState(''), map: mapState<number, string>(), then: valueState('') };
      const bench = new Bench(memory, states, { blocksInPage: inPage });
      const { map } = bench.backend.handles as unknown as { readonly map: MapState<number, string> };
      const big = 'x'.repeat(500);
      for (const key of ['a', 'b', 'long '.repeat(100)]) {
        for (const name of ['before', 'then']) bench.with<string>(key, name, (n) => n.set(big));
        bench.backend.at(key);
        for (const space of ['', 'w1', 'w2'])
          for (let i = 0; i < 1000; i++) map.in(space).set(i, `${key} ${space} ${i} ${big}`);
      }
      bench.backend.leave();
      const [ref] = segmentsOf(bench.checkpoint().snapshot);
      const reader = new PointReader(dataOn(memory), ref!);
      for (const key of ['a', 'b', 'long '.repeat(100)]) {
        for (const space of ['', 'w1', 'w2']) {
          const found = now(reader.all(key, 1, Namespace.of(space).bytes).pipe(toArray()))!;
          expect(found.map(({ content }) => content)).toEqual(
            Array.from({ length: 1000 }, (_, i) => `${key} ${space} ${i} ${big}`),
          );
          expect(found.map(({ path }) => path)).toEqual(found.map(({ path }) => path).toSorted(comparePaths));
        }
      }
      expect(now(reader.all('c', 1, noPath.namespace))).toBeUndefined();
      expect(now(reader.all('a', 1, Namespace.of('w3').bytes))).toBeUndefined();
    },
  );
});
