import fc from 'fast-check';
import { concatMap, defer } from 'rxjs';
import type { Json } from '../../src/flow/index.js';
import { text } from '../../src/formats/text.js';
import type { ObjectPosition } from '../../src/sources/filesPosition.js';
import { decorate } from '../../src/store/decorators/decorate.js';
import type { ObjectStore } from '../../src/store/objectStore.js';
import { compressed, compressions } from '../formats/compress.js';
import { effort } from '../support/effort.js';
import { memoryWith, readAll, slicedFiles, type Reading } from './harness.js';

const through = (json: Json): Json => JSON.parse(JSON.stringify(json)) as Json;
const sorted = (records: readonly string[]): string[] => [...records].sort();

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
      { numRuns: effort(12, 150) },
    );
  });
});
