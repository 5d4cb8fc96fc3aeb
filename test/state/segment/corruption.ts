import { isDeepStrictEqual } from 'node:util';
import { toArray, type Observable } from 'rxjs';
import {
  aggregatingState,
  listState,
  mapState,
  parseSnapshot,
  reducingState,
  storedKey,
  StateError,
  StoredState,
  timers,
  valueState,
  type Handles,
  type Key,
} from '../../../src/state/index.js';
import { noPath } from '../../../src/state/cells.js';
import { decodeFooter } from '../../../src/state/segment/footer.js';
import { decodePage, decodeRoot, type Stretch } from '../../../src/state/segment/blockIndex.js';
import type { BlockInfo } from '../../../src/state/segment/format.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import { Bench, coded, dataOn, segmentsOf } from '../harness.js';

const specs = {
  all: aggregatingState({
    create: (): readonly number[] => [],
    add: (numbers, n: number) => [...numbers, n],
    result: (numbers) => numbers,
  }),
  due: timers('event'),
  highest: reducingState((a: number, b: number) => Math.max(a, b)),
  list: listState<number>(),
  map: mapState<string, string>(),
  n: valueState<unknown>(null),
};
type Name = keyof typeof specs;
const names = Object.keys(specs) as Name[];
const keys: readonly Key[] = ['a', 7, ['c', 1]];
const missing = ['e', 8];

/** A verified part of a segment. */
interface Part {
  readonly what: 'header' | 'block' | 'filter' | 'page' | 'root' | 'footer';
  readonly start: number;
  readonly end: number;
}

/** The parts of a segment, which are all of its bytes. */
function partsOf(bytes: Buffer): readonly Part[] {
  const footer = decodeFooter('', bytes, bytes.length);
  const { root } = footer;
  const cut = ({ offset, length }: Pick<Stretch, 'offset' | 'length'>): Buffer =>
    bytes.subarray(offset, offset + length);
  const part = (
    what: Part['what'],
    { offset, length }: Pick<Stretch | BlockInfo, 'offset' | 'length'>,
  ): Part => ({
    what,
    start: offset,
    end: offset + length,
  });
  const { pages } = decodeRoot('', footer, cut(root));
  const decoded = pages.map((page) => decodePage('', page, cut(page)));
  const end = root.offset + root.length;
  return [
    { what: 'header', start: 0, end: 8 },
    ...decoded.flatMap(({ blocks }) => blocks.map((block) => part('block', block))),
    ...decoded.flatMap(({ filters }) => filters.map((filter) => part('filter', filter))),
    ...pages.map((page) => part('page', page)),
    part('root', root),
    { what: 'footer', start: end, end: bytes.length },
  ];
}

function result<T>(source: Observable<T>, of: Bench): T {
  let last: T | undefined;
  let failure: unknown;
  source.subscribe({ next: (value) => (last = value), error: (error: unknown) => (failure = error) });
  of.clock.run();
  if (failure !== undefined) throw failure as Error;
  return last as T;
}

/** A small state of all kinds in three runs, with values, operands and tombstones in each part of a segment. */
function written(compression: boolean) {
  const store = createMemoryStore();
  const most = { blocksInPage: 2, cellsInBlock: 6 };
  const bench = new Bench(store, specs, most, { compression });
  const change = (key: Key, work: (handles: Handles<typeof specs>) => void): void => {
    bench.backend.at(storedKey(key));
    work(bench.backend.handles as Handles<typeof specs>);
    bench.backend.leave();
  };
  let snapshot: unknown;
  for (const run of [1, 2, 3]) {
    for (const key of keys)
      change(key, ({ all, due, highest, list, map, n }) => {
        all.add(run);
        due.set(run);
        highest.in('w').add(run);
        list.append(run, run);
        if (run === 2) map.delete('x');
        else map.set('x', 'twelve times '.repeat(4));
        n.set({ run, key: 'twelve times '.repeat(4) });
      });
    change('a', ({ n }) => {
      n.clear();
    });
    ({ snapshot } = bench.checkpoint());
  }
  const segments = segmentsOf(snapshot).map(({ object }) => {
    const key = `checkpoints/job/${object}`;
    const bytes = Buffer.concat(result(store.get(key), bench).chunks);
    return { object, key, bytes, parts: partsOf(bytes) };
  });

  const restored = (): unknown => {
    const again = new Bench(store, specs).restore(snapshot as never);
    return keys.map((key) => {
      again.backend.at(storedKey(key));
      const { all, due, highest, list, map, n } = again.backend.handles as Handles<typeof specs>;
      const held = [all.value, due.pending(), highest.in('w').value, [...list], [...map], n.value];
      again.backend.leave();
      return held;
    });
  };
  const opened = (): StoredState =>
    new StoredState({
      operator: 'op',
      snapshot: parseSnapshot('op', snapshot as never),
      data: dataOn(store),
      declared: specs,
    });
  /** Reads of single keys, which share what they have read of segments. */
  const points = (): readonly (() => unknown)[] => {
    const state = opened();
    const of = [...keys, ...missing];
    return names.flatMap((name, i) =>
      [0, 1, 3].map((n) => {
        const key = storedKey(of[(i + n) % of.length] ?? '');
        return () => result(state.get(name, key, noPath.namespace), bench);
      }),
    );
  };
  const entries = (name: Name): unknown =>
    result(opened().entries(name, { clock: bench.clock }).pipe(toArray()), bench);
  return { store, bench, segments, restored, points, opened, entries };
}

type Segment = ReturnType<typeof written>['segments'][number];

/** Whether changes of segments are detected. Only one of `thin` bytes and lengths is tried. */
export function corruptionIsDetected({ thin }: { readonly thin: number }): void {
  describe.each([true, false])('a state of several segments, compressed: %s', (compression) => {
    const { store, bench, segments, restored, points, opened, entries } = written(compression);
    /** Of a map, whose entries may be in any segment. */
    const point = (): readonly (() => unknown)[] => [
      () => result(opened().get('map', 'a', noPath.namespace), bench),
    ];
    const walk = (): readonly (() => unknown)[] => [() => entries('list')];
    const restore = (): readonly (() => unknown)[] => [restored];
    const right = new Map(
      [points, point, walk, restore].map((reads) => [reads, reads().map((read) => read())] as const),
    );

    /** Whether one of the reads detects other bytes of a segment. Fails if one has another result. */
    const detects = (reads: typeof points, { key, object, bytes }: Segment, bad: Uint8Array): boolean => {
      store.put(key, bad).subscribe();
      const detected = reads().filter((read, i) => {
        try {
          const found = read();
          if (!isDeepStrictEqual(found, right.get(reads)?.[i])) expect(found).toEqual(right.get(reads)?.[i]);
          return false;
        } catch (error) {
          if (
            error instanceof StateError &&
            error.code === 'SegmentCorrupt' &&
            error.message.includes(object)
          )
            return true;
          throw error;
        }
      });
      store.put(key, bytes).subscribe();
      return detected.length > 0;
    };
    const flipped = (bytes: Buffer, at: number, bits: number): Buffer => {
      const bad = Buffer.from(bytes);
      bad[at] = (bad[at] ?? 0) ^ bits;
      return bad;
    };

    test('has all parts that there are, of all kinds', () => {
      expect(segments).toHaveLength(3);
      for (const { bytes, parts } of segments) {
        const count = (wanted: Part['what']): number => parts.filter(({ what }) => what === wanted).length;
        expect(parts.map(({ start }) => start)).toEqual([0, ...parts.slice(0, -1).map(({ end }) => end)]);
        expect(parts.at(-1)?.end).toBe(bytes.length);
        expect(count('page')).toBeGreaterThan(1);
        expect(count('block')).toBeGreaterThan(2);
        expect(count('filter')).toBe(count('block'));
        const codecs = parts.filter(({ what }) => what === 'block').map(({ start }) => bytes[start]);
        expect(new Set(codecs)).toEqual(new Set([Number(compression)]));
      }
    });

    /** The parts of bytes that, flipped, the reads do not detect. */
    const undetected = (readsOf: (what: Part['what']) => typeof points): readonly string[] =>
      segments.flatMap((segment) =>
        segment.parts.flatMap(({ what, start, end }) =>
          Array.from({ length: end - start }, (_, i) => start + i)
            .filter((at) => at % thin === 0)
            .filter((at) => !detects(readsOf(what), segment, flipped(segment.bytes, at, 1 << (at % 8))))
            .map((at) => `${what} of ${segment.object} at ${at}`),
        ),
      );
    const filters = segments.flatMap(({ object, parts }) =>
      parts
        .filter(({ what }) => what === 'filter')
        .flatMap(({ start, end }) =>
          Array.from({ length: end - start }, (_, i) => start + i)
            .filter((at) => at % thin === 0)
            .map((at) => `filter of ${object} at ${at}`),
        ),
    );

    test('a restore detects any flipped byte of all that it reads: filters are not', () => {
      expect(undetected(() => restore)).toEqual(filters);
    });

    test('reads of single keys detect any flipped byte', () => {
      // Every read begins with header, root and footer.
      const first: readonly Part['what'][] = ['header', 'root', 'footer'];
      expect(undetected((what) => (first.includes(what) ? point : points))).toEqual([]);
    });

    test('a walk through all entries detects any flipped byte of all that it reads: filters are not', () => {
      expect(undetected(() => walk)).toEqual(filters);
    });

    test('all detect any truncation, and bytes that were appended', () => {
      for (const segment of segments) {
        const { bytes } = segment;
        const lengths = Array.from({ length: bytes.length }, (_, length) => length).filter(
          (length) => length % thin === 0,
        );
        for (const reads of [restore, point, walk]) {
          expect(lengths.filter((length) => !detects(reads, segment, bytes.subarray(0, length)))).toEqual([]);
          expect(detects(reads, segment, Buffer.concat([bytes, Buffer.of(0)]))).toBe(true);
          expect(detects(reads, segment, Buffer.concat([bytes, bytes]))).toBe(true);
        }
      }
    });

    test('all detect another segment in the place of one', () => {
      for (const segment of segments)
        for (const other of segments)
          if (other !== segment)
            for (const reads of [restore, points, walk])
              expect(detects(reads, segment, other.bytes)).toBe(true);
    });

    test('all detect parts of the same length that changed places', () => {
      let swaps = 0;
      for (const segment of segments)
        for (const a of segment.parts)
          for (const b of segment.parts) {
            if (a.what !== b.what || a.start >= b.start || a.end - a.start !== b.end - b.start) continue;
            const bad = Buffer.from(segment.bytes);
            segment.bytes.copy(bad, a.start, b.start, b.end);
            segment.bytes.copy(bad, b.start, a.start, a.end);
            if (bad.equals(segment.bytes)) continue;
            swaps++;
            expect(detects(points, segment, bad)).toBe(true);
            for (const reads of [restore, walk])
              expect(detects(reads, segment, bad)).toBe(a.what !== 'filter');
          }
      expect(swaps).toBeGreaterThan(2);
    });
  });

  test('two segments of one size, one in the place of the other', () => {
    const store = createMemoryStore();
    const bench = new Bench(store, { n: valueState('') });
    const segment = (value: string) => {
      bench.with<string>('k', 'n', (n) => n.set(value));
      const { snapshot } = bench.checkpoint();
      const { object } = segmentsOf(snapshot).at(-1)!;
      const key = `checkpoints/job/${object}`;
      return { snapshot, object, key, bytes: Buffer.concat(result(store.get(key), bench).chunks) };
    };
    const [first, second] = [segment('first'), segment('again')];
    expect(first.bytes).toHaveLength(second.bytes.length);
    store.put(first.key, second.bytes).subscribe();
    store.put(second.key, first.bytes).subscribe();
    const restored = (): Bench => new Bench(store, { n: valueState('') }).restore(second.snapshot);
    expect(restored).toThrow(coded('SegmentCorrupt'));
    expect(restored).toThrow(first.object);
  });
}
