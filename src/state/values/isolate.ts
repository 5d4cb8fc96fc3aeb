import { isDeepStrictEqual, types } from 'node:util';
import { JsonNumber } from '../../formats/jsonNumbers.js';
import { typeName } from '../../formats/typeName.js';
import { isStorable, lossIn, lossOrMarksIn, mostObjects } from './losses.js';
import { isAwkward, mark } from './marks.js';
import { isPlain } from '../keys/keys.js';
import { deepest, Encoded, messagePack, packr, type Serializer } from './serializer.js';

/**
 * Isolates a value that state holds from later changes by the user:
 *
 * - primitives are kept as they are;
 * - arrays and plain objects are deeply frozen **in place**: the cheapest safe way, as there is no copy, and a later
 *   change throws with the user's own stack. It costs about 40 % of throughput for small objects;
 * - other objects (dates, maps, sets, binary data, class instances, objects with getters) cannot be frozen: they are kept
 *   {@link Encoded}, and every read decodes a fresh copy.
 *
 * Whether a frozen value can be stored is checked later, by {@link encode} or {@link checkLosses}.
 *
 * Throws `Unstorable`.
 */
export function isolate<T>(value: T, serializer: Serializer<T>): T | Encoded {
  switch (typeof value) {
    case 'number':
      return Object.is(value, -0) ? encode(value, serializer) : value;
    case 'string':
      return value.isWellFormed() ? value : encode(value, serializer);
    case 'object':
      if (value === null) return value;
      objects = 0;
      if (!isFreezableObject(value, 0)) return encode(value, serializer);
      deepFreeze(value);
      return value;
    case 'function':
    case 'symbol':
      return encode(value, serializer);
    default:
      return value;
  }
}

/** The inverse of {@link isolate}: the value to return to the user. */
export function reveal<T>(held: T | Encoded, serializer: Serializer<T>): T {
  if (!(held instanceof Encoded)) return held;
  if ((serializer as Serializer<unknown>) === messagePack)
    return serializer.decode(held.bytes, serializer.version);
  // A copy: what serializers return may be a view of the bytes.
  return serializer.decode(Uint8Array.prototype.slice.call(held.bytes), serializer.version);
}

/** A value that a state cannot hold. */
export class Unstorable extends Error {
  /** @param what continues "the value …" */
  constructor(
    readonly what: string,
    cause?: unknown,
  ) {
    super(`the value ${what}`, { cause });
  }
}

/** Encodes a value, and checks that it decodes to the same. Throws `Unstorable`. */
export function encode<T>(value: T, serializer: Serializer<T>): Encoded {
  try {
    const bytes =
      (serializer as Serializer<unknown>) === messagePack ? pack(value) : serializer.encode(value);
    if (!types.isUint8Array(bytes)) throw new TypeError(`encode returned a value of type ${typeName(bytes)}`);
    // A copy: serializers may reuse their buffers.
    const held = new Encoded(Uint8Array.prototype.slice.call(bytes));
    if (!comesBack(value, held, serializer))
      throw new Unstorable(
        `of type ${typeName(value)} does not come back from serializer ${serializer.id} unchanged`,
      );
    return held;
  } catch (cause) {
    if (cause instanceof Unstorable) throw cause;
    throw new Unstorable(`of type ${typeName(value)} makes serializer ${serializer.id} fail`, cause);
  }
}

/**
 * Encodes a value with the default serializer, and checks that nothing is lost, in one pass over it. The result may be a part of a larger buffer,
 * so copy what is kept. Throws `Unstorable`.
 */
export function pack(value: unknown): Uint8Array {
  const found = lossOrMarksIn(value);
  if (typeof found === 'string') throw new Unstorable(found);
  try {
    return packr.pack(found ? mark(value) : value);
  } catch (cause) {
    throw new Unstorable(`of type ${typeName(value)} makes serializer ${messagePack.id} fail`, cause);
  }
}

/** For the default serializer, {@link pack} has checked that. */
function comesBack<T>(value: T, held: Encoded, serializer: Serializer<T>): boolean {
  if ((serializer as Serializer<unknown>) === messagePack) return true;
  const back = serializer.decode(Uint8Array.prototype.slice.call(held.bytes), serializer.version);
  return serializer.equals?.(back, value) ?? isDeepStrictEqual(back, value);
}

/** Throws `Unstorable` if the default serializer would lose a part of `value`. */
export function checkLosses(value: unknown): void {
  if (isStorable(value)) return;
  const loss = lossIn(value);
  if (loss !== undefined) throw new Unstorable(loss);
}

/**
 * Whether freezing is enough: the value consists of primitives, arrays and plain objects that MessagePack writes
 * unchanged.
 */
function isFreezable(value: unknown, depth: number): boolean {
  switch (typeof value) {
    case 'number':
      return !Object.is(value, -0);
    case 'string':
      return value.isWellFormed();
    case 'object':
      return value === null || isFreezableObject(value, depth);
    case 'function':
    case 'symbol':
      return false;
    default:
      return true;
  }
}

/** Objects visited so far in the current value. */
let objects = 0;

function isFreezableObject(value: object, depth: number): boolean {
  if (depth >= deepest || ++objects > mostObjects) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Array.prototype) {
    for (const element of value as unknown[]) if (!isFreezable(element, depth + 1)) return false;
    return true;
  }
  if (prototype === null || !isPlain(prototype)) return value instanceof JsonNumber;
  for (const name of Object.keys(value)) {
    if (isAwkward(name) || getterOf.call(value, name) !== undefined) return false;
    if (!isFreezable((value as Record<string, unknown>)[name], depth + 1)) return false;
  }
  return true;
}

/** What a getter returns can change, frozen or not. This is the cheapest way to find one. */
const getterOf = (Object.prototype as unknown as { readonly __lookupGetter__: (name: string) => unknown })
  .__lookupGetter__;

function deepFreeze(value: object): void {
  Object.freeze(value);
  for (const name of Object.keys(value)) {
    const inner = (value as Record<string, unknown>)[name];
    if (typeof inner === 'object' && inner !== null) deepFreeze(inner);
  }
}
