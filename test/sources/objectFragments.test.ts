import fc from 'fast-check';
import { bounded, fragments, values, type ObjectFragment } from 'millrace';
import { createStores } from 'millrace/stores';
import { tap } from 'rxjs';
import type { Json } from '../../src/flow/index.js';
import { fragmentFormat } from '../../src/sources/objectFragments.js';
import { memoryWith, readAll, slicedFiles } from './harness.js';

const lake = (objects: Readonly<Record<string, Uint8Array>>) => {
  const store = memoryWith(objects);
  return { store, stores: createStores({ schemes: { memory: () => store } }) };
};

/** The bytes of each object, after checking that every fragment continues where the last one of its object ended. */
function joined(pieces: readonly ObjectFragment[], starts: ReadonlyMap<string, number> = new Map()) {
  const of = new Map<string, Buffer>();
  for (const { object, offset, bytes } of pieces) {
    const before = of.get(object) ?? Buffer.alloc(0);
    expect(offset).toBe((starts.get(object) ?? 0) + before.length);
    expect(bytes.length).toBeGreaterThan(0);
    of.set(object, Buffer.concat([before, bytes]));
  }
  return of;
}

describe('fragments', () => {
  const sizes = fc.record({
    fragment: fc.integer({ min: 1, max: 20 }),
    window: fc.integer({ min: 1, max: 4 }),
  });

  test('cut at any fragment border, it continues at the exact byte', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 60 }), { minLength: 1, maxLength: 3 }),
        sizes,
        sizes,
        async (contents, first, second) => {
          const store = memoryWith(Object.fromEntries(contents.map((bytes, i) => [`raw/${i}`, bytes])));
          const whole = contents.flatMap((bytes, i) =>
            bytes.length === 0 ? [] : [[`memory://lake/raw/${i}`, Buffer.from(bytes)] as const],
          );
          const read = (prefetch: typeof first, position?: Json) => {
            const options = { format: fragmentFormat, compression: 'none', prefetch } as const;
            return readAll(slicedFiles('memory://lake/raw', options, 1), store, position);
          };
          const all = await read(first);
          expect(all.error).toBeUndefined();
          expect([...joined(all.records)]).toEqual(whole);
          for (const { records, position } of all.positions) {
            const rest = await read(second, JSON.parse(JSON.stringify(position)) as Json);
            const before = joined(all.records.slice(0, records));
            const starts = new Map([...before].map(([object, bytes]) => [object, bytes.length]));
            const after = joined(rest.records, starts);
            for (const [object, bytes] of whole)
              expect(
                Buffer.concat([before.get(object) ?? Buffer.alloc(0), after.get(object) ?? Buffer.alloc(0)]),
              ).toEqual(bytes);
          }
        },
      ),
      { numRuns: 20 },
    ));

  test('each has the version and the size of its object, compressed or not', async () => {
    const content = Buffer.from([0x1f, 0x8b, 8, 0, 1, 2, 3]);
    const { stores } = lake({ 'a.gz': content, empty: Buffer.alloc(0), z: Buffer.from('z') });
    const got: ObjectFragment[] = [];
    await bounded(
      fragments('memory://lake/', { prefetch: { fragment: 4 } }),
      (flow) =>
        flow.pipe(
          values(),
          tap((each) => got.push(each)),
        ),
      { stores },
    );
    expect(got.map(({ object, offset, total }) => [object, offset, total])).toEqual([
      ['memory://lake/a.gz', 0, 7],
      ['memory://lake/z', 0, 1],
    ]);
    expect(new Set(got.map(({ etag }) => etag)).size).toBe(2);
  });

  test('an object that is replaced between two runs is an error', async () => {
    const { store } = lake({ 'raw/a': Buffer.alloc(30, 'a') });
    const options = { format: fragmentFormat, compression: 'none', prefetch: { fragment: 10 } } as const;
    const source = slicedFiles('memory://lake/raw', options, 1);
    const { positions } = await readAll(source, store);
    store.put('raw/a', Buffer.alloc(30, 'b')).subscribe();
    const { position } = positions.find(({ records }) => records === 1)!;
    const { error, records } = await readAll(source, store, position);
    expect(error).toMatchObject({ code: 'ObjectChanged', object: 'memory://lake/raw/a' });
    expect(records).toEqual([]);
  });

  test('options of formats are refused; messages name the source', () => {
    expect(() => fragments('memory://lake/', { format: 1 } as never)).toThrow(
      'fragments: format is not an option',
    );
    expect(() => fragments('memory://lake/', null as never)).toThrow('the options of fragments');
    expect(fragments('memory://lake/a').description).toBe('fragments memory://lake/a');
  });
});
