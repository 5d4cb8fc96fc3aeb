import fc from 'fast-check';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as zlib from 'node:zlib';
import type { Json } from '../../src/flow/index.js';
import { bytes } from '../../src/formats/bytes.js';
import { defer, map } from 'rxjs';
import { ndjson } from '../../src/formats/ndjson.js';
import { text } from '../../src/formats/text.js';
import { createStores } from '../../src/store/registry.js';
import { decorate } from '../../src/store/decorators/decorate.js';
import type { ListPage, ObjectBody, ObjectInfo, ObjectStore } from '../../src/store/objectStore.js';
import { counting } from '../../src/store/decorators/counting.js';
import type { InputSkippedEvent } from '../../src/sources/events.js';
import { files } from '../../src/sources/files.js';
import {
  gzipMembers,
  memoryWith,
  readAll,
  slicedFiles,
  type Reading,
  type StoredPosition,
} from './harness.js';
import { effort } from '../support/effort.js';

const { gzipSync } = zlib;

// The machine may be busy with other tests.
const line = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.string({ unit: fc.constantFrom('a', 'b', ' ', 'ä', '€', '\r'), maxLength: 12 }),
  },
  { weight: 1, arbitrary: fc.string({ unit: fc.constantFrom('x', 'ö'), minLength: 60, maxLength: 200 }) },
);
const content = fc
  .tuple(fc.array(line, { maxLength: 12 }), fc.boolean())
  .map(([lines, ended]) => lines.join('\n') + (ended && lines.length > 0 ? '\n' : ''));
const sizes = fc.record({
  fragment: fc.integer({ min: 1, max: 60 }),
  window: fc.integer({ min: 1, max: 6 }),
  slice: fc.constantFrom(1, 1, 7, 64, 65536),
});
const stored = fc.record({
  content,
  codec: fc.constantFrom('plain', 'gzip', 'members'),
  cuts: fc.array(fc.nat(400), { maxLength: 5 }),
});

/** The expected result of `text()`, computed simply. */
function linesOf(whole: string): string[] {
  const lines = whole.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines.map((each) => (each.endsWith('\r') ? each.slice(0, -1) : each));
}

/** Byte offsets of record boundaries of a content. */
function boundaries(whole: string): number[] {
  const buffer = Buffer.from(whole);
  const found = [0];
  for (let at = buffer.indexOf(10); at >= 0; at = buffer.indexOf(10, at + 1)) found.push(at + 1);
  if (found.at(-1) !== buffer.length) found.push(buffer.length);
  return found;
}

/** `RUNS=5000` looks harder. */
const runs = Number(process.env['RUNS'] ?? effort(80, 200));

const through = (json: Json): Json => JSON.parse(JSON.stringify(json)) as Json;

describe('files: positions', () => {
  it('gives the same records for any fragments, window and codec, and from any position the rest', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(stored, { minLength: 1, maxLength: 4 }),
        sizes,
        sizes,
        fc.nat(),
        async (objects, first, second, pick) => {
          const contents: Record<string, Buffer> = {};
          const names = objects.map(({ codec }, i) => `raw/${i}.txt${codec === 'plain' ? '' : '.gz'}`);
          for (const [i, object] of objects.entries()) {
            const buffer = Buffer.from(object.content);
            contents[names[i]!] =
              object.codec === 'plain'
                ? buffer
                : object.codec === 'gzip'
                  ? gzipSync(buffer)
                  : gzipMembers(buffer, object.cuts);
          }
          const store = memoryWith(contents);
          const expected = objects.flatMap((object) => linesOf(object.content));

          const whole = await readAll(
            slicedFiles('memory://lake/raw', { format: text(), prefetch: first }, first.slice),
            store,
          );
          expect(whole.error).toBeUndefined();
          expect(whole.records).toEqual(expected);

          const { position, records } = whole.positions[pick % whole.positions.length]!;
          const places = objects.map((each) => boundaries(each.content));
          const firsts = objects.map((_, i) =>
            objects.slice(0, i).reduce((sum, each) => sum + linesOf(each.content).length, 0),
          );
          const inexact = (reading: Reading<string>, gone: number): unknown[] =>
            reading.positions.filter((each) => {
              const at = (each.position as unknown as StoredPosition).object;
              if (at === undefined) return false;
              const i = names.indexOf(at.key);
              return at.line !== gone + each.records - firsts[i]! || at.offset !== places[i]![at.line];
            });
          const rest = await readAll(
            slicedFiles('memory://lake/raw', { format: text(), prefetch: second }, second.slice),
            store,
            through(position),
          );
          expect(rest.error).toBeUndefined();
          expect(rest.records).toEqual(expected.slice(records));
          expect(rest.positions[0]!.position).toEqual(through(position));
          expect(inexact(whole, 0)).toEqual([]);
          expect(inexact(rest, records)).toEqual([]);
        },
      ),
      { numRuns: runs },
    );
  });

  it('does not reread anything before the position', async () => {
    const whole = Array.from({ length: 1000 }, (_, i) => `line ${i}\n`).join('');
    const { store, counts } = counting(memoryWith({ 'a.txt': whole, 'b.txt': whole }));
    const source = slicedFiles('memory://lake/*.txt', { format: text(), prefetch: { fragment: 512 } }, 1);
    const { positions } = await readAll(source, store);
    const before = counts();
    const { records } = await readAll(
      source,
      store,
      positions.find((each) => each.records === 1900)!.position,
    );
    expect(records).toHaveLength(100);
    expect(counts().bytesDown - before.bytesDown).toBe(
      Buffer.byteLength(whole.split('\n').slice(900).join('\n')),
    );
  });

  it('resumes gzip at the last member before the position', async () => {
    const parts = Array.from({ length: 10 }, (_, m) =>
      Array.from({ length: 100 }, (_, i) => `${m} ${i} ${Math.sin(m * i)}\n`).join(''),
    );
    const members = parts.map((part) => gzipSync(part));
    const { store, counts } = counting(memoryWith({ 'a.txt.gz': Buffer.concat(members) }));
    const source = slicedFiles('memory://lake/a.txt.gz', { format: text() }, 1);
    const { positions, records } = await readAll(source, store);
    expect(records).toHaveLength(1000);
    const before = counts().bytesDown;
    const rest = await readAll(source, store, positions.find((each) => each.records === 850)!.position);
    expect(rest.records).toEqual(records.slice(850));
    expect(counts().bytesDown - before).toBe(
      members.slice(8).reduce((sum, member) => sum + member.length, 0),
    );
  });

  it('a position past an object does not open it again, even if it is gone', async () => {
    const store = memoryWith({ 'a.txt': '1\n2\n', 'b.txt': '3\n' });
    const source = slicedFiles('memory://lake/*.txt', { format: text() }, 1);
    const { positions } = await readAll(source, store);
    store.delete(['a.txt']).subscribe();
    const rest = await readAll(source, store, positions.find((each) => each.records === 2)!.position);
    expect(rest.error).toBeUndefined();
    expect(rest.records).toEqual(['3']);
  });

  it('rejects a position of other URIs', async () => {
    const store = memoryWith({ 'a.txt': '1\n' });
    const { positions } = await readAll(files('memory://lake/a.txt', { format: text() }), store);
    await expect(
      readAll(files('memory://lake/b.txt', { format: text() }), store, positions[0]!.position),
    ).rejects.toMatchObject({
      code: 'BadPosition',
    });
  });
});

describe('files: which objects', () => {
  const source = (uri: string | readonly string[], options = {}) =>
    files(uri, { format: text(), ...options });
  const tree = memoryWith({
    'raw/a': '1',
    'raw/b/c': '2',
    'raw/b/.hidden': 'no',
    'raw/_tmp/x': 'no',
    'raw/marker/': '',
    'raw-2/a': 'no',
    rawer: 'no',
  });

  it('a URI without wildcards is the object of that name, or everything under it', async () => {
    expect((await readAll(source('memory://lake/raw/a'), tree)).records).toEqual(['1']);
    expect((await readAll(source('memory://lake/raw'), tree)).records).toEqual(['1', '2']);
    expect((await readAll(source('memory://lake/raw/'), tree)).records).toEqual(['1', '2']);
  });

  it('several URIs are read in order; hidden names if configured, or if the URI names them', async () => {
    expect((await readAll(source(['memory://lake/raw/b/', 'memory://lake/raw/*']), tree)).records).toEqual([
      '2',
      '1',
    ]);
    expect((await readAll(source('memory://lake/raw/**', { hidden: true }), tree)).records).toEqual([
      'no',
      '1',
      'no',
      '2',
    ]);
    expect((await readAll(source('memory://lake/raw/_tmp/*'), tree)).records).toEqual(['no']);
  });

  it.each<[string, readonly string[], readonly string[]]>([
    ['globs that overlap', ['raw/2026-*', 'raw/*-11-*'], ['1', '2', '3']],
    ['in any order', ['raw/*-11-*', 'raw/2026-*'], ['1', '3', '2']],
    ['a directory in another', ['raw/', 'raw/sub/'], ['1', '2', '3', '4']],
    ['an object below a directory', ['raw/2026-12', 'raw/'], ['1', '2', '3', '4']],
    ['the same URI', ['raw/2026-*', 'raw/2026-*', 'raw', 'raw'], ['1', '2', '3', '4']],
    ['an object that hides what is below it', ['raw/2026-12', 'raw/2026-12/x', 'raw/2026-12/*'], ['2', '5']],
    ['only what is claimed already', ['raw/**', 'raw/2025-*'], ['3', '1', '2', '5', '4']],
  ])('an object of several URIs is read once: %s', async (name, keys, expected) => {
    const store = memoryWith({
      'raw/2026-11-a': '1',
      'raw/2026-12': '2',
      'raw/2025-11-b': '3',
      'raw/sub/c': '4',
      ...(/below it|claimed/.test(name) ? { 'raw/2026-12/x': '5' } : {}),
    });
    const uris = keys.map((key) => `memory://lake/${key}`);
    const whole = await readAll(source(uris), store);
    expect(whole.error).toBeUndefined();
    expect([...whole.records].sort()).toEqual([...expected].sort());
    for (const { records, position } of whole.positions) {
      const rest = await readAll(source(uris), store, position);
      expect([rest.error, [...whole.records.slice(0, records), ...rest.records]]).toEqual([
        undefined,
        whole.records,
      ]);
    }
  });

  it('a position in an object that now belongs to an earlier URI is continued', async () => {
    const store = memoryWith({ 'raw/2026-11': '1\n2\n3\n' });
    const later = 'memory://lake/raw/*-11';
    const { positions } = await readAll(
      slicedFiles(['memory://lake/none', later], { format: text(), allowEmpty: true }, 1),
      store,
    );
    const { position } = positions.find(({ records }) => records === 1)!;
    const renamed = JSON.parse(JSON.stringify(position)) as Json;
    const rest = await readAll(source(['memory://lake/raw/2026-*', later]), store, renamed);
    expect([rest.error, rest.records]).toEqual([undefined, ['2', '3']]);
  });

  it('lines that end in NUL are not taken for UTF-16', async () => {
    const store = memoryWith({ a: 'a\0b\0' });
    const { records, error } = await readAll(
      files('memory://lake/a', { format: text({ lineEnd: '\0' }) }),
      store,
    );
    expect([error, records]).toEqual([undefined, ['a', 'b']]);
    expect((await readAll(files('memory://lake/a', { format: text() }), store)).error).toMatchObject({
      code: 'NotUtf8',
    });
  });

  it('bytes come in blocks of up to 64 KiB', async () => {
    const whole = Buffer.from(Array.from({ length: 300_000 }, (_, n) => n % 251));
    const { records } = await readAll(
      files('memory://lake/raw', { format: bytes() }),
      memoryWith({ raw: whole }),
    );
    const sizes = (records as Uint8Array[]).map(({ length }) => length);
    expect(Math.max(...sizes)).toBe(65_536);
    expect(Buffer.concat(records as Uint8Array[]).equals(whole)).toBe(true);
  });

  it('no object is NoInput, unless allowed; no bucket is MissingBucket', async () => {
    expect((await readAll(source('memory://lake/none/*'), tree)).error).toMatchObject({
      code: 'NoInput',
      retryable: false,
    });
    expect((await readAll(source('memory://lake/none/*', { allowEmpty: true }), tree)).error).toBeUndefined();
  });

  it('zero-byte objects, plain and gzip, are fine', async () => {
    const store = memoryWith({ 'a.txt': '', 'b.gz': '', 'c.txt': 'x', 'd.txt': '' });
    const { records, error } = await readAll(source('memory://lake/'), store);
    expect(error).toBeUndefined();
    expect(records).toEqual(['x']);
  });

  it('lists page by page, and no page before the previous one is used up', async () => {
    const objects = Object.fromEntries(
      Array.from({ length: 2500 }, (_, i) => [`o/${String(i).padStart(5, '0')}`, `${i}\n`]),
    );
    const { store, counts } = counting(memoryWith(objects));
    const read = await readAll(
      slicedFiles('memory://lake/o/*', { format: text(), prefetch: { fragment: 64 } }, 1),
      store,
    );
    expect(read.records).toHaveLength(2500);
    expect(counts().requests).toEqual({ list: 3, get: 2500 });
    const size = Math.max(...read.positions.map(({ position }) => JSON.stringify(position).length));
    expect(size).toBeLessThan(300);
  });
});

const codeOf = (error: unknown): unknown => (error as { readonly code?: unknown }).code;

describe('files: bad input', () => {
  const store = memoryWith({ 'a.ndjson': '{"n":1}\n{"n":2}\n', 'b.ndjson': '{"n":3}\nnö!\n{"n":4}\nbad\n' });
  const options = { format: ndjson<{ n: number }>() };

  it('fail: names object, offset and line, after passing on everything before', async () => {
    const { records, error } = await readAll(files('memory://lake/*.ndjson', options), store);
    expect(records.map(({ n }) => n)).toEqual([1, 2, 3]);
    expect(error).toMatchObject({
      code: 'MalformedRecord',
      object: 'memory://lake/b.ndjson',
      offset: 8,
      line: 2,
      excerpt: 'nö!',
      retryable: false,
    });
  });

  it('skip: counts in the position and reports', async () => {
    const source = slicedFiles('memory://lake/*.ndjson', { ...options, onMalformed: 'skip' }, 1);
    const { records, positions, attempt } = await readAll(source, store);
    expect(records.map(({ n }) => n)).toEqual([1, 2, 3, 4]);
    expect(positions.at(-1)!.position).toMatchObject({ skipped: 2 });
    expect(attempt.trace).toMatchObject([
      {
        event: {
          type: 'skipped',
          operator: 'in',
          object: 'memory://lake/b.ndjson',
          offset: 8,
          line: 2,
          count: 1,
        },
      },
      { event: { type: 'skipped', line: 4, count: 2 } },
    ]);
    const middle = positions.find(({ position }) => (position as unknown as StoredPosition).skipped === 1)!;
    const rest = await readAll(source, store, middle.position);
    expect(rest.positions.at(-1)!.position).toMatchObject({ skipped: 2 });
  });

  it('deadLetter: passes on the line and its place', async () => {
    const policy = {
      deadLetter: () => {
        throw new Error('the job subscribes it');
      },
    };
    const { letters } = await readAll(
      files('memory://lake/*.ndjson', { ...options, onMalformed: policy }),
      store,
    );
    expect(letters).toMatchObject([
      { source: 'in', object: 'memory://lake/b.ndjson', offset: 8, line: 2, text: 'nö!' },
      { offset: 21, line: 4, text: 'bad' },
    ]);
  });

  it('a line over the maximum is malformed for any chunks, and the rest is read', async () => {
    const long = `"${'x'.repeat(100)}"`;
    await fc.assert(
      fc.asyncProperty(sizes, fc.integer({ min: 1, max: 200 }), async ({ slice, ...prefetch }, max) => {
        const lines = ['1', long, '"ab"', '2', long];
        const read = await readAll(
          slicedFiles(
            'memory://lake/',
            { format: ndjson(), prefetch, maxLineBytes: max, onMalformed: 'skip' },
            slice,
          ),
          memoryWith({ a: lines.join('\n') }),
        );
        expect(read.error).toBeUndefined();
        const fits = lines.filter((each, i) => each.length + (i < lines.length - 1 ? 1 : 0) <= max);
        expect(read.records).toEqual(fits.map((each) => JSON.parse(each) as unknown));
        expect(read.positions.at(-1)!.position).toMatchObject({ skipped: lines.length - fits.length });
      }),
    );
  });

  const skippedIn = ({ attempt }: Reading<unknown>): unknown[] =>
    attempt.trace.flatMap((each) =>
      each.type === 'report' && each.event.type === 'input-skipped'
        ? [(each.event as unknown as InputSkippedEvent).object]
        : [],
    );

  const replace = (when: 'before' | 'during') => async () => {
    const objects = memoryWith({ 'a.txt': 'one\ntwo\n', 'b.txt': 'three\n' });
    const source = slicedFiles('memory://lake/', { format: text(), prefetch: { window: 1, fragment: 4 } }, 1);
    const position = (await readAll(source, objects)).positions.find((each) => each.records === 1)!.position;
    objects.put('a.txt', Buffer.from('ONE\nTWO\n')).subscribe();
    if (when === 'before') return readAll(source, objects, position);
    objects.delete(['a.txt']).subscribe();
    return readAll(source, objects, position);
  };

  it('a changed object is ObjectChanged, one that vanished is ObjectVanished', async () => {
    expect((await replace('before')()).error).toMatchObject({
      code: 'ObjectChanged',
      object: 'memory://lake/a.txt',
    });
    expect((await replace('during')()).error).toMatchObject({
      code: 'ObjectVanished',
      object: 'memory://lake/a.txt',
    });
  });

  it('after an object vanished, the source needs it as it was, or is told to skip it; `discover` cannot be added', async () => {
    const a = 'one\ntwo\n';
    const objects = memoryWith({ 'a.txt': a, 'b.txt': 'three\n' });
    const options = { format: text(), prefetch: { window: 1, fragment: 4 } };
    const source = slicedFiles('memory://lake/', options, 1);
    const position = (await readAll(source, objects)).positions.find((each) => each.records === 1)!.position;
    objects.delete(['a.txt']).subscribe();
    const { error } = await readAll(source, objects, position);
    expect(error).toMatchObject({ code: 'ObjectVanished', retryable: false });
    expect(String(error)).toContain('Restore this version of it, and start the job again; or set');
    expect(String(error)).toContain("or set `vanished` of the source to 'skip'");
    const skipping = slicedFiles('memory://lake/', { ...options, vanished: 'skip' }, 1);
    const rest = await readAll(skipping, objects, position);
    expect([rest.records, rest.error]).toEqual([['three'], undefined]);
    expect(skippedIn(rest)).toEqual(['memory://lake/a.txt']);
    const after = rest.positions.at(-1)!.position;
    expect((await readAll(source, objects, after)).records).toEqual([]);
    const live = slicedFiles('memory://lake/', { ...options, discover: { every: '1s' } }, 1);
    await expect(readAll(live, objects, position)).rejects.toMatchObject({
      code: 'BadPosition',
      message: expect.stringContaining("'listed' instead of 'continuous': `discover` was added.") as string,
    });
    objects.put('a.txt', Buffer.from(a)).subscribe();
    expect((await readAll(source, objects, position)).records).toEqual(['two', 'three']);
  });

  it('with vanished: skip, an object that is deleted at any request is skipped, and reported if it was found', async () => {
    const contents = { 'a.txt': 'a1\na2\n', 'b.txt': 'b1\nb2\n', 'c.txt': 'c1\nc2\n' };
    for (const parallelism of [1, 2])
      for (const gone of Object.keys(contents))
        for (let at = 1; at <= 8; at++) {
          const objects = memoryWith(contents);
          let gets = 0;
          const deleting = decorate(objects, (call, run) =>
            defer(() => {
              if (call.method === 'get' && ++gets === at) objects.delete([gone]).subscribe();
              return run;
            }),
          );
          const read = (vanished: 'fail' | 'skip', position?: Json) =>
            readAll(
              slicedFiles(
                'memory://lake/*.txt',
                { format: text(), parallelism, vanished, prefetch: { window: 1, fragment: 3 } },
                1,
              ),
              position === undefined ? deleting : objects,
              position,
            );
          const whole = await read('skip');
          expect(whole.error).toBeUndefined();
          const all = Object.keys(contents).flatMap((key) => [`${key[0]}1`, `${key[0]}2`]);
          const missing = all.filter((line) => !whole.records.includes(line));
          expect([...whole.records, ...missing].sort()).toEqual(all);
          expect(missing.filter((line) => line[0] !== gone[0])).toEqual([]);
          expect(skippedIn(whole)).toEqual(missing.length > 0 ? [`memory://lake/${gone}`] : []);
          // A later start, at any position after the deletion, needs what it skipped no more.
          const end = whole.positions.at(-1)!;
          expect((await read('fail', end.position)).records).toEqual([]);
        }
  });

  it('never mixes two versions of an object: one replaced between two fragments is ObjectChanged', async () => {
    const ones = 'one\n'.repeat(150);
    const objects = memoryWith({ 'a.txt': `${ones}two\n` });
    let gets = 0;
    const replaced = decorate(objects, (call, run) =>
      defer(() => {
        if (call.method === 'get' && ++gets === 2)
          objects.put('a.txt', Buffer.from(`${ones.toUpperCase()}TWO\n`)).subscribe();
        return run;
      }),
    );
    const { records, error } = await readAll(
      files('memory://lake/a.txt', { format: text(), prefetch: { window: 1, fragment: 600 } }),
      replaced,
    );
    expect(records).toEqual(Array<string>(150).fill('one'));
    expect(error).toMatchObject({ code: 'ObjectChanged', object: 'memory://lake/a.txt' });
  });

  it('a store that returns too few bytes is Integrity, never silently short', async () => {
    const short = decorate(memoryWith({ a: '1\n2\n' }), (call, run) =>
      call.method === 'get'
        ? run.pipe(map((body) => ({ ...(body as ObjectBody), chunks: [Buffer.from('1\n')] }) as never))
        : run,
    );
    expect((await readAll(files('memory://lake/a', { format: text() }), short)).error).toMatchObject({
      code: 'Integrity',
      retryable: true,
    });
  });

  it('an object that is not as long as it was listed is Integrity; one with another ETag is ObjectChanged', async () => {
    const told = (info: Partial<ObjectInfo>): ObjectStore =>
      decorate(memoryWith({ a: '1\n2\n' }), (call, run) =>
        call.method === 'get'
          ? run.pipe(
              map((value) => {
                const body = value as ObjectBody;
                return { ...body, info: { ...body.info, ...info } } as never;
              }),
            )
          : run,
      );
    const source = files('memory://lake/', { format: text() });
    expect((await readAll(source, told({ size: 8 }))).error).toMatchObject({
      code: 'Integrity',
      retryable: true,
    });
    expect((await readAll(source, told({ etag: 'other' }))).error).toMatchObject({ code: 'ObjectChanged' });
  });

  it('a listing that is out of order, holds a key twice or of another prefix, or has no end, is an error before a record is lost or repeated', async () => {
    const objects = memoryWith({ 'd/a': '1\n', 'd/b': '2\n', 'd/c': '3\n', 'e/a': '4\n' });
    const listed = (edit: (page: ListPage) => Partial<ListPage>): ObjectStore =>
      decorate(objects, (call, run) =>
        call.method === 'list'
          ? run.pipe(map((page) => ({ ...(page as ListPage), ...edit(page as ListPage) }) as never))
          : run,
      );
    const cases: readonly (readonly [(page: ListPage) => Partial<ListPage>, readonly string[]])[] = [
      [({ objects: page }) => ({ objects: page.toReversed() }), []],
      [({ objects: page }) => ({ objects: [...page, ...page.slice(-1)] }), []],
      [({ objects: page }) => ({ objects: page.map((info) => ({ ...info, key: `x${info.key}` })) }), []],
      [({ objects: page }) => ({ objects: page.slice(0, 1), cursor: 'd/a' }), ['1']],
      [() => ({ objects: [], cursor: 'd/a' }), []],
      [() => ({ cursor: '' }), ['1', '2', '3']],
    ];
    for (const [edit, before] of cases) {
      const { records, error } = await readAll(files('memory://lake/d/', { format: text() }), listed(edit));
      expect(error).toMatchObject({ code: 'UnorderedListing', retryable: false, uri: 'memory://lake/d/' });
      expect(records).toEqual(before);
    }
  });

  it('rejects invalid options', () => {
    const options = { format: text() };
    expect(() => files([], options)).toThrow('at least one URI');
    expect(() => files('memory://lake/a', { ...options, prefetch: { window: 0 } })).toThrow(
      'prefetch.window',
    );
    expect(() => files('memory://lake/a', { ...options, maxLineBytes: 'much' })).toThrow('maxLineBytes');
    expect(() => files('memory://lake/a', { ...options, compression: 'lzma' as never })).toThrow("'gzip'");
    expect(() => files('memory://lake/{a', options)).toThrow('without its "}"');
  });

  it('corrupt and truncated gzip is Integrity, naming the object, never silently short', async () => {
    const lines = Array.from({ length: 200 }, (_, i) => `line ${i}`);
    const good = gzipSync(lines.map((each) => `${each}\n`).join(''));
    const anywhere = fc.nat(good.length - 2);
    await fc.assert(
      fc.asyncProperty(anywhere, fc.integer({ min: 1, max: 255 }), async (at, flip) => {
        const truncated = await readAll(
          files('memory://lake/', { format: text() }),
          memoryWith({ 'a.gz': good.subarray(0, at + 1) }),
        );
        expect(truncated.error).toMatchObject({ code: 'Integrity', retryable: false });
        expect((truncated.error as Error).message).toContain('memory://lake/a.gz');
        // Bytes 3 to 9 of the header are independent of the content.
        if (at > 2 && at < 10) return;
        const flipped = Buffer.from(good);
        flipped[at]! ^= flip;
        const corrupt = await readAll(
          files('memory://lake/', { format: text() }),
          memoryWith({ 'a.gz': flipped }),
        );
        // In repetitive content, a few flips change only the offset of a repetition: the content stays the same.
        if (corrupt.error === undefined) expect(corrupt.records).toEqual(lines);
        // Without its signature it is not gzip, but something that is not text.
        else
          expect(at < 2 ? ['Integrity', 'NotUtf8', 'UnknownCodec'] : ['Integrity']).toContain(
            codeOf(corrupt.error),
          );
      }),
      { examples: [[251, 240]] },
    );
    const garbage = await readAll(
      files('memory://lake/', { format: text() }),
      memoryWith({ 'a.gz': Buffer.concat([good, Buffer.from('?')]) }),
    );
    expect(garbage.error).toMatchObject({ code: 'Integrity' });
    const padded = await readAll(
      files('memory://lake/', { format: text() }),
      memoryWith({ 'a.gz': Buffer.concat([good, Buffer.alloc(100)]) }),
    );
    expect(padded.error).toBeUndefined();
  });
});

describe('files: memory', () => {
  it('never holds more than window × fragment, the fragment being consumed, and one carry-over', async () => {
    await fc.assert(
      fc.asyncProperty(
        sizes,
        fc.array(content, { minLength: 1, maxLength: 8 }),
        async ({ slice, window, fragment }, contents) => {
          const store = memoryWith(Object.fromEntries(contents.map((each, i) => [`o${i}`, each])));
          const longest = Math.max(
            ...contents.flatMap((each) => each.split('\n').map((one) => Buffer.byteLength(one) + 1)),
          );
          const { positions } = await readAll(
            slicedFiles(
              'memory://lake/',
              { format: text(), prefetch: { window, fragment }, allowEmpty: true },
              slice,
            ),
            store,
          );
          expect(Math.max(...positions.map(({ held }) => held))).toBeLessThanOrEqual(
            (window + 1) * fragment + longest,
          );
        },
      ),
    );
  });
});

describe('a decompression bomb', () => {
  const MiB = 1024 * 1024;
  const zeros = Buffer.alloc(68 * MiB);
  const { zstdCompressSync: zstd } = zlib as { zstdCompressSync?: (content: Uint8Array) => Buffer };
  const quick = { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 2 } };
  const bombs: readonly (readonly [string, Buffer, number])[] = [
    ['gzip', gzipSync(zeros, { level: 1 }), 100],
    ['brotli', zlib.brotliCompressSync(zeros, quick), 10_000],
    ...(zstd === undefined ? [] : [['zstd', zstd(zeros), 10_000] as const]),
  ];

  it.each(bombs)(
    'of %s ends the job, and takes little memory until then',
    async (name, bomb, maxExpansion) => {
      const store = memoryWith({ bomb });
      const options = { format: bytes(), compression: name as 'gzip', maxExpansion };
      const first = await readAll(files('memory://lake/bomb', options), store);
      expect(first.error).toMatchObject({ code: 'DecompressionBomb', retryable: false });
      expect(String(first.error)).toContain(`memory://lake/bomb has ${bomb.length} bytes, and more than`);
      const read = first.records.reduce((sum, each) => sum + each.length, 0);
      expect(read).toBeGreaterThan(63 * MiB);
      expect(read).toBeLessThanOrEqual(Math.max(64 * MiB, maxExpansion * bomb.length));
      expect(Math.max(...first.positions.map(({ held }) => held))).toBeLessThan(18 * MiB);
      // A restored job gets no further.
      const { position, records } = first.positions.at(-1)!;
      const rest = await readAll(files('memory://lake/bomb', options), store, position);
      expect(rest.error).toMatchObject({ code: 'DecompressionBomb' });
      expect(records + rest.records.length).toBe(first.records.length);
    },
  );

  it('is read if it is meant', async () => {
    const [, bomb] = bombs[0]!;
    const options = { format: bytes(), compression: 'gzip', maxExpansion: 1032 } as const;
    const { records, error } = await readAll(files('memory://lake/a', options), memoryWith({ a: bomb }));
    expect(error).toBeUndefined();
    expect(records.reduce((sum, each) => sum + each.length, 0)).toBe(zeros.length);
  });

  it('of one line is one malformed record, of which little is in memory', async () => {
    const store = memoryWith({
      'bomb.gz': Buffer.concat([gzipSync(Buffer.alloc(40 * MiB, 'x')), gzipSync('\n1\n')]),
    });
    const read = await readAll(
      files('memory://lake/bomb.gz', { format: ndjson(), onMalformed: 'skip', maxLineBytes: '1MiB' }),
      store,
    );
    expect(read.error).toBeUndefined();
    expect(read.records).toEqual([1]);
    expect(Math.max(...read.positions.map(({ held }) => held))).toBeLessThan(3 * MiB);
  });

  it.each([0, -1, 1.5, NaN])('maxExpansion %d is no limit', (maxExpansion) => {
    expect(() => files('memory://lake/a', { format: bytes(), maxExpansion })).toThrow('maxExpansion');
  });
});

describe('files over a directory', () => {
  it('reads file:// URIs like others', async () => {
    const root = await mkdtemp(join(tmpdir(), 'millrace-files-'));
    try {
      await mkdir(join(root, 'raw/b'), { recursive: true });
      await writeFile(join(root, 'raw/a.ndjson'), '1\n2\n');
      await writeFile(join(root, 'raw/b/c.ndjson.gz'), gzipSync('3\n4\n'));
      const registry = createStores();
      const uri = `file://${root}/raw/**/*.ndjson*`;
      const { records, error } = await readAll(
        files(uri, { format: ndjson<number>() }),
        registry.open(uri).store,
      );
      expect(error).toBeUndefined();
      expect(records).toEqual([1, 2, 3, 4]);
      const none = `file://${root}/none/`;
      const missing = await readAll(files(none, { format: text() }), registry.open(none).store);
      expect((missing.error as { code: string }).code).toMatch(/NoInput|MissingBucket/);
    } finally {
      await rm(root, { recursive: true });
    }
  });
});
