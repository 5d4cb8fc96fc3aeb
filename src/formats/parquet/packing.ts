/**
 * Rows as a checkpoint keeps them: packs of rows, one after the other. A pack has its length, its number of rows, and its columns.
 * For a column, it has a bit for each value that may be absent, and then those that are present: numbers in their width, strings
 * and bytes as their lengths and contents, lists and maps as their lengths and the columns of their items, structs as the
 * columns of their fields. So it is written at the speed of memory, and every value comes back as it was, -0 included.
 *
 * Numbers are in the byte order of the machine: little-endian everywhere Node is built for but on s390x.
 */
import { typedArrayOf } from './columns.js';
import type { Entry } from './fit.js';
import type { Field, TypeNode } from './types.js';
import { setProperty } from '../typedValues.js';

type Values = ArrayLike<unknown>;

/** Packs rows. `columns` are in the order of `fields`. */
export function pack(fields: readonly Field[], columns: readonly Values[], rows: number): Buffer {
  const out: Uint8Array[] = [];
  for (const [i, { type }] of fields.entries()) packColumn(type, columns[i] ?? [], out);
  const head = Buffer.alloc(8);
  head.writeUInt32LE(
    out.reduce((sum, { length }) => sum + length, 0),
    0,
  );
  head.writeUInt32LE(rows, 4);
  return Buffer.concat([head, ...out]);
}

/** The rows of packs, one after the other. Throws if the bytes are not packs of such rows. */
export function* unpack(
  fields: readonly Field[],
  bytes: Uint8Array,
): Generator<{ readonly rows: number; readonly columns: readonly Values[] }> {
  for (let at = 0; at < bytes.length;) {
    const source = new Source(bytes, at);
    const length = source.uint32();
    const rows = source.uint32();
    source.limit(length);
    const columns = fields.map(({ type }) => unpackColumn(type, rows, source));
    at = source.end();
    yield { rows, columns };
  }
}

function packColumn(type: TypeNode, values: Values, out: Uint8Array[]): void {
  if (type.optional !== true) {
    packPresent(type, values, out);
    return;
  }
  const present = Array.prototype.filter.call(values, (value) => value !== null) as unknown[];
  out.push(bitsOf(values, (value) => value !== null));
  packPresent(type, present, out);
}

function packPresent(type: TypeNode, values: Values, out: Uint8Array[]): void {
  const typed = typedArrayOf(type);
  if (typed !== undefined) {
    const numbers = values instanceof typed ? values : new typed(values as never);
    out.push(bytesOf(numbers));
    return;
  }
  switch (type.kind) {
    case 'boolean':
      out.push(bitsOf(values, (value) => value === true));
      return;
    case 'decimal':
      packDecimals(values as ArrayLike<bigint>, out);
      return;
    case 'bytes': {
      const contents = Array.from(values as ArrayLike<Uint8Array>);
      out.push(lengthsOf(contents), ...contents);
      return;
    }
    case 'list': {
      const lists = Array.from(values as ArrayLike<unknown[]>);
      out.push(lengthsOf(lists));
      packColumn(type.item, lists.flat(1), out);
      return;
    }
    case 'map': {
      const maps = Array.from(values as ArrayLike<Entry[]>);
      const entries = maps.flat(1);
      out.push(lengthsOf(maps));
      packStrings(
        entries.map(({ key }) => key),
        out,
      );
      packColumn(
        type.value,
        entries.map(({ value }) => value),
        out,
      );
      return;
    }
    case 'struct': {
      const structs = Array.from(values as ArrayLike<Readonly<Record<string, unknown>>>);
      for (const field of type.fields)
        packColumn(
          field.type,
          structs.map((each) => each[field.name]),
          out,
        );
      return;
    }
    default:
      packStrings(Array.from(values as ArrayLike<string>), out);
  }
}

/** One encoding of all of them is faster than one of each. Their lengths are in UTF-16, to cut what is decoded. */
function packStrings(strings: readonly string[], out: Uint8Array[]): void {
  const contents = Buffer.from(strings.join(''));
  out.push(lengthsOf(strings), bytesOf(Uint32Array.of(contents.length)), contents);
}

/** 128 bits each, the lower half first. */
function packDecimals(values: ArrayLike<bigint>, out: Uint8Array[]): void {
  const halves = new BigInt64Array(values.length * 2);
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? 0n;
    halves[2 * i] = BigInt.asIntN(64, value);
    halves[2 * i + 1] = value >> 64n;
  }
  out.push(bytesOf(halves));
}

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

const lengthsOf = (values: readonly { readonly length: number }[]): Uint8Array =>
  bytesOf(Uint32Array.from(values, ({ length }) => length));

function bitsOf(values: Values, isSet: (value: unknown) => boolean): Uint8Array {
  const bits = new Uint8Array(Math.ceil(values.length / 8));
  for (let i = 0; i < values.length; i++)
    if (isSet(values[i])) bits[i >> 3] = (bits[i >> 3] ?? 0) | (1 << (i & 7));
  return bits;
}

function unpackColumn(type: TypeNode, count: number, source: Source): Values {
  if (type.optional !== true) return unpackPresent(type, count, source);
  const bits = source.bits(count);
  const present = unpackPresent(type, bits.filter(Boolean).length, source);
  let next = 0;
  return bits.map((is) => (is ? present[next++] : null));
}

function unpackPresent(type: TypeNode, count: number, source: Source): Values {
  const typed = typedArrayOf(type);
  if (typed !== undefined) return source.numbers(typed, count);
  switch (type.kind) {
    case 'boolean':
      return source.bits(count);
    case 'decimal': {
      const halves = source.numbers(BigInt64Array, count * 2);
      return Array.from(
        { length: count },
        (_, i) => ((halves[2 * i + 1] ?? 0n) << 64n) | BigInt.asUintN(64, halves[2 * i] ?? 0n),
      );
    }
    case 'bytes':
      return Array.from(source.lengths(count), (length) => new Uint8Array(source.take(length)));
    case 'list': {
      const lengths = source.lengths(count);
      return cut(lengths, unpackColumn(type.item, sum(lengths), source));
    }
    case 'map': {
      const lengths = source.lengths(count);
      const keys = unpackStrings(sum(lengths), source);
      const values = unpackColumn(type.value, keys.length, source);
      return cut(
        lengths,
        keys.map((key, i): Entry => ({ key, value: values[i] })),
      );
    }
    case 'struct': {
      const columns = type.fields.map((field) => unpackColumn(field.type, count, source));
      return Array.from({ length: count }, (_, row) => {
        const struct = {};
        for (const [i, { name }] of type.fields.entries()) setProperty(struct, name, columns[i]?.[row]);
        return struct;
      });
    }
    default:
      return unpackStrings(count, source);
  }
}

function unpackStrings(count: number, source: Source): string[] {
  const lengths = source.lengths(count);
  const text = source.take(source.uint32()).toString();
  if (sum(lengths) !== text.length) throw new RangeError('strings of another length');
  let at = 0;
  return Array.from(lengths, (length) => text.slice(at, (at += length)));
}

function cut(lengths: Uint32Array, items: Values): unknown[][] {
  const all = Array.from(items);
  let at = 0;
  return Array.from(lengths, (length) => all.slice(at, (at += length)));
}

const sum = (lengths: Uint32Array): number => lengths.reduce((total, length) => total + length, 0);

/** Reads bytes, and never beyond their end: a count that cannot be true is refused before anything of its size is made. */
class Source {
  readonly #bytes: Buffer;
  #at: number;
  #end: number;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = at;
    this.#end = bytes.length;
  }

  limit(length: number): void {
    if (length > this.#end - this.#at) throw new RangeError('rows are cut off');
    this.#end = this.#at + length;
  }

  end(): number {
    if (this.#at !== this.#end) throw new RangeError('rows are followed by other bytes');
    return this.#end;
  }

  take(length: number): Buffer {
    if (length > this.#end - this.#at) throw new RangeError('rows are cut off');
    return this.#bytes.subarray(this.#at, (this.#at += length));
  }

  uint32(): number {
    return this.take(4).readUInt32LE();
  }

  numbers<A extends ArrayLike<unknown>>(
    type: { readonly BYTES_PER_ELEMENT: number; new (buffer: ArrayBuffer): A },
    count: number,
  ): A {
    const bytes = this.take(count * type.BYTES_PER_ELEMENT);
    return new type(new Uint8Array(bytes).buffer);
  }

  lengths(count: number): Uint32Array {
    return this.numbers(Uint32Array, count);
  }

  bits(count: number): boolean[] {
    const bits = this.take(Math.ceil(count / 8));
    return Array.from({ length: count }, (_, i) => ((bits[i >> 3] ?? 0) & (1 << (i & 7))) !== 0);
  }
}
