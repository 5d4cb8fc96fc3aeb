import { JsonNumber } from '../../formats/jsonNumbers.js';
import { typeName } from '../../formats/typeName.js';
import { isAwkward, markDepth, needsMark } from './marks.js';
import { isPlain } from '../keys/keys.js';
import { deepest } from './serializer.js';

/**
 * Classes of binary data that our MessagePack preserves. Instances from other realms would silently become plain
 * objects.
 */
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

/** How msgpackr recognizes typed arrays; it does not recognize those of other realms. */
const typedArray = Object.getPrototypeOf(Uint8Array) as typeof Uint8Array;

/** Most objects in one value. With shared parts, the number of paths may be exponential. */
export const mostObjects = 2 ** 20;

/** A fast check that accepts primitives. */
export function isStorable(value: unknown): boolean {
  return typeof value === 'object'
    ? value === null
    : typeof value !== 'function' && typeof value !== 'symbol';
}

/**
 * Describes the first part of `value` that MessagePack would not preserve, to continue "it …"; `undefined` if there
 * is none.
 */
export function lossIn(value: unknown): string | undefined {
  return described(new Search().in(value, 0));
}

/** As {@link lossIn}. If nothing is lost, it also finds out, in the same pass, whether the value needs marks: see `marks.ts`. */
export function lossOrMarksIn(value: unknown): string | boolean {
  const search = new Search();
  return described(search.in(value, 0)) ?? search.needsMarks;
}

function described(loss: Loss | undefined): string | undefined {
  if (loss === undefined) return undefined;
  const path = loss.path.reverse().join('').slice(0, 100);
  return path === '' ? `is ${loss.what}` : `holds ${loss.what} (at ${JSON.stringify(path).slice(1, -1)})`;
}

interface Loss {
  readonly what: string;
  /** Innermost first. */
  readonly path: string[];
}

const lost = (what: string): Loss => ({ what, path: [] });

class Search {
  #objects = 0;
  needsMarks = false;

  in(value: unknown, depth: number): Loss | undefined {
    if (typeof value !== 'object' || value === null) return this.#inPrimitive(value);
    if (depth >= deepest) return lost(`something nested more than ${deepest} deep, or in itself`);
    if (++this.#objects > mostObjects)
      return lost(`one of more than ${mostObjects.toLocaleString('en-US')} objects`);
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype === Array.prototype) return this.#inArray(value as unknown[], depth + 1);
    if (isPlain(prototype)) return this.#inObject(value as Record<string, unknown>, depth);
    if (prototype !== Date.prototype && prototype !== Map.prototype && prototype !== Set.prototype)
      return isKept(value, prototype) ? undefined : lost(`an instance of ${className(value)}`);
    if (Reflect.ownKeys(value).length > 0) return lost(`a ${typeName(value)} with extra properties`);
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? lost('an invalid Date') : undefined;
    return this.#inAll(value instanceof Map ? [...value].flat() : (value as Set<unknown>), depth + 2);
  }

  #inPrimitive(value: unknown): Loss | undefined {
    if (typeof value === 'string' || typeof value === 'number') this.needsMarks ||= needsMark(value);
    return isStorable(value) ? undefined : lost(`a ${typeof value}`);
  }

  #inArray(array: readonly unknown[], depth: number): Loss | undefined {
    for (let i = 0; i < array.length; i++) {
      const element = array[i];
      if (element === undefined && !(i in array)) return lost('an array with holes');
      const loss = this.in(element, depth);
      if (loss !== undefined) return within(`[${i}]`, loss);
    }
    const more = Object.keys(array).length > array.length || Object.getOwnPropertySymbols(array).length > 0;
    return more ? lost('an array with extra properties') : undefined;
  }

  #inObject(object: Record<string, unknown>, depth: number): Loss | undefined {
    if (Object.getOwnPropertySymbols(object).length > 0) return lost('an object with a symbol as a name');
    const names = Object.keys(object);
    const isMarked = Object.getPrototypeOf(object) === null || names.some(isAwkward);
    this.needsMarks ||= isMarked;
    const step = isMarked ? markDepth : 1;
    for (const name of names) {
      const loss = this.in(object[name], depth + step);
      if (loss !== undefined) return within(`.${name}`, loss);
    }
    return undefined;
  }

  #inAll(values: Iterable<unknown>, depth: number): Loss | undefined {
    for (const value of values) {
      const loss = this.in(value, depth);
      if (loss !== undefined) return loss;
    }
    return undefined;
  }
}

/** Whether it is a number or binary data that our MessagePack preserves. */
function isKept(value: object, prototype: unknown): boolean {
  if (value instanceof JsonNumber) return true;
  if (!binary.has(prototype)) return false;
  return value instanceof typedArray || !ArrayBuffer.isView(value) || value instanceof DataView;
}

function within(part: string, loss: Loss): Loss {
  loss.path.push(part);
  return loss;
}

function className(value: object): string {
  const made: unknown = value.constructor;
  return typeof made === 'function' && made.name !== '' ? made.name.slice(0, 60) : 'a class';
}
