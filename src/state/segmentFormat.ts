import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { compress } from 'snappyjs';
import { compareEncoded } from './encodedKeys.js';
import { sha256 } from '../store/helpers.js';
import { StateError } from './errors.js';
import { KeyWriter, type StoredKey } from './keys.js';
import { Encoded, packr } from './serializer.js';
import { absent } from './table.js';

/**
 * A segment: one immutable object with what an operator's states held for some keys at a barrier.
 *
 * ```
 * header    7 bytes magic, 1 byte version
 * blocks    some thousand entries each; 1 byte codec, then the block, Snappy-compressed if that makes it smaller and nobody forbids it
 * footer    MessagePack: maximum parallelism, the states' names, kinds and serializers, counts, and of each
 *           block: length, entries, first and last key group, CRC-32; the SHA-256 of all blocks, one after the other
 * trailer   u32 version, u32 footer length, u32 CRC-32 of footer, version and length; 4 bytes magic
 * ```
 * Numbers are little-endian. Entries are in the order of (key group, hash, encoded key, state): a range of key groups is a
 * range of blocks, and segments merge as streams. A checkpoint holds the SHA-256 of the footer, which holds those of the
 * blocks: what is read is what was written, even if others can write to the bucket. Neither hash nor group is stored: they follow from the key. States are
 * numbered in the order of their names.
 *
 * A block is columns: count; a byte of flags an entry (1: cleared, 2: same key as before, the state's index above); the
 * keys; one MessagePack array of the values of those not cleared. Objects of one shape name their fields once a
 * block, so every block can be read alone. A value that its serializer encoded is binary in that array; no other value is.
 */
export interface SegmentSchema {
  readonly maxParallelism: number;
  readonly states: readonly StateSchema[];
}

export interface StateSchema {
  readonly name: string;
  readonly kind: string;
  readonly serializer: { readonly id: string; readonly version: number };
  /** As {@link StateSpec.type}. */
  readonly type?: string | undefined;
}

export interface BlockInfo {
  /** In the object. Bytes. */
  readonly offset: number;
  readonly length: number;
  readonly entries: number;
  readonly firstGroup: number;
  readonly lastGroup: number;
  readonly crc: number;
  /** Binary. */
  readonly sha256?: Uint8Array;
}

export interface SegmentFooter {
  readonly schema: SegmentSchema;
  readonly entries: number;
  readonly cleared: number;
  readonly blocks: readonly BlockInfo[];
  /** Of footer, version and length: tells one segment from another. */
  readonly crc: number;
  /** Of the same, in base64url. */
  readonly sha256: string;
}

export const maxStates = 64;
export const headerLength = 8;
export const trailerLength = 16;

export const version = 1;
export const header: Buffer = Buffer.from('MILLSEG\x01', 'latin1');
export const trailerMagic = 'GSLM';
const blockBytes = 64 * 1024;

/** Of an entry: bits, and by how many the state's index is shifted. */
export const Flag = { cleared: 1, sameKey: 2, state: 2 } as const;

/** Builds a segment block by block; what it returns is to be concatenated. */
export class SegmentEncoder {
  readonly #schema: SegmentSchema;
  readonly #compression: boolean;
  /** Only then neighbours may share a key. */
  readonly #several: boolean;
  readonly #blocks: BlockInfo[] = [];
  #keys = new KeyWriter();
  #flags = Buffer.allocUnsafe(1024);
  #values: unknown[] = [];
  #count = 0;
  /** Where the last key starts among the encoded ones. */
  #lastStart = 0;
  #firstGroup = 0;
  #lastGroup = 0;
  /** Learned from the blocks before, so that blocks stay small whatever the size of values. */
  #limit = 64;
  #crc = 0;
  #sha256 = '';
  /** Bytes given out so far. */
  bytes = 0;
  entries = 0;
  #cleared = 0;

  constructor(schema: SegmentSchema, compression = true) {
    this.#schema = schema;
    this.#several = schema.states.length > 1;
    this.#compression = compression;
  }

  /** Of the finished segment. */
  get crc(): number {
    return this.#crc;
  }

  /** Of the finished segment. */
  get sha256(): string {
    return this.#sha256;
  }

  /** Time to call {@link flush}. */
  get full(): boolean {
    return this.#count >= this.#limit || this.#keys.length >= blockBytes;
  }

  /** Entries come in the order of segments. */
  add(group: number, key: StoredKey, state: number, value: unknown): void {
    const start = this.#keys.length;
    this.#keys.key(key);
    this.#entry(group, start, state, value);
  }

  /** The same for a key that lies encoded in `keys`. */
  addEncoded(
    group: number,
    keys: Uint8Array,
    keyStart: number,
    keyEnd: number,
    state: number,
    value: unknown,
  ): void {
    const start = this.#keys.length;
    this.#keys.encoded(keys, keyStart, keyEnd);
    this.#entry(group, start, state, value);
  }

  /** Its key is the last one in `#keys`, from `start`. */
  #entry(group: number, start: number, state: number, value: unknown): void {
    const index = this.#count++;
    if (index === 0) this.#firstGroup = group;
    this.#lastGroup = group;
    let flags = state << Flag.state;
    if (this.#several && index > 0 && this.#repeated(start)) {
      flags |= Flag.sameKey;
      this.#keys.length = start;
    } else this.#lastStart = start;
    if (value === absent) {
      flags |= Flag.cleared;
      this.#cleared++;
    } else this.#values.push(value instanceof Encoded ? value.bytes : value);
    if (index === this.#flags.length) this.#flags = Buffer.concat([this.#flags], index * 2);
    this.#flags[index] = flags;
  }

  #repeated(start: number): boolean {
    const { bytes, length } = this.#keys;
    return compareEncoded(bytes, this.#lastStart, start, bytes, start, length) === 0;
  }

  /** The block of what was added since the last call; empty if nothing was. */
  flush(): Uint8Array {
    const count = this.#count;
    if (count === 0) return this.#start();
    const values = packr.pack(this.#values);
    const keys = this.#keys;
    const plain = Buffer.allocUnsafe(8 + count + keys.length + values.length);
    plain.writeUInt32LE(count, 0);
    plain.writeUInt32LE(keys.length, 4);
    plain.set(this.#flags.subarray(0, count), 8);
    plain.set(keys.bytes.subarray(0, keys.length), 8 + count);
    plain.set(values, 8 + count + keys.length);
    const small = this.#compression ? compress(plain) : plain;
    const packed = small.length < plain.length ? small : plain;
    const start = this.#start();
    const chunk = Buffer.allocUnsafe(start.length + 1 + packed.length);
    chunk.set(start);
    chunk[start.length] = packed === plain ? 0 : 1;
    chunk.set(packed, start.length + 1);
    const block = chunk.subarray(start.length);
    this.#blocks.push({
      offset: this.bytes,
      length: block.length,
      entries: count,
      firstGroup: this.#firstGroup,
      lastGroup: this.#lastGroup,
      crc: crc32(block),
      sha256: hash('sha256', block, 'buffer'),
    });
    this.bytes += block.length;
    this.entries += count;
    this.#limit = Math.min(Math.max(Math.floor((blockBytes * count) / plain.length), 1), 8192);
    this.#count = 0;
    this.#values = [];
    keys.length = 0;
    return chunk;
  }

  /** The end of the segment, after the last {@link flush}. */
  finish(): Uint8Array {
    const { maxParallelism, states } = this.#schema;
    const footer = packr.pack([
      maxParallelism,
      states.map(({ name, kind, serializer: { id, version: v }, type }) =>
        type === undefined ? [name, kind, id, v] : [name, kind, id, v, type],
      ),
      this.#cleared,
      this.#blocks.flatMap((b) => [b.length, b.entries, b.firstGroup, b.lastGroup, b.crc]),
      Buffer.concat(this.#blocks.flatMap((b) => b.sha256 ?? [])),
    ]);
    const start = this.#start();
    const trailer = Buffer.alloc(trailerLength);
    trailer.writeUInt32LE(version, 0);
    trailer.writeUInt32LE(footer.length, 4);
    this.#crc = crc32(trailer.subarray(0, 8), crc32(footer));
    this.#sha256 = sha256(Buffer.concat([footer, trailer.subarray(0, 8)]));
    trailer.writeUInt32LE(this.#crc, 8);
    trailer.write(trailerMagic, 12, 'latin1');
    this.bytes += footer.length + trailerLength;
    return Buffer.concat([start, footer, trailer]);
  }

  #start(): Uint8Array {
    if (this.bytes > 0) return Buffer.alloc(0);
    this.bytes = headerLength;
    return header;
  }
}

export function corrupt(object: string, what: string, cause?: unknown): StateError {
  return new StateError(
    'SegmentCorrupt',
    `Segment ${object} is corrupt: ${what}. Restore the object from a version or backup of the bucket.`,
    cause === undefined ? {} : { cause },
  );
}
