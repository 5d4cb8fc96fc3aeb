/**
 * The rows of a row group that is not full, column by column. Required numbers of a fixed width are in typed arrays; everything
 * else is in arrays.
 */
import type { Entry } from './fit.js';
import type { Field, TypeNode } from './types.js';
import type { ColumnData } from './writerTypes.js';

/** The values of a column, as `fitOf` returns them. */
export interface Column {
  readonly name: string;
  /** Adds a value, and returns the bytes of memory that it takes. */
  push(value: unknown): number;
  /** The values from a row on. They are valid until the next `push`. */
  from(row: number): ColumnData;
}

export const columnOf = ({ name, type }: Field): Column => {
  const typed = type.optional === true ? undefined : typedArrayOf(type);
  return typed === undefined ? new PlainColumn(name, costOf(type)) : new TypedColumn(name, typed);
};

type TypedArray = BigInt64Array | Int32Array | Float32Array | Float64Array;
interface TypedArrayOf {
  readonly BYTES_PER_ELEMENT: number;
  new (source: number): TypedArray;
  new (values: ArrayLike<never>): TypedArray;
  new (buffer: ArrayBuffer): TypedArray;
}

/** The typed array that holds values of a type without losing anything. */
export function typedArrayOf({ kind }: TypeNode): TypedArrayOf | undefined {
  switch (kind) {
    case 'int32':
    case 'date':
      return Int32Array;
    case 'int64':
    case 'timestamp':
      return BigInt64Array;
    case 'float':
      return Float32Array;
    case 'double':
      return Float64Array;
    default:
      return undefined;
  }
}

class PlainColumn implements Column {
  readonly #values: unknown[] = [];

  constructor(
    readonly name: string,
    private readonly cost: Cost,
  ) {}

  push(value: unknown): number {
    this.#values.push(value);
    return typeof this.cost === 'number' ? this.cost : this.cost(value);
  }

  from(row: number): unknown[] {
    return row === 0 ? this.#values : this.#values.slice(row);
  }
}

class TypedColumn implements Column {
  #values: TypedArray;
  #length = 0;

  constructor(
    readonly name: string,
    private readonly type: TypedArrayOf,
  ) {
    this.#values = new type(16);
  }

  push(value: unknown): number {
    if (this.#length === this.#values.length) {
      const grown = new this.type(this.#length * 2);
      grown.set(this.#values as never);
      this.#values = grown;
    }
    this.#values[this.#length++] = value as never;
    // An array that grows by doubling is half empty after it grew.
    return this.type.BYTES_PER_ELEMENT * 1.5;
  }

  from(row: number): ColumnData {
    return this.#values.subarray(row, this.#length);
  }
}

/** Bytes of memory that a value takes. A number: all values of the type take as many. */
type Cost = number | ((value: unknown) => number);

/** A place in an array, and what the engine keeps with an object on the heap. */
const slot = 8;
const header = 16;
/** A typed array has several objects. */
const bytesHeader = 200;

/** What values in an array cost in memory, as the engine lays them out on 64 bits. */
function costOf(type: TypeNode): Cost {
  const cost = costOfKind(type);
  if (type.optional !== true || typeof cost === 'number') return cost;
  return (value) => (value === null ? slot : cost(value));
}

function costOfKind(type: TypeNode): Cost {
  switch (type.kind) {
    case 'boolean':
      return slot;
    case 'int32':
    case 'date':
    case 'float':
    case 'double':
      return slot + header;
    case 'int64':
    case 'timestamp':
      return slot + header + 8;
    case 'decimal': {
      const digits = type.precision > 18 ? 16 : 8;
      return (value) => slot + header + (typeof value === 'bigint' ? digits : 0);
    }
    case 'uuid':
      return slot + header + 40;
    case 'string':
    case 'json':
      return (value) => slot + header + stringBytes(value as string);
    case 'bytes':
      return (value) => slot + bytesHeader + (value as Uint8Array).length;
    case 'list': {
      const each = sumOf(costOf(type.item));
      return (value) => slot + 2 * header + each(value as readonly unknown[]);
    }
    case 'map': {
      const item = costOf(type.value);
      return (value) => {
        let sum = slot + 2 * header;
        for (const entry of value as readonly Entry[])
          sum +=
            2 * slot +
            3 * header +
            stringBytes(entry.key) +
            (typeof item === 'number' ? item : item(entry.value));
        return sum;
      };
    }
    case 'struct': {
      const costs = type.fields.map((field) => [field.name, costOf(field.type)] as const);
      return (value) => {
        let sum = slot + 2 * header;
        for (const [name, cost] of costs)
          sum += typeof cost === 'number' ? cost : cost((value as Record<string, unknown>)[name]);
        return sum;
      };
    }
  }
}

const sumOf =
  (cost: Cost): ((items: readonly unknown[]) => number) =>
  (items) => {
    if (typeof cost === 'number') return cost * items.length;
    let sum = 0;
    for (const item of items) sum += cost(item);
    return sum;
  };

/** What a string that was joined from others has in addition. */
const joined = 32;
/** From this length on, it pays to look whether a string has one byte for each character or two. */
const longString = 64;

function stringBytes(text: string): number {
  const { length } = text;
  if (length < longString) return length + joined;
  return joined + (Buffer.byteLength(text) === length ? length : 2 * length);
}
