import { isDeepStrictEqual, types } from 'node:util';
import { JsonNumber } from '../formats/jsonNumbers.js';
import { typeName } from '../formats/typeName.js';
import { isStorable, lossIn, mostObjects } from './losses.js';
import { isAwkward } from './marks.js';
import { isPlain } from './keys.js';
import { deepest, Encoded, messagePack, type Serializer } from './serializer.js';

/**
 * Makes sure that nothing a user refers to can change a value that state holds:
 *
 * - primitives are their own;
 * - arrays and plain objects are frozen, as deep as they go, **in place** (the cheapest that is safe: no copy, and a
 *   forbidden change fails loudly with the user's own stack). That costs about 40 % of throughput for small objects;
 * - what cannot be frozen (dates, maps, sets, binary data, class instances) is kept {@link Encoded}, and every read decodes
 *   a fresh copy.
 *
 * Of what was frozen, {@link encode} and {@link checkLosses} tell later whether it can be stored: when it is.
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

/** The value that {@link isolate} was given, for a user to have. */
export function reveal<T>(held: T | Encoded, serializer: Serializer<T>): T {
  return held instanceof Encoded ? serializer.decode(held.bytes, serializer.version) : held;
}

/** A value that a state cannot hold. */
export class Unstorable extends Error {
  /** @param what goes on after "the value" */
  constructor(
    readonly what: string,
    cause?: unknown,
  ) {
    super(`the value ${what}`, { cause });
  }
}

/** The bytes of a value, if they bring it back. Throws `Unstorable`. */
export function encode<T>(value: T, serializer: Serializer<T>): Encoded {
  if ((serializer as Serializer<unknown>) === messagePack) checkLosses(value);
  try {
    const bytes = serializer.encode(value);
    if (!types.isUint8Array(bytes)) throw new TypeError(`encode returned a value of type ${typeName(bytes)}`);
    // A copy: serializers may reuse their buffers.
    const held = new Encoded(Uint8Array.prototype.slice.call(bytes));
    if (!comesBack(value, held, serializer))
      throw new Unstorable(
        `of type ${typeName(value)} does not come back from serializer ${serializer.id} as it was`,
      );
    return held;
  } catch (cause) {
    if (cause instanceof Unstorable) throw cause;
    throw new Unstorable(`of type ${typeName(value)} makes serializer ${serializer.id} fail`, cause);
  }
}

/** Of the default serializer {@link checkLosses} knows. */
function comesBack<T>(value: T, held: Encoded, serializer: Serializer<T>): boolean {
  if ((serializer as Serializer<unknown>) === messagePack) return true;
  const back = serializer.decode(Uint8Array.prototype.slice.call(held.bytes), serializer.version);
  return serializer.equals?.(back, value) ?? isDeepStrictEqual(back, value);
}

/** Throws `Unstorable` if the default serializer would not bring all of `value` back. */
export function checkLosses(value: unknown): void {
  if (isStorable(value)) return;
  const loss = lossIn(value);
  if (loss !== undefined) throw new Unstorable(loss);
}

/** Whether a value is of primitives, arrays and plain objects all through, and is written as it stands: freezing is enough. */
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

/** So far in the value that is looked at. */
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
    if (isAwkward(name) || !isFreezable((value as Record<string, unknown>)[name], depth + 1)) return false;
  }
  return true;
}

function deepFreeze(value: object): void {
  Object.freeze(value);
  for (const name of Object.keys(value)) {
    const inner = (value as Record<string, unknown>)[name];
    if (typeof inner === 'object' && inner !== null) deepFreeze(inner);
  }
}
