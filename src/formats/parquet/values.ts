/**
 * Values of columns, by the types of the file's schema. The same rules as for JSON apply: a number that a double cannot
 * represent is a `bigint` or a `JsonNumber`, and every other one is a `number`.
 *
 * hyparquet converts decimals to doubles and dates to milliseconds. So `plain` takes these types out of the schema, and
 * the raw values are converted here, one record at a time.
 */
import type { FileMetaData, SchemaElement, SchemaTree } from 'hyparquet';
import { parseExactly } from '../jsonNumbers.js';
import {
  BadValue,
  date,
  decimal,
  integer,
  nanos,
  setProperty,
  timestamp,
  timestampText,
  timeText,
  unscaled,
  type Dates,
  type Unit,
} from '../typedValues.js';

/** What hyparquet does not convert. */
type Kind =
  | { readonly kind: 'decimal'; readonly scale: number }
  | { readonly kind: 'timestamp' | 'time'; readonly unit: Unit }
  | { readonly kind: 'date' | 'json' | 'text' | 'bytes' };

export type Kinds = ReadonlyMap<SchemaElement, Kind>;

/** Takes the types that are converted here out of the schema, which it modifies. */
export function plain(metadata: FileMetaData): Kinds {
  const kinds = new Map<SchemaElement, Kind>();
  for (const element of metadata.schema) {
    const kind = kindOf(element);
    if (kind === undefined) continue;
    kinds.set(element, kind);
    delete element.converted_type;
    delete element.logical_type;
    if (kind.kind === 'json' || kind.kind === 'text') element.converted_type = 'UTF8';
  }
  return kinds;
}

function kindOf({
  type,
  converted_type: old,
  logical_type: logical,
  scale,
}: SchemaElement): Kind | undefined {
  if (type === undefined) return undefined;
  if (logical?.type === 'DECIMAL') return { kind: 'decimal', scale: logical.scale };
  if (old === 'DECIMAL') return { kind: 'decimal', scale: scale ?? 0 };
  if (logical?.type === 'TIMESTAMP') return { kind: 'timestamp', unit: logical.unit };
  if (logical?.type === 'TIME') return { kind: 'time', unit: logical.unit };
  if (old === 'TIMESTAMP_MILLIS') return { kind: 'timestamp', unit: 'MILLIS' };
  if (old === 'TIMESTAMP_MICROS') return { kind: 'timestamp', unit: 'MICROS' };
  if (old === 'TIME_MILLIS') return { kind: 'time', unit: 'MILLIS' };
  if (old === 'TIME_MICROS') return { kind: 'time', unit: 'MICROS' };
  if (old === undefined && type === 'INT96') return { kind: 'timestamp', unit: 'NANOS' };
  if (logical?.type === 'DATE' || old === 'DATE') return { kind: 'date' };
  if (logical?.type === 'JSON' || old === 'JSON') return { kind: 'json' };
  if (old === 'ENUM' || logical?.type === 'ENUM') return { kind: 'text' };
  if (old === 'BSON' || old === 'INTERVAL') return { kind: 'bytes' };
  return undefined;
}

/** hyparquet converts INT96 by a parser. Everything else that has one is converted here, or has no need of it. */
export const parsers = {
  timestampFromNanoseconds: (nanos: bigint): unknown => nanos,
};

/** A function that converts the values of a column. */
export function converter(tree: SchemaTree, kinds: Kinds, dates: Dates): (value: unknown) => unknown {
  const { element, children } = tree;
  const [only] = children;
  let one: (value: unknown) => unknown;
  if (only === undefined) one = leaf(kinds.get(element), dates);
  else if (element.converted_type === 'LIST' && children.length === 1) {
    const inner = only.children.length === 1 ? (only.children[0] ?? only) : only;
    const each = converter(inner, kinds, dates);
    one = (value) => (Array.isArray(value) ? value.map((item) => each(item)) : each(value));
  } else if (element.converted_type === 'MAP' && children.length === 1) {
    const named = only.children.find((child) => child.element.name === 'value');
    const item = named === undefined ? generic : converter(named, kinds, dates);
    one = (value) => mapped(value, () => item);
  } else if (element.logical_type?.type === 'VARIANT') one = generic;
  else {
    const fields = new Map(children.map((child) => [child.element.name, converter(child, kinds, dates)]));
    one = (value) => mapped(value, (name) => fields.get(name) ?? generic);
  }
  if (element.repetition_type !== 'REPEATED') return orNull(one);
  const each = orNull(one);
  return (value) => (Array.isArray(value) ? value.map((item) => each(item)) : each(value));
}

const orNull =
  (convert: (value: unknown) => unknown): ((value: unknown) => unknown) =>
  (value) =>
    value === undefined || value === null ? null : convert(value);

function mapped(value: unknown, of: (name: string) => (value: unknown) => unknown): unknown {
  if (typeof value !== 'object' || value === null) return generic(value);
  const result: Record<string, unknown> = {};
  for (const [name, each] of Object.entries(value)) setProperty(result, name, of(name)(each));
  return result;
}

function leaf(kind: Kind | undefined, dates: Dates): (value: unknown) => unknown {
  switch (kind?.kind) {
    case undefined:
    case 'text':
    case 'bytes':
      return generic;
    case 'decimal':
      return (value) => decimal(unscaled(value), kind.scale);
    case 'timestamp':
      return dates === 'text'
        ? (value) => timestampText(nanos(value, kind.unit))
        : (value) => timestamp(nanos(value, kind.unit));
    case 'time':
      return (value) => timeText(nanos(value, kind.unit));
    case 'date':
      return dates === 'text'
        ? (value) =>
            date(Number(value) * dayMillis)
              .toISOString()
              .slice(0, -'T00:00:00.000Z'.length)
        : (value) => date(Number(value) * dayMillis);
    case 'json':
      return (value) => (typeof value === 'string' ? json(value) : generic(value));
  }
}

/** Bytes are copied, because they are views into a page. */
function generic(value: unknown): unknown {
  if (typeof value === 'bigint') return integer(value);
  if (value === undefined) return null;
  if (value instanceof Uint8Array) return value.slice();
  if (Array.isArray(value)) return value.map(generic);
  if (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype)
    return mapped(value, () => generic);
  return value;
}

const dayMillis = 86_400_000;

function json(text: string): unknown {
  try {
    return parseExactly(text);
  } catch (error) {
    throw new BadValue(error instanceof Error ? error.message : String(error));
  }
}
