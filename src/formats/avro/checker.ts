/**
 * Checks the bytes of a record before avsc decodes them. avsc trusts what it reads: beyond the end of a block it reads zeros, and
 * an array gets as many items as its bytes promise.
 *
 * Each type becomes a function that passes over a value. A block is decoded only if all of it is intact.
 */
import type avsc from 'avsc';
import { BadBlock } from './failures.js';

/** As for JSON. */
const mostDepth = 400;
const mostVarint = 10;

class Place {
  at = 0;
  depth = 0;
  /** Records and items that may still come. */
  #left: number;

  constructor(readonly bytes: Buffer) {
    this.#left = bytes.length + mostEmpty;
  }

  /** Some without bytes would be endless. */
  take(count: number): void {
    this.#left -= count;
    if (this.#left < 0) throw new BadBlock(`it promises more records or items than it has bytes`);
  }

  skip(count: number): void {
    // A negative count, too.
    if (!(count >= 0 && count <= this.bytes.length - this.at))
      throw new BadBlock('a value ends after its block');
    this.at += count;
  }

  varint(): void {
    const { bytes } = this;
    const end = this.at + mostVarint;
    for (let at = this.at; at < end; at++) {
      if (at >= bytes.length) break;
      if ((bytes[at] ?? 0) < 0x80) {
        this.at = at + 1;
        return;
      }
    }
    throw new BadBlock(
      end > bytes.length ? 'a value ends after its block' : 'a number has more than 64 bits',
    );
  }

  /** Exact as far as a double is. */
  long(): number {
    const { bytes } = this;
    const from = this.at;
    this.varint();
    const first = bytes[from] ?? 0;
    if (first < 0x80) return first & 1 ? -(first + 1) / 2 : first / 2;
    let value = 0;
    for (let at = this.at - 1; at >= from; at--) value = value * 128 + ((bytes[at] ?? 0) & 0x7f);
    return first & 1 ? -(value + 1) / 2 : value / 2;
  }
}

type Pass = (place: Place) => void;

/** Records and items that take no bytes may be as many in one block, more than it has bytes. */
const mostEmpty = 65_536;

export class Checker {
  readonly #pass: Pass;

  constructor(type: avsc.Type) {
    this.#pass = new Compiler().pass(type);
  }

  /** Checks the data of a block with that number of records. Throws `BadBlock`. */
  check(data: Buffer, count: number): void {
    const place = new Place(data);
    place.take(count);
    for (let i = 0; i < count; i++) this.#pass(place);
    if (place.at < data.length) throw new BadBlock(`it continues after its ${count} records`);
  }

  /** The offset after the record at an offset. */
  skip(data: Buffer, at: number): number {
    const place = new Place(data);
    place.at = at;
    this.#pass(place);
    return place.at;
  }
}

const proto = Buffer.from('__proto__');

/** What a type of avsc has, by its name. */
type Parts = Pick<avsc.types.LogicalType, 'underlyingType'> &
  Pick<avsc.types.FixedType, 'size'> &
  Pick<avsc.types.EnumType, 'symbols'> &
  Pick<avsc.types.ArrayType, 'itemsType'> &
  Pick<avsc.types.RecordType, 'fields'> &
  Pick<avsc.types.UnwrappedUnionType, 'types'> & { readonly valuesType: avsc.Type };

class Compiler {
  readonly #passes = new Map<avsc.Type, Pass>();

  pass(type: avsc.Type): Pass {
    const known = this.#passes.get(type);
    if (known !== undefined) return known;
    // A recursive type refers to itself.
    this.#passes.set(type, (place) => {
      compiled(place);
    });
    const compiled = this.#compile(type);
    this.#passes.set(type, compiled);
    return compiled;
  }

  #compile(type: avsc.Type): Pass {
    const { typeName } = type;
    const parts = type as unknown as Parts;
    if (typeName.startsWith('logical:')) return this.pass(parts.underlyingType);
    switch (typeName) {
      case 'null':
        return () => undefined;
      case 'boolean':
        return (place) => {
          const byte = place.bytes[place.at];
          place.skip(1);
          if (byte !== 0 && byte !== 1) throw new BadBlock('a boolean that is neither 0 nor 1');
        };
      case 'int':
      case 'long':
      case 'abstract:long':
        return (place) => {
          place.varint();
        };
      case 'float':
        return (place) => {
          place.skip(4);
        };
      case 'double':
        return (place) => {
          place.skip(8);
        };
      case 'bytes':
      case 'string':
        return (place) => {
          place.skip(place.long());
        };
      case 'fixed': {
        const { size } = parts;
        return (place) => {
          place.skip(size);
        };
      }
      case 'enum': {
        const { length } = parts.symbols;
        return (place) => {
          const index = place.long();
          if (!(index >= 0 && index < length)) throw new BadBlock(`symbol ${index} of an enum of ${length}`);
        };
      }
      case 'array':
        return items(this.pass(parts.itemsType));
      case 'map': {
        const value = this.pass(parts.valuesType);
        return items((place) => {
          const length = place.long();
          const from = place.at;
          place.skip(length);
          if (length === proto.length && proto.compare(place.bytes, from, place.at) === 0)
            throw new BadBlock('a map has the key __proto__');
          value(place);
        });
      }
      case 'union:wrapped':
      case 'union:unwrapped': {
        const branches = parts.types.map((each) => this.pass(each));
        return (place) => {
          const index = place.long();
          const branch = branches[index];
          if (branch === undefined) throw new BadBlock(`branch ${index} of a union of ${branches.length}`);
          branch(place);
        };
      }
      case 'record':
      case 'error': {
        const { fields } = parts;
        if (fields.some(({ name }) => name === '__proto__'))
          throw new BadBlock('a field has the name __proto__');
        return nested(...fields.map((field) => this.pass(field.type)));
      }
      default:
        throw new BadBlock(`an unknown type ${typeName}`);
    }
  }
}

function nested(...parts: readonly Pass[]): Pass {
  return (place) => {
    if (++place.depth > mostDepth) throw new BadBlock(`nested more than ${mostDepth} deep`);
    for (const part of parts) part(place);
    place.depth--;
  };
}

/** Blocks of items; a negative count is followed by the bytes of the block. */
function items(item: Pass): Pass {
  return nested((place) => {
    for (let count = place.long(); count !== 0; count = place.long()) {
      if (count < 0) {
        count = -count;
        const bytes = place.long();
        if (!(bytes >= 0 && bytes <= place.bytes.length - place.at))
          throw new BadBlock('a value ends after its block');
      }
      place.take(count);
      for (; count > 0; count--) item(place);
    }
  });
}
