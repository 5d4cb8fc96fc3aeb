import { crc32 } from 'node:zlib';
import { compress, uncompress } from 'snappyjs';
import { StateError } from './errors.js';
import { hashOf, keyGroupOf } from './keyGroups.js';
import { KeyReader, KeyWriter, type StoredKey } from './keys.js';
import { Encoded, packr } from './serializer.js';
import { absent } from './table.js';

/**
 * A segment: one immutable object with what an operator's states held for some keys at a barrier.
 *
 * ```
 * header    7 bytes magic, 1 byte version
 * blocks    some thousand entries each; 1 byte codec, then the block, Snappy-compressed if that makes it smaller and nobody forbids it
 * footer    MessagePack: maximum parallelism, the states' names, kinds and serializers, counts, and of each
 *           block: length, entries, first and last key group, CRC-32
 * trailer   u32 version, u32 footer length, u32 CRC-32 of footer, version and length; 4 bytes magic
 * ```
 * Numbers are little-endian. Entries are in the order of (key group, hash, encoded key, state): a range of key groups is a
 * range of blocks, and segments merge as streams. Neither hash nor group is stored: they follow from the key.
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
}

export interface BlockInfo {
  /** In the object. Bytes. */
  readonly offset: number;
  readonly length: number;
  readonly entries: number;
  readonly firstGroup: number;
  readonly lastGroup: number;
  readonly crc: number;
}

export interface SegmentFooter {
  readonly schema: SegmentSchema;
  readonly entries: number;
  readonly cleared: number;
  readonly blocks: readonly BlockInfo[];
  /** Of footer, version and length: tells one segment from another. */
  readonly crc: number;
}

/** The entries of one block, by column. */
export interface Block {
  readonly entries: number;
  readonly keys: readonly StoredKey[];
  readonly hashes: Int32Array;
  readonly groups: Uint16Array;
  /** Indices into the schema's states. */
  readonly states: Uint8Array;
  /** What `LiveState.dump` gave, or {@link absent}. */
  readonly values: readonly unknown[];
}

export const maxStates = 64;
export const headerLength = 8;
export const trailerLength = 16;

const version = 1;
const header = Buffer.from('MILLSEG\x01', 'latin1');
const trailerMagic = 'GSLM';
const blockBytes = 64 * 1024;
const cleared = 1;
const sameKey = 2;

/** Builds a segment block by block; what it returns is to be concatenated. */
export class SegmentEncoder {
  readonly #schema: SegmentSchema;
  readonly #compression: boolean;
  readonly #blocks: BlockInfo[] = [];
  #keys = new KeyWriter();
  #flags = Buffer.allocUnsafe(1024);
  #values: unknown[] = [];
  #count = 0;
  #lastKey: StoredKey | undefined;
  #firstGroup = 0;
  #lastGroup = 0;
  /** Learned from the blocks before, so that blocks stay small whatever the size of values. */
  #limit = 64;
  #crc = 0;
  /** Bytes given out so far. */
  bytes = 0;
  entries = 0;
  #cleared = 0;

  constructor(schema: SegmentSchema, compression = true) {
    this.#schema = schema;
    this.#compression = compression;
  }

  /** Of the finished segment. */
  get crc(): number {
    return this.#crc;
  }

  /** Time to call {@link flush}. */
  get full(): boolean {
    return this.#count >= this.#limit || this.#keys.length >= blockBytes;
  }

  /** Entries come in the order of segments. */
  add(group: number, key: StoredKey, state: number, value: unknown): void {
    const index = this.#count++;
    if (index === 0) this.#firstGroup = group;
    this.#lastGroup = group;
    let flags = state << 2;
    if (index > 0 && key === this.#lastKey) flags |= sameKey;
    else {
      this.#keys.key(key);
      this.#lastKey = key;
    }
    if (value === absent) {
      flags |= cleared;
      this.#cleared++;
    } else this.#values.push(value instanceof Encoded ? value.bytes : value);
    if (index === this.#flags.length) this.#flags = Buffer.concat([this.#flags], index * 2);
    this.#flags[index] = flags;
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
      states.map(({ name, kind, serializer }) => [name, kind, serializer.id, serializer.version]),
      this.#cleared,
      this.#blocks.flatMap((b) => [b.length, b.entries, b.firstGroup, b.lastGroup, b.crc]),
    ]);
    const start = this.#start();
    const trailer = Buffer.alloc(trailerLength);
    trailer.writeUInt32LE(version, 0);
    trailer.writeUInt32LE(footer.length, 4);
    this.#crc = crc32(trailer.subarray(0, 8), crc32(footer));
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

/** Bytes of the footer, by the trailer that ends `tail`. Errors: `SegmentCorrupt`. */
export function footerLength(object: string, tail: Buffer): number {
  const at = tail.length - trailerLength;
  if (at < headerLength || tail.toString('latin1', at + 12) !== trailerMagic)
    throw corrupt(object, 'it does not end as segments do');
  return tail.readUInt32LE(at + 4);
}

/** Reads the footer of a segment of `size` bytes that ends with `tail`. Errors: `SegmentCorrupt`, `SegmentTooNew`. */
export function decodeFooter(object: string, tail: Buffer, size: number): SegmentFooter {
  const length = footerLength(object, tail);
  const at = tail.length - trailerLength;
  const footer = tail.subarray(Math.max(at - length, 0), at);
  const crc = crc32(tail.subarray(at, at + 8), crc32(footer));
  if (footer.length !== length || crc !== tail.readUInt32LE(at + 8))
    throw corrupt(object, 'the checksum of its footer is wrong');
  const written = tail.readUInt32LE(at);
  if (written > version) {
    throw new StateError(
      'SegmentTooNew',
      `Segment ${object} has format version ${written}; this millrace reads up to ${version}. Run the version that wrote it, or a later one.`,
    );
  }
  const [maxParallelism, states, clearedEntries, flat] = packr.unpack(footer) as [
    number,
    [string, string, string, number][],
    number,
    number[],
  ];
  const blocks: BlockInfo[] = [];
  let offset = headerLength;
  let entries = 0;
  for (let i = 0; i < flat.length; i += 5) {
    const [blockLength = 0, count = 0, firstGroup = 0, lastGroup = 0, blockCrc = 0] = flat.slice(i, i + 5);
    blocks.push({ offset, length: blockLength, entries: count, firstGroup, lastGroup, crc: blockCrc });
    offset += blockLength;
    entries += count;
  }
  if (offset + length + trailerLength !== size)
    throw corrupt(object, `it has ${size} bytes, which is not what its footer says`);
  return {
    schema: {
      maxParallelism,
      states: states.map(([name, kind, id, v]) => ({ name, kind, serializer: { id, version: v } })),
    },
    entries,
    cleared: clearedEntries,
    blocks,
    crc,
  };
}

/** Checks the start of a segment. Errors: `SegmentCorrupt`. */
export function checkHeader(object: string, start: Buffer): void {
  if (Buffer.compare(start.subarray(0, headerLength), header) !== 0)
    throw corrupt(object, 'it does not begin as segments do');
}

/** Reads one block. Errors: `SegmentCorrupt`. */
export function decodeBlock(object: string, info: BlockInfo, bytes: Buffer, maxParallelism: number): Block {
  if (bytes.length !== info.length || crc32(bytes) !== info.crc) {
    throw corrupt(object, `the checksum of its block at byte ${info.offset} is wrong`);
  }
  try {
    return columns(bytes[0] === 1 ? uncompress(bytes.subarray(1)) : bytes.subarray(1), maxParallelism);
  } catch (cause) {
    throw corrupt(object, `its block at byte ${info.offset} cannot be decoded`, cause);
  }
}

function columns(plain: Buffer, maxParallelism: number): Block {
  const entries = plain.readUInt32LE(0);
  const keysEnd = 8 + entries + plain.readUInt32LE(4);
  const reader = new KeyReader(plain.subarray(8 + entries, keysEnd));
  const stored = packr.unpack(plain.subarray(keysEnd)) as unknown[];
  const keys = new Array<StoredKey>(entries);
  const hashes = new Int32Array(entries);
  const groups = new Uint16Array(entries);
  const states = new Uint8Array(entries);
  const values = new Array<unknown>(entries);
  let next = 0;
  for (let i = 0; i < entries; i++) {
    const flags = plain[8 + i] ?? 0;
    states[i] = flags >> 2;
    if ((flags & sameKey) !== 0) {
      keys[i] = keys[i - 1] ?? null;
      hashes[i] = hashes[i - 1] ?? 0;
      groups[i] = groups[i - 1] ?? 0;
    } else {
      const key = (keys[i] = reader.key());
      const hash = (hashes[i] = hashOf(key));
      groups[i] = keyGroupOf(hash, maxParallelism);
    }
    if ((flags & cleared) !== 0) values[i] = absent;
    else {
      const value = stored[next++];
      values[i] = value instanceof Uint8Array ? new Encoded(value) : value;
    }
  }
  return { entries, keys, hashes, groups, states, values };
}

export function corrupt(object: string, what: string, cause?: unknown): StateError {
  return new StateError(
    'SegmentCorrupt',
    `Segment ${object} is corrupt: ${what}. Restore the object from a backup or another version of it, or start from a savepoint.`,
    cause === undefined ? {} : { cause },
  );
}
