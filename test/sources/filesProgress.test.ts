import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { firstValueFrom, NEVER, Subject } from 'rxjs';
import type { Json } from '../../src/flow/index.js';
import { text } from '../../src/formats/text.js';
import type { FilesOptions } from '../../src/sources/files.js';
import type { SourceReader } from '../../src/sources/source.js';
import { decorate } from '../../src/store/decorators/decorate.js';
import type { ObjectStore } from '../../src/store/objectStore.js';
import type { SourceProgress } from '../../src/store/observe/sourceProgress.js';
import { attemptOver, memoryWith, slicedFiles, outputTo } from './harness.js';

interface Seen {
  readonly lines: readonly string[];
  readonly progress: SourceProgress;
  readonly position: Json;
}

const fail = (error: unknown): void => {
  throw error;
};

function open(
  store: ObjectStore,
  position?: Json,
  ready: () => void = () => undefined,
  options: Partial<FilesOptions<string>> = {},
): SourceReader<string> {
  const uris = ['memory://lake/a/**', 'memory://lake/b/**'];
  const prefetch = { fragment: 24, window: 3 };
  const source = slicedFiles(uris, { format: text(), prefetch, allowEmpty: true, ...options }, 8);
  return source.open({ id: 'in', attempt: attemptOver(store), position, ready, fail });
}

/** Reads a source to its end, from a position. What is seen before the first poll and after each. */
async function readFrom(
  store: ObjectStore,
  position?: Json,
  options: Partial<FilesOptions<string>> = {},
): Promise<readonly Seen[]> {
  const ready = new Subject<void>();
  let waiting = Promise.resolve<unknown>(undefined);
  const reader = open(store, position, () => ready.next(), options);
  const lines: string[] = [];
  const seen: Seen[] = [];
  const note = ({ progress, position: at }: SourceReader<string>): void => {
    const now = progress?.call(reader);
    if (now === undefined) throw new Error('no progress');
    seen.push({ lines: [...lines], progress: now, position: at.call(reader) });
  };
  note(reader);
  for (;;) {
    waiting = firstValueFrom(ready, { defaultValue: undefined });
    const result = reader.poll(outputTo((line) => lines.push(line)));
    note(reader);
    if (result === 'end') break;
    if (result === 'wait') await waiting;
  }
  ready.complete();
  reader.close();
  return seen;
}

/** Listings of few objects a page. */
const paged = (store: ObjectStore, limit: number): ObjectStore => ({
  ...decorate(store, (_, run) => run),
  list: (options) => store.list({ ...options, limit }),
});

const bytesOf = (lines: readonly string[]): number =>
  lines.reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0);

const contents = fc.array(
  fc.record({
    root: fc.constantFrom('a', 'b'),
    hidden: fc.boolean(),
    lines: fc.array(fc.stringMatching(/^[a-z]{0,9}$/), { maxLength: 6 }),
  }),
  { maxLength: 12 },
);

const bodyOf = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('');

describe('progress, against a plain model', () => {
  it('splits: what is found adds up, an object is one however many splits are read, and a resumed run counts on', async () => {
    const splits = { parallelism: 3, splits: { size: 7 } };
    await fc.assert(
      fc.asyncProperty(contents, fc.nat(), async (objects, cut) => {
        const named = objects.map(({ root, lines }, i) => [`${root}/${i}`, bodyOf(lines)] as const);
        const store = memoryWith(Object.fromEntries(named));
        const total = { objects: named.length, bytes: named.reduce((sum, [, body]) => sum + body.length, 0) };
        const check = (seen: readonly Seen[]): void => {
          let before = 0;
          for (const { progress } of seen) {
            const { listed, read, left, complete } = progress;
            expect(read.bytes).toBeGreaterThanOrEqual(before);
            before = read.bytes;
            expect(listed).toEqual({ objects: read.objects + left.objects, bytes: read.bytes + left.bytes });
            if (complete) expect(listed).toEqual(total);
            else expect(listed.objects <= total.objects && listed.bytes <= total.bytes).toBe(true);
          }
          expect(seen.at(-1)?.progress).toMatchObject({ read: total, complete: true });
        };
        const first = await readFrom(store, undefined, splits);
        check(first);
        const at = first[cut % first.length];
        if (at === undefined) throw new Error('nothing seen');
        const position = JSON.parse(JSON.stringify(at.position)) as Json;
        const rest = await readFrom(store, position, cut % 2 === 0 ? splits : {});
        expect(rest[0]?.progress.read).toEqual(at.progress.read);
        check(rest);
      }),
      { numRuns: 60 },
    );
  });

  it('counts every byte that is read, and what is found: a lower bound until all is listed', async () => {
    await fc.assert(
      fc.asyncProperty(contents, fc.integer({ min: 1, max: 5 }), fc.nat(), async (objects, limit, cut) => {
        const named = objects.map(({ root, hidden, lines }, i) => ({
          key: `${root}/${hidden ? '.' : ''}${String(i).padStart(2, '0')}`,
          hidden,
          lines,
        }));
        const all = named.filter(({ hidden }) => !hidden).sort((a, b) => (a.key < b.key ? -1 : 1));
        const store = paged(
          memoryWith(Object.fromEntries(named.map(({ key, lines }) => [key, bodyOf(lines)]))),
          limit,
        );
        const total = { objects: all.length, bytes: bytesOf(all.flatMap(({ lines }) => lines)) };
        const whole = all.flatMap(({ lines }) => lines);
        const check = (seen: readonly Seen[], before: number): void => {
          for (const { lines, progress } of seen) {
            const { listed, read, left, complete } = progress;
            expect(read.bytes).toBe(bytesOf(whole.slice(0, before + lines.length)));
            expect(listed).toEqual({
              objects: read.objects + left.objects,
              bytes: read.bytes + left.bytes,
            });
            if (complete) expect(listed).toEqual(total);
            else expect(listed.objects <= total.objects && listed.bytes <= total.bytes).toBe(true);
          }
          const none = { objects: 0, bytes: 0 };
          expect(seen.at(-1)?.progress).toMatchObject({ read: total, left: none, complete: true });
        };
        const first = await readFrom(store);
        check(first, 0);
        const at = first[cut % first.length];
        if (at === undefined) throw new Error('nothing seen');
        const rest = await readFrom(store, JSON.parse(JSON.stringify(at.position)) as Json);
        expect(rest[0]?.progress.read).toEqual(at.progress.read);
        check(rest, at.lines.length);
      }),
      { numRuns: 60 },
    );
  });

  it('of compressed objects is in stored bytes, and restored from the member that is read', async () => {
    const members = Array.from({ length: 6 }, (_, i) => gzipSync(`${String(i).repeat(40)}\n`.repeat(9)));
    const one = Buffer.concat(members);
    const store = memoryWith({ 'a/1.gz': one, 'a/2.gz': one });
    const total = { objects: 2, bytes: 2 * one.length };
    const seen = await readFrom(store);
    let before = 0;
    for (const { progress, position } of seen) {
      expect(progress.read.bytes).toBeGreaterThanOrEqual(before);
      expect(progress.listed.bytes).toBeLessThanOrEqual(total.bytes);
      before = progress.read.bytes;
      const restored = (await readFrom(store, position)).map((each) => each.progress);
      const start = restored[0]?.read.bytes ?? 0;
      expect(start).toBeLessThanOrEqual(before);
      expect(start).toBeGreaterThanOrEqual(progress.read.objects * one.length);
      expect(restored.at(-1)?.read).toEqual(total);
    }
    expect(before).toBe(total.bytes);
  });

  it('counts the requests that look for objects', async () => {
    const store = paged(memoryWith({ 'a/1': 'xxxxxxxxx\n', 'a/2': 'yyyyyyyyy\n', 'a/3': 'z\n' }), 2);
    const seen = await readFrom(store);
    expect(seen.at(-1)?.progress.requests).toEqual({ list: 3, head: 0 });
    const middle = seen.find(({ lines }) => lines.length === 2);
    const resumed = await readFrom(store, middle?.position);
    expect(resumed.at(-1)?.progress.requests).toEqual({ list: 2, head: 1 });
  });

  it('is known before the object is found that is being read', async () => {
    const store = memoryWith({ 'a/1': 'xxxxxxxxx\n', 'a/2': 'yyyyyyyyy\nyyyyyyyyy\n' });
    const middle = (await readFrom(store)).find(({ lines }) => lines.length === 2);
    const silent = { ...decorate(store, (_, run) => run), head: () => NEVER };
    const reader = open(silent, middle?.position);
    expect(reader.progress?.()).toMatchObject({
      read: { objects: 1, bytes: 20 },
      left: { objects: 1, bytes: 0 },
      complete: false,
    });
    reader.close();
  });
});
