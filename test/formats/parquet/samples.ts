import fc from 'fast-check';
import { parseExactly } from '../../../src/formats/jsonNumbers.js';
import { types, type ParquetType } from '../../../src/formats/parquet/index.js';

/** A type, the values that it takes, and what is read of them. */
export interface Sample {
  readonly type: ParquetType;
  readonly values: fc.Arbitrary<unknown>;
  readonly read: (value: never) => unknown;
}

const same = (value: unknown): unknown => value;

const integer = (value: bigint | number): unknown => {
  const near = Number(value);
  return Number.isSafeInteger(near) ? near + 0 : value;
};

const millis = (unit: bigint) => (value: Date | bigint) =>
  typeof value === 'bigint' ? new Date(Number(value / unit - (value % unit < 0n ? 1n : 0n))) : value;

const instant = (min: string, max: string): fc.Arbitrary<Date> =>
  fc.date({ min: new Date(min), max: new Date(max), noInvalidDate: true });

const timestamps = (unit: 'millis' | 'micros' | 'nanos', per: bigint, min: string, max: string): Sample => ({
  type: types.timestamp(unit),
  values: fc.oneof(instant(min, max), fc.bigInt({ min: -(2n ** 42n) * per, max: 2n ** 42n * per })),
  read: millis(per),
});

const decimals = (precision: number, scale: number): Sample => ({
  type: types.decimal(precision, scale),
  values: fc
    .bigInt({ min: -(10n ** BigInt(precision)) + 1n, max: 10n ** BigInt(precision) - 1n })
    .map((unscaled) => {
      const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, '0');
      const point = digits.length - scale;
      return `${unscaled < 0n ? '-' : ''}${digits.slice(0, point)}${scale > 0 ? `.${digits.slice(point)}` : ''}`;
    }),
  read: (text: string) => (text.replace(/[-.]/g, '').length <= 15 ? Number(text) : parseExactly(text)),
});

/** Any well-formed string, but hyparquet takes a byte order mark away when it reads. */
const strings = fc
  .oneof(
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.constantFrom('', '__proto__', '\u0000', 'x'.repeat(100)),
  )
  .filter((text) => !text.startsWith('\uFEFF'));
/** And a key that is the name of the prototype. */
const keys = strings.filter((text) => text !== '__proto__');
const doubles = fc.oneof(fc.double(), fc.constantFrom(-0, NaN, Infinity, -Infinity, 1));

const plainSamples: readonly Sample[] = [
  { type: types.string, values: strings, read: same },
  { type: types.int32, values: fc.oneof(fc.integer(), fc.constantFrom(-0, 1)), read: integer },
  {
    type: types.int64,
    values: fc.oneof(fc.maxSafeInteger(), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
    read: integer,
  },
  { type: types.float, values: fc.float(), read: same },
  { type: types.double, values: doubles, read: same },
  { type: types.boolean, values: fc.boolean(), read: same },
  { type: types.bytes, values: fc.uint8Array({ maxLength: 40 }), read: same },
  {
    type: types.json,
    values: fc.jsonValue({ maxDepth: 2 }),
    read: (value: unknown) => parseExactly(JSON.stringify(value)),
  },
  { type: types.uuid, values: fc.uuid(), read: same },
  {
    type: types.date,
    values: fc.integer({ min: -100_000_000, max: 100_000_000 }).map((days) => new Date(days * 86_400_000)),
    read: same,
  },
  timestamps('millis', 1n, '-271821-04-20T00:00:00Z', '+275760-09-13T00:00:00Z'),
  timestamps('micros', 1000n, '-271821-04-20T00:00:00Z', '+275760-09-13T00:00:00Z'),
  timestamps('nanos', 1_000_000n, '1680-01-01T00:00:00Z', '2260-01-01T00:00:00Z'),
  decimals(9, 2),
  decimals(18, 18),
  decimals(38, 10),
  decimals(20, 0),
];

const orNull = ({ type, values, read }: Sample): Sample => ({
  type: types.optional(type),
  values: fc.option(values),
  read: (value: never) => (value === null ? null : read(value)),
});

const listOf = ({ type, values, read }: Sample): Sample => ({
  type: types.list(type),
  values: fc.array(values, { maxLength: 4 }),
  read: (value: never[]) => value.map((each) => read(each)),
});

const mapOf = ({ type, values, read }: Sample): Sample => ({
  type: types.map(type),
  values: fc
    .uniqueArray(fc.tuple(keys, values), { maxLength: 4, selector: ([key]) => key })
    .map((entries) => new Map(entries)),
  read: (value: ReadonlyMap<string, never>) => recordOf([...value].map(([key, each]) => [key, read(each)])),
});

const structOf = (samples: readonly Sample[]): Sample => {
  const named = samples.map((sample, i) => [`f${i}`, sample] as const);
  return {
    type: types.struct(Object.fromEntries(named.map(([name, { type }]) => [name, type]))),
    values: fc.record(Object.fromEntries(named.map(([name, { values }]) => [name, values]))),
    read: (value: Readonly<Record<string, never>>) =>
      recordOf(named.map(([name, { read }]) => [name, read(value[name] as never)])),
  };
};

function recordOf(entries: readonly (readonly [string, unknown])[]): object {
  const record = {};
  for (const [name, value] of entries)
    Object.defineProperty(record, name, { value, enumerable: true, writable: true, configurable: true });
  return record;
}

/** Samples of types of any shape. */
const anySample = fc.letrec<{ readonly any: Sample; readonly plain: Sample }>((tie) => ({
  plain: fc.constantFrom(...plainSamples),
  any: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    tie('plain'),
    tie('any').map(orNull),
    tie('any').map(listOf),
    tie('any').map(mapOf),
    fc.array(tie('any'), { minLength: 1, maxLength: 3 }).map(structOf),
  ),
})).any;

/** A schema, records of it, and what is read of them. */
export interface Table {
  readonly schema: Readonly<Record<string, ParquetType>>;
  readonly records: readonly object[];
  readonly rows: readonly unknown[];
}

const named = fc.uniqueArray(
  fc.oneof(fc.constantFrom('id', '__proto__', 'constructor', 'a.b', '0'), strings),
  {
    minLength: 1,
    maxLength: 4,
  },
);

export const tables = (maxLength: number): fc.Arbitrary<Table> =>
  named.chain((names) =>
    fc.array(anySample, { minLength: names.length, maxLength: names.length }).chain((samples) => {
      const columns = names.map((name, i) => [name, samples[i]!] as const);
      const record = fc
        .tuple(...columns.map(([, { values }]) => values))
        .map((values) => recordOf(columns.map(([name], i) => [name, values[i]])));
      return fc.array(record, { maxLength, size: 'max' }).map((records): Table => ({
        schema: recordOf(columns.map(([name, { type }]) => [name, type])) as Table['schema'],
        records,
        rows: records.map((each) =>
          recordOf(
            columns.map(([name, { read }]) => [
              name,
              read(Object.getOwnPropertyDescriptor(each, name)?.value as never),
            ]),
          ),
        ),
      }));
    }),
  );
