import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { MillraceError } from '../../../src/errors.js';
import { parquet, types } from '../../../src/formats/parquet/index.js';
import { parquetSeal } from '../../../src/formats/parquet/encoder.js';
import { everything, Checkpointed, Collected } from './files.js';
import { decoded } from './reading.js';

const schema = { id: types.int64, text: types.optional(types.string), doubles: types.list(types.double) };
const records = Array.from({ length: 10 }, (_, id) => ({
  id,
  text: id % 3 === 0 ? null : `row ${id}`,
  doubles: [id / 2, -0],
}));

/** A checkpoint with a row group of six rows, and four more rows. */
function checkpointed(): Checkpointed {
  const out = new Collected();
  const encoder = parquet({ schema, rowGroup: { rows: 6 } }).open(out);
  const checkpoint = new Checkpointed();
  for (const record of records) {
    encoder.write(record);
    checkpoint.take(out, encoder);
  }
  return checkpoint;
}

const codeOf = (seal: () => unknown): string => {
  try {
    seal();
    return 'sealed';
  } catch (error) {
    return (error as MillraceError).code;
  }
};

it('a file is sealed with the schema that it has, whatever the program has now', async () => {
  const other = parquet({ schema: { name: types.uuid }, compression: 'none' });
  expect(await decoded(checkpointed().sealed(other))).toEqual(records);
});

it('a checkpoint keeps only the rows since the last one', () => {
  const out = new Collected();
  const encoder = parquet({ schema }).open(out);
  const sizes = records.map((record) => {
    encoder.write(record);
    const { added, afresh } = encoder.persist!(false).rows!;
    return [added.length, afresh] as const;
  });
  const all = encoder.persist!(true).rows!;
  expect(sizes[0]?.[1]).toBe(true);
  expect(sizes.slice(1).every(([size, afresh]) => size < 60 && !afresh)).toBe(true);
  expect(all.afresh).toBe(true);
  expect(out.bytes).toHaveLength(0);
  expect(encoder.persist!(false).rows).toMatchObject({ added: Buffer.alloc(0), afresh: false });
});

it('rows that are cut off anywhere are refused, except between two checkpoints', async () => {
  const { bytes, state, rows } = checkpointed();
  let whole = 0;
  for (let length = 0; length < rows.length; length++) {
    const code = codeOf(() => parquetSeal.seal(state, rows.subarray(0, length)));
    if (code === 'FormatChanged') continue;
    expect(code).toBe('sealed');
    const file = Buffer.concat([bytes, parquetSeal.seal(state, rows.subarray(0, length))]);
    expect(await decoded(file)).toEqual(records.slice(0, 6 + whole++));
  }
  expect(whole).toBe(4);
});

it.each<readonly [string, (state: Record<string, unknown>) => unknown]>([
  ['no state', () => undefined],
  ['another version', (state) => ({ ...state, version: 2 })],
  ['another codec', (state) => ({ ...state, codec: 'LZ4' })],
  ['a column without a type', (state) => ({ ...state, fields: [{ name: 'id', type: { kind: 'int128' } }] })],
  ['two columns of a name', (state) => ({ ...state, fields: [state['fields'], state['fields']].flat(2) })],
  ['fewer columns', (state) => ({ ...state, fields: (state['fields'] as unknown[]).slice(1) })],
  ['a negative length', (state) => ({ ...state, length: -1 })],
  ['no groups', (state) => ({ ...state, groups: {} })],
])('a state with %s is refused', (_, change) => {
  const { state, rows } = checkpointed();
  const changed = change(JSON.parse(Buffer.from(state).toString()) as Record<string, unknown>);
  expect(codeOf(() => parquetSeal.seal(Buffer.from(JSON.stringify(changed) ?? ''), rows))).toBe(
    'FormatChanged',
  );
});

/** Checkpoints that this and earlier versions made. They are never changed: each version adds its own. */
const golden = 'test/formats/parquet/golden';
const current = `${golden}/checkpoint-1.json`;

const example = {
  id: 9007199254740993n,
  text: 'Grüße',
  small: -7,
  yes: true,
  single: 1.5,
  double: -0,
  raw: new Uint8Array([97]),
  day: new Date('2026-11-29'),
  millis: new Date('2026-11-29T12:00:00.123Z'),
  micros: new Date('1969-12-31T23:59:59.999Z'),
  nanos: new Date(0),
  price: 1.25,
  sum: -0.0001,
  exact: 0.5,
  doc: { n: [1, null] },
  key: '8d9f7b1a-0000-4000-8000-000000000001',
  maybe: NaN,
  list: [1, null, 3],
  lists: [[], ['a', 'b']],
  map: { a: 1, b: null },
  struct: { a: 1, b: [{ c: 'x', d: new Uint8Array([100]) }] },
};
const absent = { ...example, maybe: null, lists: null, struct: null };

describe('golden checkpoints', () => {
  if (process.env['MILLRACE_WRITE_GOLDEN'] === '1') {
    const out = new Collected();
    const encoder = everything.open(out);
    const checkpoint = new Checkpointed();
    for (const record of [example, absent]) encoder.write(record);
    encoder.flush!();
    for (const record of [absent, example]) {
      encoder.write(record);
      checkpoint.take(out, encoder);
    }
    const { bytes, state, rows } = checkpoint;
    const parts = { bytes, state: Buffer.from(state), rows };
    const text = Object.entries(parts).map(([name, part]) => [name, part.toString('base64')]);
    writeFileSync(current, `${JSON.stringify(Object.fromEntries(text), undefined, 2)}\n`);
  }

  it.each(readdirSync(golden))('%s is sealed', async (name) => {
    const parts = JSON.parse(readFileSync(`${golden}/${name}`, 'utf8')) as Record<string, string>;
    const [bytes, state, rows] = ['bytes', 'state', 'rows'].map((part) =>
      Buffer.from(parts[part] ?? '', 'base64'),
    );
    const file = Buffer.concat([bytes!, parquetSeal.seal(state!, rows!)]);
    expect(await decoded(file)).toEqual([example, absent, absent, example]);
  });
});
