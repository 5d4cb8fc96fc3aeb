/** Types of columns: plain data, which a checkpoint keeps with the rows that it holds. */
import { InvalidOption } from '../../config/units.js';
import { isRecord } from '../../shape.js';

/** The unit of timestamps. */
export type TimestampUnit = 'millis' | 'micros' | 'nanos';

const plainKinds = [
  'string',
  'int32',
  'int64',
  'float',
  'double',
  'boolean',
  'bytes',
  'json',
  'uuid',
  'date',
] as const;

type PlainKind = (typeof plainKinds)[number];

/** A type without its TypeScript types. */
export type TypeNode = { readonly optional?: boolean } & (
  | { readonly kind: PlainKind }
  | { readonly kind: 'timestamp'; readonly unit: TimestampUnit }
  | { readonly kind: 'decimal'; readonly precision: number; readonly scale: number }
  | { readonly kind: 'list'; readonly item: TypeNode }
  | { readonly kind: 'map'; readonly value: TypeNode }
  | { readonly kind: 'struct'; readonly fields: readonly Field[] }
);

/** A column, or a field of a struct. */
export interface Field {
  readonly name: string;
  readonly type: TypeNode;
}

declare const values: unique symbol;

/** The type of a column, from `types`. `W`: the values that can be written. `R`: those that are read. */
export interface ParquetType<in W = never, out R = unknown> {
  readonly kind: string;
  readonly optional?: boolean;
  /** For the compiler only. */
  readonly [values]?: { readonly write: (value: W) => void; readonly read: R };
}

/** Columns by their names, in order. */
export type ParquetFields = Readonly<Record<string, ParquetType>>;

/** The records that can be written with a schema. */
export type ParquetRecord<S extends ParquetFields> = {
  readonly [
    K in keyof S as S[K] extends ParquetType<infer W> ? (undefined extends W ? never : K) : never
  ]: S[K] extends ParquetType<infer W> ? W : never;
} & {
  readonly [
    K in keyof S as S[K] extends ParquetType<infer W> ? (undefined extends W ? K : never) : never
  ]?: S[K] extends ParquetType<infer W> ? W : never;
};

/** The records that are read with a schema. */
export type ParquetRow<S extends ParquetFields> = {
  readonly [K in keyof S]: S[K] extends ParquetType<never, infer R> ? R : never;
};

/** A decimal: an exact number in any form. */
type Decimal = number | bigint | string | { readonly text: string };

const of = <W, R = W>(type: TypeNode): ParquetType<W, R> => Object.freeze(type);
const node = (type: ParquetType): TypeNode => type as unknown as TypeNode;

function decimal(
  precision: number,
  scale = 0,
): ParquetType<Decimal, number | bigint | { readonly text: string }> {
  const rule = 'precision from 1 to 38, and scale from 0 to precision';
  const type = { kind: 'decimal', precision, scale } as const;
  if (!isNode(type)) throw new InvalidOption('types.decimal', [precision, scale], rule);
  return of(type);
}

function timestamp(unit: TimestampUnit = 'micros'): ParquetType<Date | string | bigint, Date | string> {
  if (!isUnit(unit)) throw new InvalidOption('types.timestamp', unit, "'millis', 'micros' or 'nanos'");
  return of({ kind: 'timestamp', unit });
}

function optional<W, R>(type: ParquetType<W, R>): ParquetType<W | null | undefined, R | null> {
  return of({ ...checked('types.optional', type), optional: true });
}

function list<W, R>(item: ParquetType<W, R>): ParquetType<readonly W[], readonly R[]> {
  return of({ kind: 'list', item: checked('types.list', item) });
}

function map<W, R>(
  value: ParquetType<W, R>,
): ParquetType<Readonly<Record<string, W>> | ReadonlyMap<string, W>, Readonly<Record<string, R>>> {
  return of({ kind: 'map', value: checked('types.map', value) });
}

function struct<const S extends ParquetFields>(fields: S): ParquetType<ParquetRecord<S>, ParquetRow<S>> {
  return of({ kind: 'struct', fields: fieldsOf('types.struct', fields) });
}

/** Without `bytes`, whose type is annotated: an inferred `Uint8Array` would have arguments that are new in TypeScript 5.7. */
const simple = {
  string: of<string>({ kind: 'string' }),
  int32: of<number>({ kind: 'int32' }),
  int64: of<number | bigint>({ kind: 'int64' }),
  float: of<number>({ kind: 'float' }),
  double: of<number>({ kind: 'double' }),
  boolean: of<boolean>({ kind: 'boolean' }),
  json: of<unknown>({ kind: 'json' }),
  uuid: of<string>({ kind: 'uuid' }),
  date: of<Date | string>({ kind: 'date' }),
  timestamp,
  decimal,
  optional,
  list,
  map,
  struct,
};

/**
 * Types of columns. A value that does not fit its column exactly is refused, except that `float` rounds.
 *
 * - `string`: a string without lone surrogates. `uuid`: a string with its five groups. `json`: anything with a JSON form.
 * - `int32`: an integer from -2³¹ to 2³¹-1. `int64`: a safe integer, or a `bigint` from -2⁶³ to 2⁶³-1.
 * - `double`, `float`: a number; NaN, infinities and -0 are kept. A finite number beyond the range of `float` is refused.
 * - `decimal(precision, scale)`: a number, a `bigint`, a `JsonNumber`, or a string of digits.
 * - `boolean`; `bytes`: a `Uint8Array`, which is copied.
 * - `date`: a `Date` at midnight UTC, or `'2026-11-29'`.
 * - `timestamp(unit)`: a `Date`, a string in ISO 8601 with `Z` or an offset, or a `bigint` in the unit: `'millis'`, `'micros'`
 *   (default) or `'nanos'`.
 * - `list(type)`, `map(type)` (keys are strings), `struct({ name: type })`, and `optional(type)`, which also takes `null` and
 *   `undefined`.
 *
 * Errors: `InvalidOption`.
 *
 * @example
 * ```ts
 * const visit = { id: types.int64, at: types.timestamp(), tags: types.list(types.string), note: types.optional(types.string) };
 * ```
 */
export const types: Readonly<typeof simple> & { readonly bytes: ParquetType<Uint8Array, Uint8Array> } =
  Object.freeze({ ...simple, bytes: of<Uint8Array>({ kind: 'bytes' }) });

/** Throws `InvalidOption` unless these are columns. Callers may be JavaScript. */
export function fieldsOf(key: string, given: ParquetFields): Field[] {
  if (!isRecord(given) || Object.keys(given).length === 0)
    throw new InvalidOption(key, given, 'an object with at least one column');
  return Object.entries(given).map(([name, type]) => ({ name, type: checked(`${key}.${name}`, type) }));
}

function checked(key: string, type: ParquetType): TypeNode {
  if (isNode(type)) return node(type);
  throw new InvalidOption(
    key,
    type,
    `one of types of millrace/parquet${typeof type === 'function' ? called(type) : ''}`,
  );
}

/** `types.timestamp` instead of `types.timestamp()`. */
function called(type: unknown): string {
  const [name] = Object.entries(types).find(([, each]) => each === type) ?? [];
  if (name === undefined) return '';
  return `: call types.${name}, as in types.${name}(${name === 'timestamp' ? '' : '…'})`;
}

const isUnit = (value: unknown): boolean => value === 'millis' || value === 'micros' || value === 'nanos';

/** Deeper types than this are refused, because everything that walks them is recursive. */
const maxDepth = 64;

/** Whether a value is a type: given by a caller, or read from a checkpoint. */
export function isNode(value: unknown, depth = 0): boolean {
  if (!isRecord(value) || depth > maxDepth) return false;
  const { kind, optional: may, precision, scale } = value;
  if (may !== undefined && typeof may !== 'boolean') return false;
  switch (kind) {
    case 'timestamp':
      return isUnit(value['unit']);
    case 'decimal':
      return isWhole(precision, 1, 38) && isWhole(scale, 0, precision as number);
    case 'list':
      return isNode(value['item'], depth + 1);
    case 'map':
      return isNode(value['value'], depth + 1);
    case 'struct':
      return areFields(value['fields'], depth + 1);
    default:
      return plainKinds.includes(kind as PlainKind);
  }
}

/** Whether a value is a list of columns with different names. */
export const areFields = (value: unknown, depth = 0): value is readonly Field[] =>
  Array.isArray(value) &&
  value.length > 0 &&
  value.every((each) => isRecord(each) && typeof each['name'] === 'string' && isNode(each['type'], depth)) &&
  new Set(value.map(({ name }: Field) => name)).size === value.length;

const isWhole = (value: unknown, least: number, most: number): boolean =>
  Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
