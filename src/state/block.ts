import { crc32 } from 'node:zlib';
import { keyEnd } from './encodedKeys.js';
import { KeyReader, type StoredKey } from './keys.js';
import { corrupt, Flag, type BlockInfo } from './segmentFormat.js';
import { Encoded, unpackForeign } from './serializer.js';
import { decompress } from './snappy.js';
import { absent } from './table.js';

/** The entries of one block of a segment, by column. Keys stay encoded until they are asked for. */
export class Block {
  readonly entries: number;
  /** Indices into the schema's states. */
  readonly states: Uint8Array;
  /** What `LiveState.dump` gave, or {@link absent}. */
  readonly values: readonly unknown[];
  /** Encoded keys, one after the other. */
  readonly keys: Buffer;
  /** Of an entry's key in `keys`. */
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
  readonly #reader: KeyReader;
  readonly #broken: (cause: unknown) => Error;
  #decoded = -1;
  #key: StoredKey = null;

  /** Throws `RangeError` and what MessagePack throws; `broken` makes what {@link key} throws. */
  constructor(plain: Buffer, broken: (cause: unknown) => Error) {
    this.#broken = broken;
    const entries = (this.entries = plain.readUInt32LE(0));
    if (entries > plain.length) throw new RangeError('a block claims more entries than it has bytes');
    const keysEnd = 8 + entries + plain.readUInt32LE(4);
    if (keysEnd > plain.length) throw new RangeError('it is shorter than it says');
    this.keys = plain.subarray(8 + entries, keysEnd);
    this.#reader = new KeyReader(this.keys);
    const stored = unpackForeign(plain.subarray(keysEnd));
    if (!Array.isArray(stored)) throw new RangeError('its values are no array');
    const values = new Array<unknown>(entries);
    this.states = new Uint8Array(entries);
    this.starts = new Uint32Array(entries);
    this.ends = new Uint32Array(entries);
    this.values = values;
    let next = 0;
    let start = 0;
    let end = 0;
    for (let i = 0; i < entries; i++) {
      const flags = plain[8 + i] ?? 0;
      this.states[i] = flags >> Flag.state;
      if ((flags & Flag.sameKey) === 0) {
        start = end;
        end = keyEnd(this.keys, start);
      }
      this.starts[i] = start;
      this.ends[i] = end;
      if ((flags & Flag.cleared) !== 0) values[i] = absent;
      else {
        if (next === stored.length) throw new RangeError('values are missing');
        const value: unknown = stored[next++];
        values[i] = value instanceof Uint8Array ? new Encoded(value) : value;
      }
    }
  }

  /** An entry's key as tables hold it: one object for neighbours that share it. */
  key(entry: number): StoredKey {
    const start = this.starts[entry] ?? 0;
    if (this.#decoded !== start) {
      try {
        this.#key = this.#reader.keyAt(start);
      } catch (cause) {
        throw this.#broken(cause);
      }
      this.#decoded = start;
    }
    return this.#key;
  }
}

/** Reads one block. Errors: `SegmentCorrupt`. */
export function decodeBlock(object: string, info: BlockInfo, bytes: Buffer): Block {
  if (bytes.length !== info.length || crc32(bytes) !== info.crc) {
    throw corrupt(object, `the checksum of its block at byte ${info.offset} is wrong`);
  }
  const broken = (cause: unknown): Error =>
    corrupt(object, `its block at byte ${info.offset} cannot be decoded`, cause);
  try {
    return new Block(bytes[0] === 1 ? decompress(bytes.subarray(1)) : bytes.subarray(1), broken);
  } catch (cause) {
    throw broken(cause);
  }
}
