import { addExtension, Packr } from 'msgpackr';
import { JsonNumber } from '../formats/jsonNumbers.js';
import { mark } from './marks.js';
import { scan } from './scan.js';

/**
 * Turns the values of one state into bytes and back. `id` names the format and never changes; raise `version` when
 * the bytes change: `decode` is told which version wrote them, so old state can be read for ever.
 *
 * Every value is decoded once when it is written: what does not come back equal is refused with `UnsupportedValue`, before a
 * checkpoint holds it.
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
  /** Any but `msgpackr`, which is the default serializer's. State of another id is refused: `StateSchemaMismatch`. */
  readonly id: string;
  /** An integer from 1. State of a higher version than this is refused: `StateSchemaMismatch`. */
  readonly version: number;
  /** The result must not be changed afterwards. */
  encode(value: T): Uint8Array;
  /** Must not keep or change `bytes`. */
  decode(bytes: Uint8Array, version: number): T;
  /**
   * Whether a value that was decoded is as good as the one that was encoded. Default: `isDeepStrictEqual` of `node:util`. Needed
   * where values have functions of their own, or parts that are left out on purpose.
   */
  equals?(decoded: T, value: T): boolean;
}

/** Binary data must not share memory with the bytes it came from, hence `copyBuffers`. */
export const packr = new Packr({
  useRecords: true,
  moreTypes: true,
  structuredClone: false,
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
 * binary data. All of it comes back as it was. Not class instances, functions and symbols.
 */
export const messagePack: Serializer<unknown> = {
  id: 'msgpackr',
  version: 1,
  encode: (value) => packr.pack(mark(value)),
  decode: (bytes) => packr.unpack(bytes) as unknown,
};

/**
 * Deeper than this, a value is refused. Encoders are recursive: msgpackr takes 1,100 levels on Node's default stack if
 * nothing else is on it.
 */
export const deepest = 500;

/** Decodes what may have been written by anybody, in time and memory as the bytes are long. Throws if it cannot be. */
export function unpackForeign(bytes: Uint8Array): unknown {
  // A block is an array around its values.
  scan(bytes, deepest + 10);
  return packr.unpack(bytes) as unknown;
}

/** A value by its bytes: nobody but the serializer can look inside, so nobody can change it. */
export class Encoded {
  constructor(readonly bytes: Uint8Array) {}
}
