import fc from 'fast-check';
import type { Json } from '../../src/flow/index.js';
import type { FilesOptions } from '../../src/sources/files.js';
import { compressed, compressions } from '../formats/compress.js';
import { memoryWith, readAll, slicedFiles } from './harness.js';
import { effort } from '../support/effort.js';

/** `RUNS=1000` looks harder. */
const runs = { numRuns: Number(process.env['RUNS'] ?? effort(6, 40)) };

/** An object, and what is in it. */
export interface Sample<T> {
  readonly content: Buffer;
  readonly records: readonly T[];
  readonly malformed: number;
}

export const maxLineBytes = 40;

export interface Cutting {
  readonly maxLineBytes?: number;
  /** The maximum size of fragments. */
  readonly fragment?: number;
  /** Whether objects may be compressed as a whole. Default true. */
  readonly compressed?: boolean;
}

const stored = <T>(sample: fc.Arbitrary<Sample<T>>, compressible: boolean) =>
  fc.record({
    sample,
    codec: fc.constantFrom(undefined, ...(compressible ? compressions : [])),
    cuts: fc.array(fc.nat(400), { maxLength: 4 }),
  });
const sizesOf = (fragment: number) =>
  fc.record({ fragment: fc.integer({ min: 1, max: fragment }), window: fc.integer({ min: 1, max: 4 }) });

/** Every poll hands over one record, so that there is a position after each, and after each fragment that came before it. */
export async function everyCut<T>(
  format: FilesOptions<T>['format'],
  sample: fc.Arbitrary<Sample<T>>,
  { maxLineBytes: most = maxLineBytes, fragment = 40, compressed: compressible = true }: Cutting = {},
): Promise<void> {
  const sizes = sizesOf(fragment);
  await fc.assert(
    fc.asyncProperty(
      fc.array(stored(sample, compressible), { minLength: 1, maxLength: 3 }),
      sizes,
      sizes,
      async (objects, first, second) => {
        const store = memoryWith(
          Object.fromEntries(
            objects.map(({ sample: { content }, codec, cuts }, i) => [
              `raw/${i}${codec === undefined ? '' : `.${codec.extension}`}`,
              codec === undefined ? content : compressed(codec, content, cuts),
            ]),
          ),
        );
        const records = objects.flatMap((object) => object.sample.records);
        const malformed = objects.reduce((sum, object) => sum + object.sample.malformed, 0);
        const read = (prefetch: typeof first, position?: Json) =>
          readAll(
            slicedFiles(
              'memory://lake/raw',
              { format, prefetch, maxLineBytes: most, onMalformed: 'skip' },
              1,
            ),
            store,
            position,
          );
        const whole = await read(first);
        expect(whole.error).toBeUndefined();
        expect(whole.records).toEqual(records);
        expect(whole.positions.at(-1)!.position).toMatchObject({ skipped: malformed });
        for (const cut of new Map(whole.positions.map((each) => [JSON.stringify(each), each])).values()) {
          const position = JSON.parse(JSON.stringify(cut.position)) as Json;
          const rest = await read(second, position);
          expect(rest.error).toBeUndefined();
          expect(rest.records).toEqual(records.slice(cut.records));
          expect(rest.positions[0]!.position).toEqual(position);
          expect(rest.positions.at(-1)!.position).toMatchObject({ skipped: malformed });
        }
      },
    ),
    runs,
  );
}
