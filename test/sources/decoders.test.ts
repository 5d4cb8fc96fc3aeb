import fc from 'fast-check';
import { NEVER } from 'rxjs';
import { systemClock, type Json } from '../../src/flow/index.js';
import type { ObjectDecoder, Reader } from '../../src/formats/reader.js';
import { jsonArray } from '../../src/formats/jsonArray.js';
import { text } from '../../src/formats/text.js';
import { whole } from '../../src/formats/whole.js';
import { deadLetter, files } from '../../src/sources/files.js';
import type { ObjectStore } from '../../src/store/objectStore.js';
import { counting } from '../../src/store/decorators/counting.js';
import { csv as csvFormat, type CsvRow } from '../../src/formats/csv/csv.js';
import { frame, framed, type Framed } from '../formats/framed.js';
import { everyCut, maxLineBytes, type Sample } from './everyCut.js';
import { attemptOver, memoryWith, readAll, slicedFiles } from './harness.js';

const csv = csvFormat();

const framedSample: fc.Arbitrary<Sample<Framed>> = fc
  .record({
    frames: fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 10 }),
    cut: fc.boolean(),
  })
  .map(({ frames, cut }) => {
    const whole = frames.map(frame);
    const all = frames.map((content, index) => ({ index, content: Buffer.from(content).toString('hex') }));
    const last = whole.at(-1);
    const short = cut && last !== undefined;
    if (short) whole[whole.length - 1] = last.subarray(0, -1);
    const good = all.filter((_, i) => whole[i]!.length <= maxLineBytes && !(short && i === whole.length - 1));
    return { content: Buffer.concat(whole), records: good, malformed: all.length - good.length };
  });

describe('a decoder with state', () => {
  it('framed: a run that is cut after any record, at any fragment, continues with the count', async () => {
    await everyCut(framed, framedSample);
  });

  it('an object of several fragments is not read again for its header', async () => {
    const rows = Array.from({ length: 500 }, (_, i) => `${i},${'x'.repeat(10)}\n`);
    const whole = 'n,text\n' + rows.join('');
    const { store, counts } = counting(memoryWith({ 'raw/a.csv': whole }));
    const source = slicedFiles('memory://lake/raw', { format: csv, prefetch: { fragment: 64 } }, 1);
    const { position } = (await readAll(source, store)).positions.find((each) => each.records === 490)!;
    expect(position).toMatchObject({ object: { format: 'csv', state: { names: ['n', 'text'] } } });
    const before = counts();
    const rest = await readAll(source, store, position);
    expect(rest.records[0]).toEqual({ n: '490', text: 'x'.repeat(10) });
    expect(counts().bytesDown - before.bytesDown).toBe(rows.slice(490).join('').length);
  });

  it('a row that is too long counts the lines in its quotes', async () => {
    const store = memoryWith({ 'raw/a.csv': `n,text\n1,"${'x\n'.repeat(30)}"\n2\n` });
    for (const fragment of [5, 1000]) {
      const letters = deadLetter(() => NEVER);
      const options = { format: csv, prefetch: { fragment }, maxLineBytes: 40, onMalformed: letters };
      const read = await readAll(slicedFiles('memory://lake/raw', options, 1), store);
      expect(read.letters.map(({ line, reason }) => [line, reason])).toEqual([
        [2, 'longer than 40 bytes'],
        [33, '1 value instead of 2'],
      ]);
    }
  });

  it('an error of a callback names the record, which is found with the state before its block', () => {
    const store = memoryWith({ 'raw/a.csv': 'n,text\n1,"a\nb"\n2,c\n3,d\n' });
    const attempt = attemptOver(store, systemClock);
    const reader = files('memory://lake/raw', { format: csv }).open({
      id: 'in',
      attempt,
      position: undefined,
      ready: () => undefined,
      fail: (error) => {
        throw error;
      },
    });
    const boom = new Error('boom');
    const out = {
      taken: 0,
      turnOver: false,
      record: (row: CsvRow) => {
        if (row['n'] === '3') throw boom;
        out.taken++;
      },
      deadLetter: () => undefined,
    };
    expect(() => reader.poll(out)).toThrow(boom);
    expect(reader.place?.()).toEqual({ object: 'memory://lake/raw/a.csv', offset: 19, line: 5 });
    reader.close();
  });
});

it('an object that is one record is malformed if it is longer than maxLineBytes', async () => {
  const store = memoryWith({ 'raw/a': 'x'.repeat(41), 'raw/b': 'y'.repeat(40), 'raw/c': '' });
  const options = { format: whole(), maxLineBytes: 40, prefetch: { fragment: 7 } };
  const skipping = await readAll(files('memory://lake/raw', { ...options, onMalformed: 'skip' }), store);
  expect(skipping.records).toEqual([{ uri: 'memory://lake/raw/b', content: Buffer.alloc(40, 'y') }]);
  expect(skipping.positions.at(-1)?.position).toMatchObject({ skipped: 1 });
  const failing = await readAll(files('memory://lake/raw', options), store);
  expect(failing.error).toMatchObject({
    code: 'MalformedRecord',
    object: 'memory://lake/raw/a',
    reason: 'longer than 40 bytes',
  });
});

it('an element of a JSON array that is too long and does not end is one malformed record', async () => {
  const store = memoryWith({
    'raw/a': `[1,${'x'.repeat(50)}`,
    'raw/b': `["${'x,]'.repeat(20)}`,
    'raw/c': `[2,"${'x'.repeat(50)}",3`,
    'raw/d': `[${'x'.repeat(50)}]`,
  });
  for (const fragment of [7, 1000]) {
    const letters = deadLetter(() => NEVER);
    const options = { format: jsonArray(), maxLineBytes: 40, prefetch: { fragment }, onMalformed: letters };
    const read = await readAll(slicedFiles('memory://lake/raw', options, 1), store);
    expect(read.records).toEqual([1, 2]);
    expect(read.letters.map(({ object, offset, reason }) => [object.at(-1), offset, reason])).toEqual([
      ['a', 3, 'longer than 40 bytes'],
      ['b', 0, 'longer than 40 bytes'],
      ['c', 3, 'longer than 40 bytes'],
      ['c', 56, 'the array does not end'],
      ['d', 0, 'longer than 40 bytes'],
    ]);
  }
});

describe('a state that a checkpoint cannot store is BadDecoderState', () => {
  const lines = (state: unknown, isState?: Reader<string>['isState']): Reader<string> => ({
    name: 'own',
    decoder: (): ObjectDecoder<string> => ({
      first: (bytes, from, to) => (from < to ? bytes.indexOf('\n', from) + 1 || -1 : -1),
      last: (bytes, from, to) => bytes.subarray(from, to).lastIndexOf('\n') + 1 + from || -1,
      decode: (block, _start, _line, on) => {
        on(block.toString());
        return 1;
      },
      state: () => state as Json,
    }),
    ...(isState === undefined ? {} : { isState }),
  });
  const loop: Record<string, unknown> = {};

  it.each<[string, Reader<string>, string]>([
    ['no JSON', lines(loop['none'], () => true), 'is not JSON'],
    ['more than 64 KiB', lines('ä'.repeat(40_000), () => true), 'takes 80002 bytes, and the limit is 65536'],
    ['refused by the format itself', lines('x', () => false), 'is rejected by its own isState'],
    ['not checked by the format', lines('x'), 'is rejected by its own isState'],
  ])('%s', async (_, format, what) => {
    const store = memoryWith({ 'raw/a': 'a\nb\n' });
    const reading = readAll(slicedFiles('memory://lake/raw', { format }, 1), store).catch(
      (error: unknown) => ({ error }),
    );
    const { error } = await reading;
    expect(error).toMatchObject({ code: 'BadDecoderState', retryable: false });
    expect(String(error)).toContain(`of format 'own' has in memory://lake/raw/a ${what}`);
  });

  it('a state of 64 KiB is fine', async () => {
    const format = lines('x'.repeat(65_534), () => true);
    const { error } = await readAll(
      slicedFiles('memory://lake/raw', { format }, 1),
      memoryWith({ 'raw/a': 'a\nb\n' }),
    );
    expect(error).toBeUndefined();
  });
});

const through = (json: Json): Json => JSON.parse(JSON.stringify(json)) as Json;

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

  test('but not if nothing differs', async () => {
    expect(await reread(csv, same)).toEqual([
      { a: '3', b: '4' },
      { a: '5', b: '6' },
    ]);
  });
  test.each<[string, Reader<unknown>, (position: Json) => Json, string]>([
    [
      'another format',
      text(),
      same,
      "is in the middle of memory://lake/raw/0.csv, which was read with format 'csv'; the format is now 'text'",
    ],
    [
      'no state',
      csv,
      (position) => withObject(position, { state: undefined }),
      "has no state of format 'csv' for memory://lake/raw/0.csv.",
    ],
    [
      'a state of another form',
      csv,
      (position) => withObject(position, { state: { names: [1] } }),
      "has no state of format 'csv'",
    ],
    ['a state where the format has none', { ...text(), name: 'csv' }, same, "has no state of format 'csv'"],
    [
      'another kind',
      csv,
      (position) => ({ ...(position as object), kind: 'cursor' }),
      "is of kind 'cursor' instead of 'files'",
    ],
    [
      'another version',
      csv,
      (position) => ({ ...(position as object), version: 4 }),
      'is of version 4, but this millrace reads version 1, 2 and 3',
    ],
  ])('%s', async (_what, format, change, message) => {
    await expect(reread(format, change)).rejects.toMatchObject({
      code: 'BadPosition',
      message: expect.stringContaining(message) as string,
    });
  });
  test('nor if nothing of the object was read', async () => {
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
