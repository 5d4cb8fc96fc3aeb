import { addExtension, Packr } from 'msgpackr';
import { JsonNumber } from '../../formats/jsonNumbers.js';
import { mark } from './marks.js';
import { scan } from './scan.js';
import { Timed } from './timed.js';

/**
 * Encodes the values of one state to bytes and decodes them. `id` names the format and never changes. Raise `version`
 * when the format changes: `decode` receives the version that wrote the bytes, so old state stays readable.
 *
 * Every value is decoded once when it is written. A value that does not come back equal is rejected with
 * `UnsupportedValue`, before any checkpoint holds it.
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
  /**
   * Any string but `msgpackr`, the id of the default serializer. State with another id is rejected:
   * `StateSchemaMismatch`.
   */
  readonly id: string;
  /** An integer from 1. State of a higher version is rejected: `StateSchemaMismatch`. */
  readonly version: number;
  /** The result must not be changed afterwards. */
  encode(value: T): Uint8Array;
  /** Must not keep or change `bytes`. */
  decode(bytes: Uint8Array, version: number): T;
  /**
   * Whether a decoded value equals the encoded one. Default: `isDeepStrictEqual` of `node:util`. Needed if values
   * have functions as properties, or parts that are left out on purpose.
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

// The types are part of the format of state: they must never change.
addExtension({
  Class: JsonNumber,
  type: 0x4a,
  write: ({ text }: JsonNumber) => text,
  read: (text: string) => new JsonNumber(text),
});
addExtension({
  Class: Timed,
  type: 0x54,
  write: ({ parts }: Timed) => parts,
  read: (parts: unknown) => Timed.from(parts),
});

/**
 * MessagePack for plain data, including `undefined`, bigints, `JsonNumber`s, dates, maps, sets, and binary data, all
 * of which come back unchanged. Not for class instances, functions and symbols.
 */
export const messagePack: Serializer<unknown> = {
  id: 'msgpackr',
  version: 1,
  encode: (value) => packr.pack(mark(value)),
  decode: (bytes) => packr.unpack(bytes) as unknown,
};

/**
 * The deepest nesting of a value. Encoders are recursive: on an otherwise empty default stack of Node, msgpackr
 * handles 1,100 levels.
 */
export const deepest = 500;

/** Decodes untrusted bytes in linear time and memory. Throws if they are malformed. */
export function unpackForeign(bytes: Uint8Array): unknown {
  // A block is an array around its values.
  scan(bytes, deepest + 10);
  return packr.unpack(bytes) as unknown;
}

/** An encoded value, which only the serializer can read, so that user code cannot change it. */
export class Encoded {
  constructor(readonly bytes: Uint8Array) {}
}
