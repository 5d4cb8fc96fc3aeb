import { addExtension, Packr } from 'msgpackr';
import { JsonNumber } from '../formats/jsonNumbers.js';
import { StateError } from './errors.js';
import { isPlain } from './plain.js';

/**
 * Turns the values of one state into bytes and back. `id` names the format and never changes; raise `version` when
 * the bytes change: `decode` is told which version wrote them, so old state can be read for ever.
 *
 * @example
 * ```ts
 * const money: Serializer<Money> = {
 *   id: 'money',
 *   version: 2,
 *   encode: (m) => Buffer.from(`${m.cents} ${m.currency}`),
 *   decode: (bytes, version) => Money.parse(Buffer.from(bytes).toString(), version === 1 ? 'EUR' : undefined),
 * };
 * ```
 */
export interface Serializer<T> {
  readonly id: string;
  /** An integer from 1. State of a higher version than this is refused: `StateSchemaMismatch`. */
  readonly version: number;
  /** The result must not be changed afterwards. */
  encode(value: T): Uint8Array;
  /** Must not keep or change `bytes`. */
  decode(bytes: Uint8Array, version: number): T;
}

/** Binary data must not share memory with the bytes it came from, hence `copyBuffers`. */
export const packr = new Packr({
  useRecords: true,
  moreTypes: true,
  copyBuffers: true,
  useBigIntExtension: true,
});

// Its type is part of the bytes of state: it never changes.
addExtension({
  Class: JsonNumber,
  type: 0x4a,
  write: ({ text }: JsonNumber) => text,
  read: (text: string) => new JsonNumber(text),
});

/**
 * MessagePack, with everything plain data is made of: also `undefined`, bigints, `JsonNumber`s, dates, maps, sets, and
 * binary data. Not class instances, functions and symbols. `-0` comes back as `0`, a lone surrogate as U+FFFD.
 */
export const messagePack: Serializer<unknown> = {
  id: 'msgpackr',
  version: 1,
  encode: (value) => packr.pack(value),
  decode: (bytes) => packr.unpack(bytes) as unknown,
};

/** A value by its bytes: nobody but the serializer can look inside, so nobody can change it. */
export class Encoded {
  constructor(readonly bytes: Uint8Array) {}
}

/**
 * Makes sure that nothing a user refers to can change a value that state holds:
 *
 * - primitives are their own;
 * - arrays and plain objects are frozen, as deep as they go, **in place** (the cheapest that is safe: no copy, and a
 *   forbidden change fails loudly with the user's own stack). That costs about 40 % of throughput for small objects;
 * - what cannot be frozen (dates, maps, sets, binary data, class instances) is kept {@link Encoded}, and every read decodes
 *   a fresh copy.
 *
 * Errors: `UnsupportedValue`.
 */
export function isolate<T>(value: T, serializer: Serializer<T>): T | Encoded {
  if (typeof value !== 'object') {
    if (typeof value === 'function' || typeof value === 'symbol') return encoded(value, serializer);
    return value;
  }
  if (value === null) return value;
  const nature = survey(value, 0);
  if (nature === Nature.Plain) {
    deepFreeze(value);
    return value;
  }
  if (nature === Nature.Foreign && (serializer as Serializer<unknown>) === messagePack) {
    throw unsupported(
      'holds a class instance, a function, a symbol, or the name `__proto__`, or contains itself',
    );
  }
  return encoded(value, serializer);
}

/** The value that {@link isolate} was given, for a user to have. */
export function reveal<T>(held: T | Encoded, serializer: Serializer<T>): T {
  return held instanceof Encoded ? serializer.decode(held.bytes, serializer.version) : held;
}

function encoded<T>(value: T, serializer: Serializer<T>): Encoded {
  if ((serializer as Serializer<unknown>) === messagePack && typeof value !== 'object') {
    throw unsupported(`is a ${typeof value}`);
  }
  // A copy: serializers may reuse their buffers.
  return new Encoded(Uint8Array.prototype.slice.call(serializer.encode(value)));
}

/** What a value is made of; of several parts the highest counts. */
const Nature = {
  /** Primitives, arrays and plain objects all through: freezing is enough. */
  Plain: 0,
  /** Also data that cannot be frozen, or does not come back quite as it went. */
  Data: 1,
  /** Something the default serializer would not bring back. */
  Foreign: 2,
};

/** What MessagePack knows typed arrays by; those of another realm it would take for plain objects, silently. */
const typedArray = Object.getPrototypeOf(Uint8Array) as typeof Uint8Array;

/** Deeper than this is taken for a value that contains itself. */
const deepest = 500;

function survey(value: unknown, depth: number): number {
  switch (typeof value) {
    case 'number':
      return value === 0 && 1 / value < 0 ? Nature.Data : Nature.Plain;
    case 'object':
      return value === null ? Nature.Plain : surveyObject(value, depth);
    case 'function':
    case 'symbol':
      return Nature.Foreign;
    default:
      return Nature.Plain;
  }
}

function surveyObject(value: object, depth: number): number {
  if (depth > deepest) return Nature.Foreign;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (isPlain(prototype)) {
    let nature = prototype === null ? Nature.Data : Nature.Plain;
    for (const name of Object.keys(value)) {
      if (name === '__proto__') return Nature.Foreign;
      nature = Math.max(nature, survey((value as Record<string, unknown>)[name], depth + 1));
    }
    return nature;
  }
  if (prototype === Array.prototype) return surveyAll(value as unknown[], Nature.Plain, depth);
  if (value instanceof JsonNumber) return Nature.Plain;
  if (prototype === Map.prototype)
    return surveyAll((value as Map<unknown, unknown>).entries(), Nature.Data, depth);
  if (prototype === Set.prototype) return surveyAll(value as Set<unknown>, Nature.Data, depth);
  const data =
    prototype === Date.prototype ||
    value instanceof typedArray ||
    value instanceof DataView ||
    prototype === ArrayBuffer.prototype;
  return data ? Nature.Data : Nature.Foreign;
}

function surveyAll(values: Iterable<unknown>, least: number, depth: number): number {
  let nature = least;
  for (const value of values) nature = Math.max(nature, survey(value, depth + 1));
  return nature;
}

function deepFreeze(value: object): void {
  Object.freeze(value);
  for (const name of Object.keys(value)) {
    const inner = (value as Record<string, unknown>)[name];
    if (typeof inner === 'object' && inner !== null) deepFreeze(inner);
  }
}

function unsupported(what: string): StateError {
  return new StateError(
    'UnsupportedValue',
    `A state's value ${what}. Keep plain data (dates, maps, sets and binary data included), or give the state a \`serializer\`.`,
  );
}
