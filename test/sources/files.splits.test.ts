import fc from 'fast-check';
import { concatMap, defer, of, VirtualTimeScheduler } from 'rxjs';
import { clockOf, type Json } from '../../src/flow/index.js';
import { csv } from '../../src/formats/csv/csv.js';
import { headBytes } from '../../src/formats/recognise.js';
import { ndjson } from '../../src/formats/ndjson.js';
import { text } from '../../src/formats/text.js';
import { files } from '../../src/sources/files.js';
import type { ObjectPosition } from '../../src/sources/filesPosition.js';
import type { SourceReader } from '../../src/sources/source.js';
import { decorate } from '../../src/store/decorators/decorate.js';
import type { ObjectStore } from '../../src/store/objectStore.js';
import { compressed, compressions } from '../formats/compress.js';
import { effort } from '../support/effort.js';
import { attemptOver, memoryWith, readAll, slicedFiles, type Reading, outputTo } from './harness.js';

const through = (json: Json): Json => JSON.parse(JSON.stringify(json)) as Json;
const sorted = (records: readonly string[]): string[] => [...records].sort();

const linesOf = (count: number): string[] => Array.from({ length: count }, (_, n) => `line ${n}`);
const bodyOf = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('');

interface Stored {
  readonly version: number;
  readonly object?: ObjectPosition;
  readonly objects?: readonly (ObjectPosition & { readonly root: number })[];
}
const storedOf = (position: Json): Stored => position as unknown as Stored;
const begunIn = (position: Json) =>
  (storedOf(position).objects ?? []).filter(({ split }) => split === undefined || split.end !== undefined);
const restIn = (position: Json) =>
  (storedOf(position).objects ?? []).filter(({ split }) => split !== undefined && split.end === undefined);

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

const run = fc.record({
  parallelism: fc.integer({ min: 1, max: 4 }),
  size: fc.option(fc.integer({ min: 1, max: 40 }), { nil: undefined }),
  fragment: fc.integer({ min: 1, max: 40 }),
  window: fc.integer({ min: 1, max: 4 }),
  delays: fc.array(fc.nat(6), { minLength: 1, maxLength: 5 }),
});
type Run = typeof run extends fc.Arbitrary<infer R> ? R : never;

const ends = fc.constantFrom('\n', '\r\n', '\r', '<eol>');
const stored = fc.record({
  lengths: fc.array(fc.oneof(fc.nat(6), fc.nat(6), fc.nat(50)), { maxLength: 8 }),
  mark: fc.boolean(),
  open: fc.boolean(),
  codec: fc.constantFrom(undefined, undefined, undefined, ...compressions),
});

describe('splits: positions', () => {
  it('a crash at every record and fragment gives each record once, whatever the size of splits and the parallelism before and after', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(stored, { minLength: 1, maxLength: 3 }),
        ends,
        fc.boolean(),
        run,
        run,
        fc.nat(),
        async (objects, end, any, first, second, pick) => {
          const named = objects.map(({ lengths, mark, open, codec }, n) => {
            const lines = lengths.map((length, i) => `${n}:${i}:${'x'.repeat(length)}`);
            const content = Buffer.from((mark ? '\uFEFF' : '') + lines.join(end) + (open ? '' : end));
            const empty = lines.length === 0 && open;
            return {
              key: `${n}${codec === undefined ? '' : `.${codec.extension}`}`,
              lines: lines.length === 0 && !empty ? [''] : lines,
              body: codec === undefined ? content : compressed(codec, content, []),
            };
          });
          const lineEnd = any && end !== '<eol>' ? 'any' : end;
          const store = memoryWith(Object.fromEntries(named.map(({ key, body }) => [key, body])));
          const expected = sorted(named.flatMap(({ lines }) => lines));
          const read = (
            { parallelism, size, fragment, window, delays }: Run,
            position?: Json,
          ): Promise<Reading<string>> =>
            readAll(
              slicedFiles(
                'memory://lake/',
                {
                  format: text({ lineEnd }),
                  parallelism,
                  allowEmpty: true,
                  prefetch: { fragment, window },
                  ...(size === undefined ? {} : { splits: { size } }),
                },
                1,
              ),
              unordered(store, delays),
              position,
            );
          const whole = await read(first);
          expect(whole.error).toBeUndefined();
          expect(sorted(whole.records)).toEqual(expected);
          for (const cut of new Map(whole.positions.map((each) => [JSON.stringify(each), each])).values()) {
            const position = through(cut.position);
            if (first.size === undefined) expect(storedOf(position).version).toBeLessThan(3);
            expect(begunIn(position).length).toBeLessThanOrEqual(first.parallelism);
            expect(restIn(position).length).toBeLessThanOrEqual(1);
            const rest = await read(second, position);
            expect(rest.error).toBeUndefined();
            const before = whole.records.slice(0, cut.records);
            expect(sorted([...before, ...rest.records])).toEqual(expected);
            expect(rest.positions[0]!.position).toEqual(position);
            for (const each of rest.positions)
              expect(begunIn(each.position).length).toBeLessThanOrEqual(
                Math.max(second.parallelism, begunIn(position).length),
              );
            // A crash of the resumed run, too.
            const again = rest.positions[pick % rest.positions.length]!;
            const last = await read(first, through(again.position));
            expect(last.error).toBeUndefined();
            expect(sorted([...before, ...rest.records.slice(0, again.records), ...last.records])).toEqual(
              expected,
            );
            expect(rest.positions.at(-1)!.position).toEqual(whole.positions.at(-1)!.position);
          }
        },
      ),
      { numRuns: effort(6, 150) },
    );
  });
});

describe('splits: objects that were begun without', () => {
  it('are finished whole, but the last one: its rest is cut, and there is never more than one rest', async () => {
    const store = memoryWith(
      Object.fromEntries(['a', 'b', 'c'].map((key) => [key, bodyOf(linesOf(9).map((line) => key + line))])),
    );
    const read = (size: number | undefined, parallelism: number, position?: Json) =>
      readAll(
        slicedFiles(
          'memory://lake/',
          { format: text(), parallelism, ...(size === undefined ? {} : { splits: { size } }) },
          1,
        ),
        store,
        position,
      );
    const whole = await read(undefined, 3);
    const expected = sorted(whole.records);
    let cut = 0;
    for (const { position, records } of whole.positions) {
      const rest = await read(20, 2, through(position));
      const before = whole.records.slice(0, records);
      expect(sorted([...before, ...rest.records])).toEqual(expected);
      for (const each of rest.positions) {
        cut += restIn(each.position).length;
        const last = await read(10, 1, through(each.position));
        expect(sorted([...before, ...rest.records.slice(0, each.records), ...last.records])).toEqual(
          expected,
        );
      }
    }
    expect(cut).toBeGreaterThan(5);
  });
});

describe('splits: objects that change in a continuous source', () => {
  const lines = linesOf(12);
  const content = bodyOf(lines);

  /** Replaces or deletes the object before the GET of that number, and reads what is there then. */
  function live(at: number, changed: 'read' | 'ignore', change: (store: ObjectStore) => void) {
    const scheduler = new VirtualTimeScheduler();
    const base = memoryWith({ a: content });
    let gets = 0;
    const store = decorate(base, (call, request) =>
      call.method !== 'get'
        ? request
        : defer(() => {
            if (++gets === at) change(base);
            return request;
          }),
    );
    const records: string[] = [];
    const reader = slicedFiles(
      'memory://lake/',
      {
        format: text(),
        parallelism: changed === 'ignore' ? 1 : 3,
        splits: { size: 20 },
        prefetch: { fragment: 10, window: 2 },
        vanished: 'skip',
        discover: { every: '1s', changed },
      },
      1,
    ).open({
      id: 'in',
      attempt: attemptOver(store, clockOf(scheduler)),
      position: undefined,
      ready: () => undefined,
      fail: () => undefined,
    });
    const out = outputTo((line: string) => records.push(line));
    let error: unknown;
    try {
      while (reader.poll(out) === 'more');
    } catch (thrown) {
      error = thrown;
    }
    const position = through(reader.position());
    reader.close();
    return { records, error, position, gets };
  }

  const replaced = (store: ObjectStore): void => {
    store.put('a', Buffer.from(content.toUpperCase())).subscribe();
  };
  const { gets } = live(0, 'read', () => undefined);

  it('all splits of a version that is gone are given up, and the new version is read from its start', () => {
    for (let at = 1; at <= gets; at++) {
      const { records, error, position } = live(at, 'read', replaced);
      expect(error).toBeUndefined();
      expect(new Set(records).size).toBe(records.length);
      const fresh = records.filter((line) => line.startsWith('LINE'));
      if (fresh.length > 0) expect(sorted(fresh)).toEqual(sorted(lines.map((line) => line.toUpperCase())));
      else expect(sorted(records)).toEqual(sorted(lines));
      expect(storedOf(position).objects ?? []).toEqual([]);
      if (at < gets - 3) expect(fresh).toHaveLength(12);
    }
  });

  it('one of which a split was read fails the source where changes are ignored; one of which nothing was read does not', () => {
    for (let at = 1; at <= gets; at++) {
      const { records, error } = live(at, 'ignore', replaced);
      const old = records.filter((line) => line.startsWith('line'));
      if (error === undefined) expect([0, 12]).toContain(old.length);
      else expect(error).toMatchObject({ code: 'ObjectChanged' });
      expect(old.length === 12 || records.length === old.length || old.length === 0).toBe(true);
    }
  });

  it('one that is deleted is skipped, with all of its splits', () => {
    for (let at = 1; at <= gets; at++) {
      const { records, error, position } = live(at, 'read', (store) => {
        store.delete(['a']).subscribe();
      });
      expect(error).toBeUndefined();
      expect(new Set(records).size).toBe(records.length);
      expect(storedOf(position).objects ?? []).toEqual([]);
    }
  });
});

describe('splits: one object', () => {
  const content = bodyOf(linesOf(12));

  it('is read in several places at the same time, in turn', async () => {
    const source = slicedFiles(
      'memory://lake/a',
      { format: text(), parallelism: 3, splits: { size: Math.ceil(content.length / 3) } },
      1,
    );
    const { records } = await readAll(source, memoryWith({ a: content }));
    expect(records.slice(0, 6)).toEqual(['line 0', 'line 5', 'line 9', 'line 1', 'line 6', 'line 10']);
    expect(sorted(records)).toEqual(sorted(linesOf(12)));
  });

  it('a split that stands still does not stop the others', () => {
    const store = decorate(memoryWith({ a: content }), (_call, request) => request);
    const held = {
      ...store,
      get: (...[key, options]: Parameters<ObjectStore['get']>) =>
        options?.range !== undefined && options.range.start >= 16 && options.range.start < 30
          ? defer(() => new Promise<never>(() => undefined))
          : store.get(key, options),
    };
    const records: string[] = [];
    const reader = slicedFiles(
      'memory://lake/a',
      { format: text(), parallelism: 4, splits: { size: 20 }, prefetch: { fragment: 8, window: 4 } },
      1,
    ).open({
      id: 'in',
      attempt: attemptOver(held),
      position: undefined,
      ready: () => undefined,
      fail: () => undefined,
    });
    const out = outputTo((line: string) => records.push(line));
    while (reader.poll(out) === 'more');
    expect(records).toEqual(expect.arrayContaining(linesOf(12).slice(6)));
    expect(reader.waitsFor?.()).toMatch(/^bytes \d+ to \d+ of memory:\/\/lake\/a$/);
    reader.close();
  });

  it('that is replaced while it is read is ObjectChanged, whenever that is, and versions are not mixed', async () => {
    const source = slicedFiles(
      'memory://lake/a',
      { format: text(), parallelism: 3, splits: { size: 20 }, prefetch: { fragment: 10, window: 2 } },
      1,
    );
    /** Replaces the object before the GET of that number. */
    const read = async (at: number): Promise<Reading<string> & { readonly gets: number }> => {
      const base = memoryWith({ a: content });
      let gets = 0;
      const store = decorate(base, (call, request) => {
        if (call.method !== 'get') return request;
        return defer(() => {
          if (++gets === at) base.put('a', Buffer.from(content.toUpperCase())).subscribe();
          return request;
        });
      });
      return { ...(await readAll(source, store)), gets };
    };
    const { gets } = await read(0);
    expect(gets).toBeGreaterThan(8);
    for (let at = 1; at <= gets; at++) {
      const { records, error } = await read(at);
      expect(records.filter((line) => !line.startsWith('line'))).toEqual([]);
      // What is fetched after the last record is not needed.
      if (error === undefined) expect(sorted(records)).toEqual(sorted(linesOf(12)));
      else expect(error).toMatchObject({ code: 'ObjectChanged', object: 'memory://lake/a' });
      if (at < gets - 3) expect(error).toBeDefined();
    }
  });

  it('malformed records and those over maxLineBytes are located by their bytes; lines are known in the first split', async () => {
    const long = 'x'.repeat(70);
    const body = `1\n?\n2\n3\n${long}\n4\n?!\n5\n`;
    const places: unknown[] = [];
    const source = (size: number, policy: 'skip' | 'fail') =>
      slicedFiles(
        'memory://lake/a',
        {
          format: ndjson<number>(),
          parallelism: 2,
          maxLineBytes: 40,
          onMalformed: policy,
          splits: { size },
        },
        1,
      );
    for (let size = 1; size <= body.length; size++) {
      const { records, positions, attempt } = await readAll(source(size, 'skip'), memoryWith({ a: body }));
      expect([...records].sort()).toEqual([1, 2, 3, 4, 5]);
      expect(positions.at(-1)!.position).toMatchObject({ skipped: 3 });
      const events = attempt.trace.flatMap((each) => (each.type === 'report' ? [each.event] : []));
      const offsets = events.map((event) => (event as unknown as { offset: number }).offset);
      expect(offsets.sort((a, b) => a - b)).toEqual([2, 8, body.indexOf('?!')]);
      places.push(...events.map((event) => (event as unknown as { line: number }).line));
    }
    expect(places).toEqual(expect.arrayContaining([0, 2, 5, 7]));
    const later = body.replace('?\n', '0\n').replace(long, '0');
    const { error } = await readAll(source(6, 'fail'), memoryWith({ a: later }));
    expect(error).toMatchObject({ code: 'MalformedRecord', offset: later.indexOf('?!'), line: 0 });
    expect((error as Error).message).toContain(`memory://lake/a, byte ${later.indexOf('?!')}: `);
  });

  it('is looked at once, and read beyond the end of a split as far as its last record goes', async () => {
    const KiB = 1024;
    const body = Buffer.from(`${'a'.repeat(300 * KiB)}\n${'b'.repeat(300 * KiB)}\n`);
    const ranges: [number, number][] = [];
    const base = memoryWith({ a: body });
    const store = {
      ...decorate(base, (_call, request) => request),
      get: (...[key, options]: Parameters<ObjectStore['get']>) => {
        const { start, end = body.length } = options!.range!;
        ranges.push([start, end]);
        return base.get(key, options);
      },
    };
    const source = files('memory://lake/a', {
      format: text(),
      splits: { size: 64 * KiB },
      prefetch: { window: 1, fragment: '128KiB' },
    });
    const { records } = await readAll(source, store);
    expect(records.map((line) => line.length)).toEqual([300 * KiB, 300 * KiB]);
    expect(ranges.filter(([start, end]) => start === 0 && end === 512)).toHaveLength(1);
    // The first split with a few bytes more, then as much as its record needs and little more.
    const sizes: number[] = [];
    for (let at = 0; ;) {
      const found = ranges.find(([start, end]) => start === at && end !== 512);
      if (found === undefined) break;
      sizes.push(found[1] - at);
      at = found[1];
    }
    const split = Math.ceil(body.length / 10);
    const [first, ...beyond] = sizes;
    expect(first).toBe(split + Math.ceil(split / 16));
    expect(beyond[0]).toBe(64 * KiB);
    const fetched = sizes.reduce((sum, size) => sum + size, 0);
    expect(fetched).toBeGreaterThan(300 * KiB);
    expect(fetched).toBeLessThan(430 * KiB);
  });
});

describe('splits: memory', () => {
  it('never holds more than the budget, and for each open split a fragment and a carry-over', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          parallelism: fc.integer({ min: 1, max: 4 }),
          fragment: fc.integer({ min: 100, max: 2000 }),
          window: fc.integer({ min: 1, max: 6 }),
          slice: fc.constantFrom(1, 70, 640),
        }),
        fc.integer({ min: 1, max: 4000 }),
        fc.array(fc.array(fc.nat(600), { maxLength: 40 }), { minLength: 1, maxLength: 3 }),
        fc.array(fc.nat(6), { minLength: 1, maxLength: 5 }),
        async ({ parallelism, fragment, window, slice }, size, objects, delays) => {
          const contents = objects.map((lengths) => bodyOf(lengths.map((length) => 'x'.repeat(length))));
          const store = unordered(
            memoryWith(Object.fromEntries(contents.map((each, n) => [`o${n}`, each]))),
            delays,
          );
          const options = { format: text(), parallelism, prefetch: { window, fragment }, splits: { size } };
          const { positions, error, records } = await readAll(
            slicedFiles('memory://lake/', options, slice),
            store,
          );
          expect(error).toBeUndefined();
          expect(records).toHaveLength(objects.flat().length);
          const longest = 1 + Math.max(0, ...objects.flat());
          expect(Math.max(...positions.map(({ held }) => held))).toBeLessThanOrEqual(
            (window + parallelism) * fragment + parallelism * (longest + headBytes),
          );
        },
      ),
      { numRuns: effort(20, 300) },
    );
  });

  it('a position in an object of 5 TiB has the open splits and one rest', () => {
    const TiB = 1024 ** 4;
    const info = { key: 'a', size: 5 * TiB, etag: 'e', modified: 0 };
    const line = Buffer.from(`${'x'.repeat(63)}\n`);
    const base = memoryWith({});
    const store: ObjectStore = {
      ...decorate(base, (_call, request) => request),
      head: () => of(info),
      get: (_key, options) => {
        const { start, end = info.size } = options!.range!;
        return of({ info, chunks: [Buffer.alloc(end - start, line)] });
      },
    };
    const open = (parallelism: number, size: string, position?: Json): SourceReader<string> =>
      files('memory://lake/a', {
        format: text(),
        parallelism,
        splits: { size },
        prefetch: { fragment: '4KiB', window: 8 },
      }).open({
        id: 'in',
        attempt: attemptOver(store),
        position,
        ready: () => undefined,
        fail: (error) => {
          throw error;
        },
      });
    const poll = (reader: SourceReader<string>, times: number): Json => {
      for (let n = 0; n < times; n++) reader.poll(outputTo());
      const position = reader.position();
      reader.close();
      return through(position);
    };
    // Some are over, others are not begun.
    const first = poll(open(60, '64KiB'), 300);
    expect(begunIn(first).length).toBeLessThanOrEqual(60);
    expect(restIn(first)).toHaveLength(1);
    expect(restIn(first)[0]!.offset).toBeGreaterThan(100 * 64 * 1024);
    expect(JSON.stringify(first).length).toBeLessThan(10_000);
    const second = poll(open(2, '1GiB', first), 100);
    expect(begunIn(second).length).toBeLessThanOrEqual(60);
    const third = poll(open(4, '64MiB', second), 0);
    expect(third).toEqual(second);
  });
});

describe('splits: positions that are refused', () => {
  const content = bodyOf(linesOf(40));
  const source = slicedFiles('memory://lake/', { format: text(), parallelism: 2, splits: { size: 50 } }, 1);
  type Forged = { objects: Record<string, unknown>[] } & Record<string, unknown>;
  const forged = async (change: (position: Forged) => unknown): Promise<unknown> => {
    const store = memoryWith({ a: content });
    const { positions } = await readAll(source, store);
    const position = through(positions.find(({ records }) => records === 4)!.position);
    expect(position).toMatchObject({ version: 3, objects: [{ split: { begin: 0 } }, {}, {}] });
    change(position as never);
    return readAll(source, store, position).then(
      ({ error }) => error,
      (error: unknown) => error,
    );
  };

  it.each<[string, Parameters<typeof forged>[0]]>([
    ['a split twice', ({ objects }) => objects.unshift({ ...objects[0] })],
    ['a split and the whole object', ({ objects }) => objects.unshift({ ...objects[0], split: undefined })],
    ['splits that overlap', ({ objects }) => Object.assign(objects[0]!, { split: { begin: 0, end: 60 } })],
    ['two rests', ({ objects }) => objects.push({ ...objects[2], key: 'b' })],
    ['a rest that is not the last', ({ objects }) => objects.reverse()],
    ['a place before its split', ({ objects }) => Object.assign(objects[1]!, { offset: 1 })],
    ['a place after its split', ({ objects }) => Object.assign(objects[0]!, { offset: 300 })],
    ['a rest of which something is read', ({ objects }) => Object.assign(objects[2]!, { offset: 999 })],
    ['a split beyond the object', ({ objects }) => objects.splice(1, 2, splitTo(objects[1]!, 9999))],
    ['a split of nothing', ({ objects }) => Object.assign(objects[0]!, { split: { begin: 0, end: 0 } })],
    ['a compressed split', ({ objects }) => Object.assign(objects[0]!, { compressed: gzip })],
    ['splits in an earlier version', (position) => (position['version'] = 2)],
    [
      'another format for a first split, even if nothing of it is read',
      ({ objects }) => Object.assign(objects[0]!, { format: 'ndjson', offset: 0 }),
    ],
    ['another format', ({ objects }) => Object.assign(objects[2]!, { format: 'ndjson' })],
  ])('%s', async (_what, change) => {
    expect(await forged(change)).toMatchObject({ code: 'BadPosition', retryable: false });
  });

  const gzip = { codec: 'gzip', at: 0, offset: 0 };
  const splitTo = (object: Record<string, unknown>, end: number): Record<string, unknown> => ({
    ...object,
    split: { ...(object['split'] as object), end },
  });
});

describe('splits: options', () => {
  const refused = (options: object): void =>
    expect(() => files('memory://lake/', { format: text(), ...options })).toThrow(
      expect.objectContaining({ code: 'InvalidOption' }) as Error,
    );

  it('are refused for formats and compressions that are read from their start', () => {
    refused({ splits: { size: 0 } });
    refused({ splits: { size: 'x' } });
    refused({ splits: { bytes: 1 } });
    refused({ splits: {}, format: csv() });
    refused({ splits: {}, format: text({ lineEnd: '\n\n' }) });
    refused({ splits: {}, compression: 'gzip' });
    expect(() => files('memory://lake/', { format: text(), splits: {}, compression: 'none' })).not.toThrow();
  });

  it('a size of less than 64 KiB is refused: each split takes a request', () => {
    const sized = (size: string) => () => files('memory://lake/', { format: text(), splits: { size } });
    expect(sized('65535B')).toThrow(
      "files: splits.size: '65535B' is not allowed. It must be 64 KiB or more, such as '64MiB'.",
    );
    expect(sized('64KiB')).not.toThrow();
  });

  it('an object that is not text is refused as without splits', async () => {
    const store = memoryWith({ a: Buffer.concat([Buffer.from('PAR1\0'), Buffer.alloc(2000)]) });
    for (const splits of [undefined, { size: 100 }]) {
      const source = slicedFiles('memory://lake/a', { format: text(), ...(splits && { splits }) }, 1);
      expect((await readAll(source, store)).error).toMatchObject({ code: 'UnknownCodec' });
    }
  });
});
