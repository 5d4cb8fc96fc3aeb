import { StateError, type StatePlace } from '../errors.js';

/**
 * Keys and their canonical, typed encoding: keys are equal if their encodings are.
 *
 * `1` and `'1'` differ, `-0` equals `0`, `NaN` equals itself, and `{ a, b }` equals `{ b, a }`. Primitives are
 * compared as in a `Map`, and encoded only when they are written. A date, an array or an object becomes a {@link
 * CompositeKey} immediately, so that the user's object is not kept.
 *
 * One tag byte, then: number: 8 bytes, big-endian; string: length and UTF-8 (UTF-16 if it has a lone surrogate);
 * bigint: length and decimal digits; date: as number; array: count and elements; object: count and (name, value)
 * pairs in the order of the names' code units. Lengths and counts are LEB128.
 */
export type Key =
  string | number | bigint | boolean | null | Date | readonly Key[] | { readonly [name: string]: Key };

/** A key that a `Map` compares by value. */
export type PrimitiveKey = string | number | bigint | boolean | null;

/** A date, an array or an object, by its canonical encoding. */
export class CompositeKey {
  /** The encoding, one character per byte: the key of tables. */
  readonly id: string;

  constructor(readonly bytes: Uint8Array) {
    this.id = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
  }
}

/** A key as tables hold it. */
export type StoredKey = PrimitiveKey | CompositeKey;

export const Tag = {
  Null: 0,
  False: 1,
  True: 2,
  Number: 3,
  BigInt: 4,
  Utf8: 5,
  Utf16: 6,
  Date: 7,
  Array: 8,
  Object: 9,
} as const;

/** Whether an object with this prototype is plain, including those of other realms (`vm`, test runners). */
export function isPlain(prototype: unknown): boolean {
  return prototype === Object.prototype || prototype === null || Object.getPrototypeOf(prototype) === null;
}

const deepest = 64;

/** UTF-8 would encode different strings with lone surrogates alike. */
const loneSurrogate = /\p{Surrogate}/u;

/** What a key is used as, for errors. */
export interface KeyUse {
  readonly what: string;
  readonly advice: string;
}

export const keyUses = {
  any: { what: 'A key', advice: 'use one of them' },
  record: { what: 'A key', advice: 'return one of them from `key`' },
  namespace: { what: 'A namespace', advice: 'pass one of them' },
  name: { what: 'The name of an entry', advice: 'pass one of them' },
} as const satisfies Readonly<Record<string, KeyUse>>;

/**
 * The key as tables hold it. Not needed for strings and numbers, which are returned as they are. Errors:
 * `UnsupportedKey`.
 */
export function storedKey(key: Key, use: KeyUse = keyUses.any, of?: Partial<StatePlace>): StoredKey {
  switch (typeof key) {
    case 'string':
    case 'number':
    case 'bigint':
    case 'boolean':
      return key;
    default: {
      if (key === null) return null;
      const writer = new KeyWriter();
      try {
        writer.value(key, 0);
      } catch (error) {
        throw error instanceof NoKey ? unsupported(error.what, use, of) : error;
      }
      return new CompositeKey(Uint8Array.prototype.slice.call(writer.bytes, 0, writer.length));
    }
  }
}

/** The inverse of {@link storedKey}; composites are fresh objects. */
export function userKey(key: StoredKey): Key {
  return key instanceof CompositeKey ? new KeyReader(key.bytes).value() : key;
}

/** The canonical encoding. */
export function encodeKey(key: StoredKey): Uint8Array {
  if (key instanceof CompositeKey) return key.bytes;
  const writer = new KeyWriter();
  writer.key(key);
  return Uint8Array.prototype.slice.call(writer.bytes, 0, writer.length);
}

/** A total order: by encoding, not by value. */
export function compareKeys(a: StoredKey, b: StoredKey): number {
  return a === b ? 0 : Buffer.compare(encodeKey(a), encodeKey(b));
}

/** Appends canonical encodings to one growing buffer. */
export class KeyWriter {
  bytes: Buffer = Buffer.allocUnsafe(1024);
  length = 0;

  key(key: StoredKey): void {
    if (typeof key === 'string') this.#string(key);
    else if (key instanceof CompositeKey) {
      this.#reserve(key.bytes.length);
      this.bytes.set(key.bytes, this.length);
      this.length += key.bytes.length;
    } else this.value(key, 0);
  }

  /** An encoded key. */
  encoded(bytes: Uint8Array, start: number, end: number): void {
    this.#reserve(end - start);
    for (let at = start; at < end; at++) this.bytes[this.length++] = bytes[at] ?? 0;
  }

  /** Length-prefixed bytes. */
  sized(bytes: Uint8Array): void {
    this.count(bytes.length);
    this.encoded(bytes, 0, bytes.length);
  }

  /** An unsigned LEB128 number. */
  count(n: number): void {
    let rest = n;
    while (rest > 127) {
      this.#byte((rest & 127) | 128);
      rest = Math.floor(rest / 128);
    }
    this.#byte(rest);
  }

  value(key: unknown, depth: number): void {
    switch (typeof key) {
      case 'string':
        this.#string(key);
        return;
      case 'number':
        this.#number(Tag.Number, key);
        return;
      case 'boolean':
        this.#byte(key ? Tag.True : Tag.False);
        return;
      case 'bigint':
        this.#text(Tag.BigInt, key.toString(), 'latin1');
        return;
      case 'object':
        if (key === null) this.#byte(Tag.Null);
        else this.#object(key, depth);
        return;
      default:
        throw new NoKey(`of type ${typeof key}`);
    }
  }

  #object(key: object, depth: number): void {
    if (depth >= deepest) throw new NoKey(`nested more than ${deepest} deep, or in itself`);
    if (Array.isArray(key)) {
      this.#byte(Tag.Array);
      this.count(key.length);
      for (const element of key as unknown[]) this.value(element, depth + 1);
      return;
    }
    if (key instanceof Date) {
      const time = key.getTime();
      if (Number.isNaN(time)) throw new NoKey('an invalid date');
      this.#number(Tag.Date, time);
      return;
    }
    const prototype: unknown = Object.getPrototypeOf(key);
    if (!isPlain(prototype)) {
      throw new NoKey(
        `an instance of ${(key.constructor as { name?: string } | undefined)?.name ?? 'a class'}`,
      );
    }
    if (Object.getOwnPropertySymbols(key).length > 0) throw new NoKey('an object with symbols as names');
    const names = Object.keys(key).sort();
    this.#byte(Tag.Object);
    this.count(names.length);
    for (const name of names) {
      this.#string(name);
      this.value((key as Record<string, unknown>)[name], depth + 1);
    }
  }

  #string(text: string): void {
    const n = text.length;
    if (n < 64) {
      // Short ASCII strings, the usual keys, are encoded faster here than by a native call.
      this.#reserve(n + 2);
      const { bytes, length } = this;
      let i = 0;
      for (; i < n; i++) {
        const c = text.charCodeAt(i);
        if (c > 127) break;
        bytes[length + 2 + i] = c;
      }
      if (i === n) {
        bytes[length] = Tag.Utf8;
        bytes[length + 1] = n;
        this.length = length + 2 + n;
        return;
      }
    }
    if (loneSurrogate.test(text)) this.#text(Tag.Utf16, text, 'utf16le');
    else this.#text(Tag.Utf8, text, 'utf8');
  }

  #text(tag: number, text: string, encoding: BufferEncoding): void {
    const size = Buffer.byteLength(text, encoding);
    this.#byte(tag);
    this.count(size);
    this.#reserve(size);
    this.bytes.write(text, this.length, encoding);
    this.length += size;
  }

  #number(tag: number, n: number): void {
    this.#byte(tag);
    this.#reserve(8);
    // Adding 0 turns -0 into 0; all NaNs get the same bits.
    this.bytes.writeDoubleBE(Number.isNaN(n) ? NaN : n + 0, this.length);
    this.length += 8;
  }

  #byte(byte: number): void {
    this.#reserve(1);
    this.bytes[this.length++] = byte;
  }

  #reserve(size: number): void {
    if (this.length + size <= this.bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.bytes.length * 2, this.length + size));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }
}

/** Reads encodings one after another. Throws `RangeError` on malformed bytes. */
export class KeyReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** The key at `start`, as tables hold it. */
  keyAt(start: number): StoredKey {
    this.#at = start;
    return this.key();
  }

  /** The next key as tables hold it. */
  key(): StoredKey {
    const start = this.#at;
    const tag = this.#bytes[start];
    const value = this.value();
    if (tag === undefined || tag < Tag.Date) return value as PrimitiveKey;
    return new CompositeKey(Uint8Array.prototype.slice.call(this.#bytes, start, this.#at));
  }

  value(): Key {
    const tag = this.#byte();
    switch (tag) {
      case Tag.Null:
        return null;
      case Tag.False:
        return false;
      case Tag.True:
        return true;
      case Tag.Number:
        return this.#number();
      case Tag.BigInt:
        return BigInt(this.#text('latin1'));
      case Tag.Utf8:
        return this.#text('utf8');
      case Tag.Utf16:
        return this.#text('utf16le');
      case Tag.Date:
        return new Date(this.#number());
      case Tag.Array:
        return Array.from({ length: this.#count() }, () => this.value());
      case Tag.Object:
        return this.#object();
      default:
        throw new RangeError(`no key starts with byte ${tag}`);
    }
  }

  #object(): Key {
    const object: Record<string, Key> = {};
    for (let n = this.#count(); n > 0; n--) {
      const name = this.value() as string;
      const value = this.value();
      // An assignment to `__proto__` would set the prototype.
      Object.defineProperty(object, name, { value, enumerable: true, writable: true, configurable: true });
    }
    return object;
  }

  #text(encoding: BufferEncoding): string {
    const size = this.#count();
    const start = this.#at;
    this.#at += size;
    if (this.#at > this.#bytes.length) throw new RangeError('a key is cut off');
    return this.#bytes.toString(encoding, start, this.#at);
  }

  #number(): number {
    const n = this.#bytes.readDoubleBE(this.#at);
    this.#at += 8;
    return n;
  }

  #count(): number {
    let n = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.#byte();
      n += (byte & 127) * scale;
      if (byte < 128) return n;
    }
  }

  #byte(): number {
    const byte = this.#bytes[this.#at++];
    if (byte === undefined) throw new RangeError('a key is cut off');
    return byte;
  }
}

/** Why a value is no key. */
class NoKey extends Error {
  constructor(readonly what: string) {
    super(`a key is ${what}`);
  }
}

function unsupported(
  why: string,
  { what, advice }: KeyUse,
  { state = '', operator = '' }: Partial<StatePlace> = {},
): StateError {
  const of = `${state === '' ? '' : ` of state ${state}`}${operator === '' ? '' : ` of operator ${operator}`}`;
  return new StateError(
    'UnsupportedKey',
    `${what}${of} is ${why}. Keys are strings, numbers, bigints, booleans, null, dates, arrays and plain objects of these: ${advice}.`,
  );
}
