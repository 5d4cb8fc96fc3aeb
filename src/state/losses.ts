import { JsonNumber } from '../formats/jsonNumbers.js';
import { typeName } from '../formats/typeName.js';
import { isAwkward, markDepth } from './marks.js';
import { isPlain } from './plain.js';
import { deepest } from './serializer.js';

/** What MessagePack, as we write it, brings back as it was; of another realm it would be taken for plain objects, silently. */
const binary: ReadonlySet<unknown> = new Set(
  [
    Int8Array,
    Uint8Array,
    Uint8ClampedArray,
    Int16Array,
    Uint16Array,
    Int32Array,
    Uint32Array,
    Float32Array,
    Float64Array,
    BigInt64Array,
    BigUint64Array,
    Buffer,
    DataView,
    ArrayBuffer,
  ].map(({ prototype }) => prototype as unknown),
);

/** Values of which one part is shared by many others may take for ever to walk through. */
const mostParts = 2 ** 24;

/** A quick yes, for most values. */
export function isStorable(value: unknown): boolean {
  return typeof value === 'object'
    ? value === null
    : typeof value !== 'function' && typeof value !== 'symbol';
}

/** The first part of `value` that MessagePack would not bring back as it was, in words that go on after "the value". */
export function lossIn(value: unknown): string | undefined {
  return new Search().in(value, '', 0);
}

class Search {
  #parts = 0;

  in(value: unknown, path: string, depth: number): string | undefined {
    if (isStorable(value)) return undefined;
    if (typeof value !== 'object' || value === null) return is(path, `a ${typeof value}`);
    if (depth > deepest) return `is nested more than ${deepest} deep, or contains itself`;
    if (++this.#parts > mostParts) return 'has too many parts';
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype === Array.prototype) return this.#inArray(value as unknown[], path, depth);
    if (isPlain(prototype)) return this.#inObject(value as Record<string, unknown>, path, depth);
    if (value instanceof JsonNumber || binary.has(prototype)) return undefined;
    const type = prototype === Date.prototype || prototype === Map.prototype || prototype === Set.prototype;
    if (!type) return is(path, `an instance of ${className(value)}`);
    if (Reflect.ownKeys(value).length > 0) return is(path, `a ${typeName(value)} with properties of its own`);
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? is(path, 'an invalid Date') : undefined;
    return this.#inAll(value instanceof Map ? [...value].flat() : (value as Set<unknown>), path, depth + 2);
  }

  #inArray(array: readonly unknown[], path: string, depth: number): string | undefined {
    const own = Object.keys(array).length;
    for (let i = 0; i < array.length; i++) {
      const element = array[i];
      if (element === undefined && !(i in array)) return is(path, 'an array with holes');
      const loss = isStorable(element) ? undefined : this.in(element, `${path}[${i}]`, depth + 1);
      if (loss !== undefined) return loss;
    }
    const more = own > array.length || Object.getOwnPropertySymbols(array).length > 0;
    return more ? is(path, 'an array with properties of its own') : undefined;
  }

  #inObject(object: Record<string, unknown>, path: string, depth: number): string | undefined {
    if (Object.getOwnPropertySymbols(object).length > 0) return is(path, 'an object with a symbol as a name');
    const names = Object.keys(object);
    const step = names.some(isAwkward) ? markDepth : 1;
    for (const name of names) {
      const inner = object[name];
      const loss = isStorable(inner) ? undefined : this.in(inner, `${path}.${name}`, depth + step);
      if (loss !== undefined) return loss;
    }
    return undefined;
  }

  #inAll(values: Iterable<unknown>, path: string, depth: number): string | undefined {
    for (const value of values) {
      const loss = this.in(value, path, depth);
      if (loss !== undefined) return loss;
    }
    return undefined;
  }
}

function is(path: string, what: string): string {
  return path === '' ? `is ${what}` : `holds ${what} (at ${JSON.stringify(path.slice(0, 100)).slice(1, -1)})`;
}

function className(value: object): string {
  const made: unknown = value.constructor;
  return typeof made === 'function' && made.name !== '' ? made.name.slice(0, 60) : 'a class';
}
