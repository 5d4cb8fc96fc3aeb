import fc from 'fast-check';
import {
  concatMap,
  defer,
  finalize,
  NEVER,
  Subject,
  take,
  VirtualTimeScheduler,
  type Observable,
} from 'rxjs';
import { clockOf, type Json } from '../../src/flow/index.js';
import { headBytes } from '../../src/formats/recognise.js';
import { ndjson } from '../../src/formats/ndjson.js';
import type { Reader } from '../../src/formats/reader.js';
import { text } from '../../src/formats/text.js';
import { mostObjects } from '../../src/sources/filesPosition.js';
import { files, type FilesOptions } from '../../src/sources/files.js';
import type { SourceReader } from '../../src/sources/source.js';
import { decorate } from '../../src/store/decorators/decorate.js';
import { StoreError } from '../../src/store/errors.js';
import type { ObjectStore } from '../../src/store/objectStore.js';
import { compressed, compressions } from '../formats/compress.js';
import { effort } from '../support/effort.js';
import { attemptOver, memoryWith, readAll, slicedFiles, type Reading, outputTo } from './harness.js';

/** The content of objects, by key: each line names its object. */
const linesOf = (key: string, count: number): string[] =>
  Array.from({ length: count }, (_, n) => `${key}:${n}`);
const bodyOf = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('');
const objectOf = (line: string): string => line.slice(0, line.indexOf(':'));
const through = (json: Json): Json => JSON.parse(JSON.stringify(json)) as Json;

/** The lines of each object, in the order in which they came. */
function byObject(lines: readonly string[]): Record<string, string[]> {
  const objects: Record<string, string[]> = {};
  for (const line of lines) (objects[objectOf(line)] ??= []).push(line);
  return objects;
}

/** Answers requests for input later, and in another order. */
function unordered(store: ObjectStore, delays: readonly number[]): ObjectStore {
  let asked = 0;
  return decorate(store, (call, run) => {
    const turns = call.method === 'get' ? (delays[asked++ % delays.length] ?? 0) : 0;
    if (turns === 0) return run;
    return defer(async () => {
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    }).pipe(concatMap(() => run));
  });
}

interface StoredObjects {
  readonly version: number;
  readonly object?: { readonly key: string };
  readonly objects?: readonly { readonly key: string; readonly root: number; readonly offset: number }[];
}
const storedOf = (position: Json): StoredObjects => position as unknown as StoredObjects;
const openIn = (position: Json): readonly string[] => {
  const { object, objects } = storedOf(position);
  return (objects ?? (object === undefined ? [] : [object])).map(({ key }) => key);
};

describe('objects in parallel: positions', () => {
  const stored = fc.record({
    lines: fc.nat(7),
    folder: fc.constantFrom('a', 'b'),
    codec: fc.constantFrom(undefined, undefined, ...compressions),
    cuts: fc.array(fc.nat(100), { maxLength: 2 }),
  });
  const run = fc.record({
    parallelism: fc.integer({ min: 1, max: 4 }),
    fragment: fc.integer({ min: 1, max: 40 }),
    window: fc.integer({ min: 1, max: 4 }),
    delays: fc.array(fc.nat(6), { minLength: 1, maxLength: 5 }),
  });

  it('a crash at every record and fragment gives all records, those of an object in order, whatever the parallelism before and after', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(stored, { minLength: 1, maxLength: 6 }),
        run,
        run,
        fc.nat(),
        async (objects, first, second, pick) => {
          const named = objects.map(({ folder, codec, ...each }, n) => ({
            ...each,
            codec,
            key: `${folder}/${n}${codec === undefined ? '' : `.${codec.extension}`}`,
          }));
          const expected = named.flatMap(({ key, lines }) => linesOf(key, lines));
          const store = memoryWith(
            Object.fromEntries(
              named.map(({ key, lines, codec, cuts }) => {
                const content = Buffer.from(bodyOf(linesOf(key, lines)));
                return [key, codec === undefined ? content : compressed(codec, content, cuts)];
              }),
            ),
          );
          const read = (
            { parallelism, fragment, window, delays }: typeof first,
            position?: Json,
          ): Promise<Reading<string>> =>
            readAll(
              slicedFiles(
                ['memory://lake/a/', 'memory://lake/b/'],
                { format: text(), parallelism, allowEmpty: true, prefetch: { fragment, window } },
                1,
              ),
              unordered(store, delays),
              position,
            );
          const whole = await read(first);
          expect(whole.error).toBeUndefined();
          expect(byObject(whole.records)).toEqual(byObject(expected));
          for (const cut of new Map(whole.positions.map((each) => [JSON.stringify(each), each])).values()) {
            const position = through(cut.position);
            expect(openIn(position).length).toBeLessThanOrEqual(first.parallelism);
            if (first.parallelism === 1) expect(storedOf(position).version).toBe(1);
            const rest = await read(second, position);
            expect(rest.error).toBeUndefined();
            expect(byObject([...whole.records.slice(0, cut.records), ...rest.records])).toEqual(
              byObject(expected),
            );
            expect(rest.positions[0]!.position).toEqual(position);
            for (const each of rest.positions)
              expect(openIn(each.position).length).toBeLessThanOrEqual(
                Math.max(second.parallelism, openIn(position).length),
              );
            // A crash of the resumed run, too.
            const again = rest.positions[pick % rest.positions.length]!;
            const last = await read(first, through(again.position));
            expect(
              byObject([
                ...whole.records.slice(0, cut.records),
                ...rest.records.slice(0, again.records),
                ...last.records,
              ]),
            ).toEqual(byObject(expected));
            // Read to its end, the position is that of one object after the other.
            expect(rest.positions.at(-1)!.position).toEqual(whole.positions.at(-1)!.position);
          }
        },
      ),
      { numRuns: effort(5, 150) },
    );
  });

  const store = memoryWith(
    Object.fromEntries(['1', '2', '3', '4'].map((key) => [key, bodyOf(linesOf(key, 3))])),
  );
  const reading = (options: Partial<FilesOptions<string>>, position?: Json): Promise<Reading<string>> =>
    readAll(slicedFiles('memory://lake/', { format: text(), ...options }, 1), store, position);

  it('take turns, a slice each', async () => {
    const { records } = await reading({ parallelism: 2 });
    expect(records).toEqual([
      '1:0',
      '2:0',
      '1:1',
      '2:1',
      '1:2',
      '2:2',
      '3:0',
      '4:0',
      '3:1',
      '4:1',
      '3:2',
      '4:2',
    ]);
  });

  it('those that are open are finished in their order before any other, however few at a time', async () => {
    const { positions } = await reading({ parallelism: 3 });
    const { position, records } = positions.find((each) => each.records === 4)!;
    expect(storedOf(position)).toMatchObject({
      version: 2,
      objects: [
        { root: 0, key: '1' },
        { root: 0, key: '2' },
        { root: 0, key: '3' },
      ],
    });
    const rest = await reading({ parallelism: 1 }, position);
    expect(records).toBe(4);
    expect(rest.records).toEqual(['1:2', '2:1', '2:2', '3:1', '3:2', '4:0', '4:1', '4:2']);
    // From then on, it is a position that earlier versions read.
    expect(storedOf(rest.positions.find((each) => each.records === 6)!.position)).toMatchObject({
      version: 1,
      object: { key: '4' },
    });
  });

  const forged = async (
    change: (position: { objects: Record<string, unknown>[]; discovery: Record<string, unknown> }) => unknown,
  ): Promise<unknown> => {
    const { positions } = await reading({ parallelism: 2 });
    const position = through(positions.find((each) => each.records === 2)!.position);
    change(position as never);
    return reading({ parallelism: 2 }, position).then(
      ({ error }) => error,
      (error: unknown) => error,
    );
  };

  it.each<[string, Parameters<typeof forged>[0]]>([
    ['one object twice', ({ objects }) => objects.push({ ...objects[0] })],
    [
      'an object after the place where the listing continues',
      ({ objects }) => Object.assign(objects[0]!, { key: '3' }),
    ],
    ['an object of no URI', ({ objects }) => Object.assign(objects[0]!, { root: 7 })],
    ['an object without a URI', ({ objects }) => delete objects[0]!['root']],
    [
      'an object and the end of the input',
      (p) => Object.assign(p, { discovery: { kind: 'listed', version: 1, root: 1, last: '4' } }),
    ],
    ['an object and no place to continue', ({ discovery }) => delete discovery['after']],
    ['an object that is none', ({ objects }) => objects.push({ key: '2' })],
    [
      'more objects than can be open',
      ({ objects }) =>
        objects.push(...Array.from({ length: mostObjects }, (_, n) => ({ ...objects[0], key: `0${n}` }))),
    ],
  ])('with %s is BadPosition', async (_what, change) => {
    expect(await forged(change)).toMatchObject({ code: 'BadPosition', retryable: false });
  });

  it('with an object of another source is ForeignName, and nothing is requested', async () => {
    const { positions } = await readAll(
      slicedFiles('memory://lake/?', { format: text(), parallelism: 2 }, 1),
      store,
    );
    const position = through(positions.find((each) => each.records === 2)!.position);
    Object.assign((position as { objects: object[] }).objects[1]!, { key: '22' });
    let requested = 0;
    const watched = decorate(store, (_call, request) => {
      requested++;
      return request;
    });
    const source = slicedFiles('memory://lake/?', { format: text(), parallelism: 2 }, 1);
    await expect(readAll(source, watched, position)).rejects.toMatchObject({ code: 'ForeignName' });
    expect(requested).toBe(0);
  });

  it('malformed records are skipped, counted and located in their objects', async () => {
    const bad = memoryWith({ a: '1\n?\n2\n?\n', b: '3\n4\n?\n5\n' });
    const source = slicedFiles(
      'memory://lake/',
      { format: ndjson<number>(), parallelism: 2, onMalformed: 'skip' },
      1,
    );
    const { records, positions, attempt } = await readAll(source, bad);
    expect([...records].sort()).toEqual([1, 2, 3, 4, 5]);
    expect(positions.at(-1)!.position).toMatchObject({ skipped: 3 });
    const places = attempt.trace.map((each) => each.type === 'report' && each.event);
    expect(places).toMatchObject(
      expect.arrayContaining([
        expect.objectContaining({ object: 'memory://lake/a', line: 2 }),
        expect.objectContaining({ object: 'memory://lake/b', line: 3 }),
        expect.objectContaining({ object: 'memory://lake/a', line: 4 }),
      ]) as unknown[],
    );
    for (const { position, records: before } of positions) {
      const rest = await readAll(source, bad, through(position));
      expect([...records.slice(0, before), ...rest.records].sort()).toEqual([1, 2, 3, 4, 5]);
      expect(rest.positions.at(-1)!.position).toMatchObject({ skipped: 3 });
    }
  });
});

describe('objects in parallel: memory', () => {
  it('never holds more than the budget, and for each open object a fragment and a carry-over', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          parallelism: fc.integer({ min: 1, max: 4 }),
          fragment: fc.integer({ min: 100, max: 2000 }),
          window: fc.integer({ min: 1, max: 6 }),
          slice: fc.constantFrom(1, 70, 640),
        }),
        fc.array(fc.array(fc.nat(600), { maxLength: 40 }), { minLength: 1, maxLength: 8 }),
        fc.array(fc.nat(6), { minLength: 1, maxLength: 5 }),
        async ({ parallelism, fragment, window, slice }, objects, delays) => {
          const contents = objects.map((lengths) => bodyOf(lengths.map((length) => 'x'.repeat(length))));
          const store = unordered(
            memoryWith(Object.fromEntries(contents.map((each, n) => [`o${n}`, each]))),
            delays,
          );
          const { positions, error } = await readAll(
            slicedFiles(
              'memory://lake/',
              { format: text(), parallelism, prefetch: { window, fragment } },
              slice,
            ),
            store,
          );
          expect(error).toBeUndefined();
          const longest = 1 + Math.max(0, ...objects.flat());
          expect(Math.max(...positions.map(({ held }) => held))).toBeLessThanOrEqual(
            (window + parallelism) * fragment + parallelism * (longest + headBytes),
          );
        },
      ),
    );
  });
});

/** Reads what is there without waiting. */
class Polled<T> {
  readonly records: T[] = [];
  readonly reader: SourceReader<T>;
  wakes = 0;
  error: unknown;

  constructor(store: ObjectStore, format: Reader<T>, options: Partial<FilesOptions<T>>, position?: Json) {
    this.reader = files('memory://lake/', { format, ...options }).open({
      id: 'in',
      attempt: attemptOver(store, clockOf(new VirtualTimeScheduler())),
      position,
      ready: () => this.wakes++,
      fail: (error) => (this.error = error),
    });
  }

  /** Until there is no more. */
  read(): 'wait' | 'end' {
    for (;;) {
      const result = this.reader.poll(outputTo((record) => this.records.push(record)));
      if (result !== 'more') return result;
    }
  }
}

describe('objects in parallel: fairness', () => {
  const prefetch = { window: 4, fragment: 16 };
  const contents = {
    ...Object.fromEntries(['1', '2', '3', '4', '5', '6'].map((key) => [key, bodyOf(linesOf(key, 50))])),
  };

  /** A store that does not answer about one object, until it is told to. */
  function stalling(key: string, after = 0): { store: ObjectStore; go: Subject<void>; open: () => number } {
    const go = new Subject<void>();
    let open = 0;
    let asked = 0;
    const store = decorate(
      memoryWith(contents),
      <R>(call: { method: string; key: string }, run: Observable<R>) => {
        if (call.method !== 'get' || call.key !== key || asked++ < after) return run;
        return defer(() => {
          open++;
          return go.pipe(
            take(1),
            concatMap(() => run),
            finalize(() => open--),
          );
        });
      },
    );
    return { store, go, open: () => open };
  }

  it.each([
    ['before its first byte', 0],
    ['in its middle', 5],
  ])('an object that stands still %s does not stop the others, and is in the position', (_where, after) => {
    for (const key of ['1', '2', '6']) {
      const { store, go, open } = stalling(key, after);
      const polled = new Polled(store, text(), { parallelism: 2, prefetch });
      expect(polled.read()).toBe('wait');
      const others = Object.keys(contents).filter((each) => each !== key);
      for (const other of others)
        expect(polled.records.filter((line) => objectOf(line) === other)).toEqual(linesOf(other, 50));
      expect(openIn(polled.reader.position())).toEqual(key === '6' && after === 0 ? [] : [key]);
      expect(polled.reader.waitsFor?.()).toContain(`of memory://lake/${key}`);
      // Restored now, only it is read.
      const rest = new Polled(memoryWith(contents), text(), { prefetch }, through(polled.reader.position()));
      expect(rest.read()).toBe('end');
      const begun = polled.records.filter((line) => objectOf(line) === key);
      expect([...begun, ...rest.records]).toEqual(linesOf(key, 50));
      expect(open()).toBeGreaterThan(0);
      while (polled.read() === 'wait') go.next();
      expect(byObject(polled.records)[key]).toEqual(linesOf(key, 50));
    }
  });

  it('an object that fails does so at its turn, although others could be read for long, which keep their places', () => {
    const lost = new StoreError('Unavailable', 'Not now.');
    let asked = 0;
    const objects = { a: bodyOf(linesOf('a', 10_000)), b: bodyOf(linesOf('b', 10_000)) };
    const store = decorate(memoryWith(objects), (call, run) => {
      if (call.method !== 'get' || call.key !== 'b' || ++asked < 4) return run;
      return defer(() => {
        throw lost;
      });
    });
    const polled = new Polled(store, text(), { parallelism: 2, prefetch: { window: 4, fragment: 1024 } });
    expect(() => polled.read()).toThrow(lost);
    const read = byObject(polled.records);
    expect(read['a']!.length).toBeLessThan(9000);
    const rest = new Polled(memoryWith(objects), text(), {}, through(polled.reader.position()));
    expect(rest.read()).toBe('end');
    expect(byObject([...polled.records, ...rest.records])).toEqual({
      a: linesOf('a', 10_000),
      b: linesOf('b', 10_000),
    });
  });

  it('closing it aborts the requests of all objects', () => {
    let open = 0;
    const store = decorate(memoryWith(contents), (call, run) =>
      call.method !== 'get'
        ? run
        : defer(() => {
            open++;
            return NEVER.pipe(finalize(() => open--));
          }),
    );
    const polled = new Polled(store, text(), { parallelism: 4, prefetch });
    expect(polled.read()).toBe('wait');
    expect(open).toBeGreaterThanOrEqual(4);
    polled.reader.close();
    expect(open).toBe(0);
  });
});

test('parallelism is checked', () => {
  for (const parallelism of [0, -1, 1.5, mostObjects + 1, '4', NaN])
    expect(() => files('memory://lake/', { format: text(), parallelism: parallelism as number })).toThrow(
      expect.objectContaining({ code: 'InvalidOption' }) as Error,
    );
  expect(() => files('memory://lake/', { format: text(), parallelism: mostObjects })).not.toThrow();
});
