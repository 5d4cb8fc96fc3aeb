/** Formats that remember something of an object, and whose records are no lines. */
import fc from 'fast-check';
import type { Json } from '../../src/flow/index.js';
import type { Reader } from '../../src/formats/reader.js';
import { text } from '../../src/formats/text.js';
import type { ObjectStore } from '../../src/store/objectStore.js';
import { csv, csvLine, type CsvRow } from '../formats/csv.js';
import { frame, framed, type Framed } from '../formats/framed.js';
import { gzipMembers, memoryWith, readAll, slicedFiles } from './harness.js';

/** `RUNS=5000` looks harder. */
const runs = Number(process.env['RUNS'] ?? 100);

const value = fc.string({ unit: fc.constantFrom('a', 'é', ',', '"', '\n', ' '), maxLength: 8 });
const table = fc.integer({ min: 1, max: 3 }).chain((columns) =>
  fc.record({
    header: fc
      .constantFrom(...[0, 1, 2].map((shift) => ['x', 'y', 'z'].map((name) => `${name}${shift}`)))
      .map((names) => names.slice(0, columns)),
    rows: fc.array(fc.array(value, { minLength: columns, maxLength: columns }), { maxLength: 8 }),
  }),
);
const layout = fc.record({
  fragment: fc.integer({ min: 1, max: 40 }),
  window: fc.integer({ min: 1, max: 4 }),
  slice: fc.constantFrom(1, 7, 64, 65536),
});
const members = fc.option(fc.array(fc.nat(400), { maxLength: 4 }), { nil: undefined });

const through = (json: Json): Json => JSON.parse(JSON.stringify(json)) as Json;

/** Reads all; then, from each position that this run had, the rest. */
async function readFromEverywhere<T>(
  format: Reader<T>,
  contents: readonly Buffer[],
  extension: string,
  first: { readonly fragment: number; readonly window: number; readonly slice: number },
  second: typeof first,
  cuts: readonly number[] | undefined,
  expected: readonly T[],
): Promise<void> {
  const suffix = cuts === undefined ? extension : `${extension}.gz`;
  const objects = contents.map((content, i): [string, Buffer] => [
    `raw/${i}${suffix}`,
    cuts === undefined ? content : gzipMembers(content, cuts),
  ]);
  const store = memoryWith(Object.fromEntries(objects));
  const source = ({ fragment, window, slice }: typeof first): ReturnType<typeof slicedFiles<T>> =>
    slicedFiles('memory://lake/raw', { format, prefetch: { fragment, window } }, slice);
  const whole = await readAll(source(first), store);
  expect(whole.error).toBeUndefined();
  expect(whole.records).toEqual(expected);
  for (const { position, records } of whole.positions) {
    const rest = await readAll(source(second), store, through(position));
    expect(rest.error).toBeUndefined();
    expect(rest.records).toEqual(expected.slice(records));
    expect(rest.positions[0]!.position).toEqual(through(position));
  }
}

test('a table is read on from every position with the header of its object', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(table, { minLength: 1, maxLength: 3 }),
      layout,
      layout,
      members,
      async (tables, first, second, cuts) => {
        const contents = tables.map(({ header, rows }) =>
          Buffer.from([header, ...rows].map(csvLine).join('')),
        );
        const expected = tables.flatMap(({ header, rows }) =>
          rows.map((row): CsvRow => Object.fromEntries(row.map((each, i) => [header[i]!, each]))),
        );
        await readFromEverywhere(csv, contents, '.csv', first, second, cuts, expected);
      },
    ),
    { numRuns: runs },
  );
});

test('frames of binary content are read on from every position, and counted on', async () => {
  const object = fc.array(fc.uint8Array({ maxLength: 70 }), { maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(object, { minLength: 1, maxLength: 3 }),
      layout,
      layout,
      members,
      async (objects, first, second, cuts) => {
        const contents = objects.map((frames) => Buffer.concat(frames.map(frame)));
        const expected = objects.flatMap((frames) =>
          frames.map((content, index): Framed => ({ index, content: Buffer.from(content).toString('hex') })),
        );
        await readFromEverywhere(framed, contents, '.bin', first, second, cuts, expected);
      },
    ),
    { numRuns: runs },
  );
});

const rows = Buffer.from(['a,b', '1,2', '3,4', '5,6'].map((row) => `${row}\n`).join(''));
const small = { fragment: 4, window: 1 };

/** A store with a table, and the position after its first row. */
async function begun(): Promise<{ readonly store: ObjectStore; readonly position: Json }> {
  const store = memoryWith({ 'raw/0.csv': rows });
  const { positions } = await readAll(
    slicedFiles('memory://lake/raw', { format: csv, prefetch: small }, 1),
    store,
  );
  return { store, position: positions.find(({ records }) => records === 1)!.position };
}

const withObject = (position: Json, changed: Readonly<Record<string, Json | undefined>>): Json => {
  const { object, ...rest } = position as { readonly object: Json };
  return through({ ...rest, object: { ...(object as object), ...changed } });
};

describe('a position that another decoder made is refused', () => {
  const reread = async (format: Reader<unknown>, change: (position: Json) => Json): Promise<unknown> => {
    const { store, position } = await begun();
    const source = slicedFiles('memory://lake/raw', { format, prefetch: small }, 1);
    const { records } = await readAll(source, store, change(position));
    return records;
  };
  const same = (position: Json): Json => position;

  test('not when nothing differs', async () => {
    expect(await reread(csv, same)).toEqual([
      { a: '3', b: '4' },
      { a: '5', b: '6' },
    ]);
  });
  test.each<[string, Reader<unknown>, (position: Json) => Json, string]>([
    ['another format', text(), same, "was read with format 'csv', and not 'text' as it is set now"],
    [
      'no state',
      csv,
      (position) => withObject(position, { state: undefined }),
      "has no state of format 'csv'",
    ],
    [
      'a state of another form',
      csv,
      (position) => withObject(position, { state: { header: [1] } }),
      "has no state of format 'csv'",
    ],
    ['a state where the format has none', { ...text(), name: 'csv' }, same, "has no state of format 'csv'"],
    [
      'another kind',
      csv,
      (position) => ({ ...(position as object), kind: 'cursor' }),
      "is of kind 'cursor', and 'files' is needed",
    ],
    [
      'another version',
      csv,
      (position) => ({ ...(position as object), version: 2 }),
      'is of version 2, and this millrace reads version 1',
    ],
  ])('%s', async (_what, format, change, message) => {
    await expect(reread(format, change)).rejects.toMatchObject({
      code: 'BadPosition',
      message: expect.stringContaining(message) as string,
    });
  });
  test('unless nothing of the object was read', async () => {
    const { store, position } = await begun();
    const start = withObject(position, { offset: 0, line: 0, state: undefined });
    const { records, error } = await readAll(
      slicedFiles('memory://lake/raw', { format: text(), prefetch: small }, 1),
      store,
      start,
    );
    expect(error).toBeUndefined();
    expect(records).toEqual(['a,b', '1,2', '3,4', '5,6']);
  });
});

describe('a decoder whose state no checkpoint can hold ends the source', () => {
  const remembering = (state: unknown): Reader<unknown> => ({
    ...csv,
    decoder: (start) => Object.assign(csv.decoder(start), { state: () => state as Json }),
  });
  test.each<[string, unknown, string]>([
    ['not JSON', undefined, 'is not JSON'],
    ['too large', { header: ['x'.repeat(70_000)] }, 'and a checkpoint holds 65536'],
    ['refused by the format itself', { header: 1 }, 'is refused by its own isState'],
  ])('%s', async (_what, state, message) => {
    const store = memoryWith({ 'raw/0.csv': rows });
    const source = slicedFiles('memory://lake/raw', { format: remembering(state), prefetch: small }, 1);
    expect((await readAll(source, store)).error).toMatchObject({
      code: 'BadDecoderState',
      message: expect.stringContaining(message) as string,
    });
  });
});

test('a row over the maximum length is skipped, and the decoder goes on after it', async () => {
  const long = csvLine(['"'.repeat(50), 'x']);
  const store = memoryWith({
    'raw/0.csv': Buffer.concat([Buffer.from('a,b\n'), Buffer.from(long), Buffer.from('1,2\n')]),
  });
  const options = { format: csv, prefetch: small, maxLineBytes: 40, onMalformed: 'skip' } as const;
  const whole = await readAll(slicedFiles('memory://lake/raw', options, 1), store);
  expect(whole.error).toBeUndefined();
  expect(whole.records).toEqual([{ a: '1', b: '2' }]);
});
