import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { compress } from 'snappyjs';
import { sha256 } from '../../store/helpers.js';
import { cellHash } from './cellFilter.js';
import { absent, noPath, Operand, type CellContent, type CellPath } from '../cells.js';
import { BlockAddresses } from './block.js';
import { compareBytes, compareEncoded, hashOfEncoded } from '../keys/encodedKeys.js';
import { StateError } from '../errors.js';
import { IndexBuilder } from './indexBuilder.js';
import { keyGroupOf } from '../keys/keyGroups.js';
import { KeyReader, KeyWriter, type StoredKey } from '../keys/keys.js';
import { keyText } from '../values/refusals.js';
import {
  blockBytes,
  Content,
  Flag,
  header,
  headerLength,
  limits as defaultLimits,
  trailerLength,
  trailerMagic,
  version,
  type SegmentLimits,
  type SegmentSchema,
} from './format.js';
import { Encoded, packr } from '../values/serializer.js';
import { Timed } from '../values/timed.js';

/** Builds a segment block by block; concatenate the results. Add cells in the order of their addresses. */
export class SegmentEncoder {
  readonly #schema: SegmentSchema;
  readonly #compression: boolean;
  readonly #limits: SegmentLimits;
  readonly #index: IndexBuilder;
  readonly #cellsOf: number[];

  // The current block.
  readonly #addresses = new KeyWriter();
  #flags = Buffer.allocUnsafe(1024);
  readonly #hashes = new Uint32Array(defaultLimits.cellsInBlock);
  #contents: unknown[] = [];
  #count = 0;
  /** Approximate size of the contents, in bytes. */
  #weight = 0;
  #tombstonesInBlock = 0;
  /** Cells of each state. */
  readonly #ofStateInBlock: Uint32Array;
  #firstGroup = 0;
  #lastGroup = 0;
  #firstHash = 0;
  #firstState = 0;
  #firstPath: CellPath = noPath;
  #firstKeyEnd = 0;
  // The previous address.
  #keyHash = 0;
  #keyStart = 0;
  #keyEnd = 0;
  #state = 0;
  #path: CellPath = noPath;

  /** Cells per block, adapted to the sizes in previous blocks. */
  #limit: number;
  #first: readonly [group: number, hash: number] = [0, 0];
  #crc = 0;
  #sha256 = '';
  #tombstones = 0;
  /** Bytes returned so far. */
  bytes = 0;
  /** Uncompressed bytes of its blocks. */
  plainBytes = 0;
  cells = 0;

  constructor(schema: SegmentSchema, compression = true, limits = defaultLimits) {
    this.#schema = schema;
    this.#compression = compression;
    this.#limits = limits;
    this.#index = new IndexBuilder(limits.blocksInPage);
    this.#cellsOf = schema.states.map(() => 0);
    this.#ofStateInBlock = new Uint32Array(schema.states.length);
    this.#limit = Math.min(64, limits.cellsInBlock);
  }

  /** CRC-32 of the footer, once finished. */
  get crc(): number {
    return this.#crc;
  }

  /** SHA-256 of the footer, once finished. */
  get sha256(): string {
    return this.#sha256;
  }

  /** Key group and hash of the first cell, once a block has been flushed. */
  get first(): readonly [group: number, hash: number] {
    return this.#first;
  }

  /** Whether to call {@link flush}. */
  get full(): boolean {
    return this.#count >= this.#limit || this.#addresses.length >= blockBytes || this.#weight >= blockBytes;
  }

  /** After a {@link flush}: no more cells fit into this segment. */
  get complete(): boolean {
    const { bytes, blocks, cells } = this.#limits;
    return (
      this.bytes >= bytes ||
      2 * this.#index.blocks >= blocks || // Half of them are reserved for blocks that are split.
      this.cells + this.#limits.cellsInBlock > cells
    );
  }

  add(
    group: number,
    keyHash: number,
    key: StoredKey,
    state: number,
    path: CellPath,
    content: CellContent,
  ): void {
    const start = this.#addresses.length;
    this.#addresses.key(key);
    this.#cell(group, keyHash, start, state, path, content);
  }

  /** Like {@link add}, for a key encoded in `bytes`. */
  addEncoded(
    group: number,
    keyHash: number,
    bytes: Uint8Array,
    keyStart: number,
    keyEnd: number,
    state: number,
    path: CellPath,
    content: CellContent,
  ): void {
    const start = this.#addresses.length;
    this.#addresses.encoded(bytes, keyStart, keyEnd);
    this.#cell(group, keyHash, start, state, path, content);
  }

  /** Adds a cell whose key was appended to `#addresses` at `start`. */
  #cell(
    group: number,
    keyHash: number,
    start: number,
    state: number,
    path: CellPath,
    content: CellContent,
  ): void {
    const addresses = this.#addresses;
    const index = this.#count++;
    let flags: number = Flag.key;
    if (index === 0) {
      this.#firstGroup = group;
      this.#firstHash = keyHash;
      this.#firstState = state;
      this.#firstPath = path;
      this.#firstKeyEnd = addresses.length;
    }
    if (index > 0 && keyHash === this.#keyHash && this.#repeated(start)) {
      flags = 0;
      addresses.length = start;
    } else {
      this.#keyHash = keyHash;
      this.#keyStart = start;
      this.#keyEnd = addresses.length;
    }
    this.#lastGroup = group;
    this.#ofStateInBlock[state] = (this.#ofStateInBlock[state] ?? 0) + 1;
    if (state !== this.#state) {
      flags |= Flag.state;
      addresses.count(state);
      this.#state = state;
    }
    if (path !== this.#path) {
      const before = this.#path;
      if (!same(path.namespace, before.namespace)) {
        flags |= Flag.namespace;
        addresses.sized(path.namespace);
      }
      if (!same(path.subKey, before.subKey)) {
        flags |= Flag.subKey;
        addresses.sized(path.subKey);
      }
      this.#path = path;
    }
    if (content === absent) {
      flags |= Content.tombstone;
      this.#tombstonesInBlock++;
    } else if (content instanceof Operand) {
      flags |= Content.operand;
      this.#content(content.value);
    } else this.#content(content);
    if (index === this.#flags.length) this.#flags = Buffer.concat([this.#flags], index * 2);
    this.#flags[index] = flags;
    this.#hashes[index] = cellHash(keyHash, state, path);
  }

  #content(value: unknown): void {
    if (value instanceof Timed) {
      const inner: unknown = value.value;
      if (inner instanceof Uint8Array || typeof inner === 'string') this.#weight += inner.length;
    } else if (value instanceof Encoded) {
      this.#weight += value.bytes.length;
      this.#contents.push(value.bytes);
      return;
    }
    if (typeof value === 'string') this.#weight += value.length;
    this.#contents.push(value);
  }

  #repeated(start: number): boolean {
    const { bytes, length } = this.#addresses;
    return compareEncoded(bytes, this.#keyStart, this.#keyEnd, bytes, start, length) === 0;
  }

  /** Ends the block. Returns its bytes, or none if no cell was added. Errors: `UnsupportedValue`. */
  flush(): Uint8Array {
    const count = this.#count;
    if (count === 0) return this.#start();
    const plain = this.#plain();
    if (plain.length > this.#limits.block) {
      if (count === 1) throw this.#tooLarge(plain.length);
      return this.#halves(plain);
    }
    const small = this.#compression ? compress(plain) : plain;
    const packed = small.length < plain.length ? small : plain;
    const start = this.#start();
    const chunk = Buffer.allocUnsafe(start.length + 1 + packed.length);
    chunk.set(start);
    chunk[start.length] = packed === plain ? 0 : 1;
    chunk.set(packed, start.length + 1);
    const block = chunk.subarray(start.length);
    this.#index.add(
      {
        bytes: block,
        cells: count,
        firstGroup: this.#firstGroup,
        lastGroup: this.#lastGroup,
        firstHash: this.#firstHash,
        firstState: this.#firstState,
        firstKey: this.#addresses.bytes.subarray(0, this.#firstKeyEnd),
        firstPath: this.#firstPath,
      },
      this.#hashes,
    );
    if (this.cells === 0) this.#first = [this.#firstGroup, this.#firstHash];
    this.bytes += block.length;
    this.plainBytes += plain.length;
    this.cells += count;
    this.#tombstones += this.#tombstonesInBlock;
    this.#ofStateInBlock.forEach((cells, of) => (this.#cellsOf[of] = (this.#cellsOf[of] ?? 0) + cells));
    const fitting = Math.floor((blockBytes * count) / plain.length);
    this.#limit = Math.min(Math.max(fitting, 1), this.#limits.cellsInBlock);
    this.#clear();
    return chunk;
  }

  #plain(): Buffer {
    const count = this.#count;
    const contents = packr.pack(this.#contents);
    const { bytes, length } = this.#addresses;
    const plain = Buffer.allocUnsafe(8 + count + length + contents.length);
    plain.writeUInt32LE(count, 0);
    plain.writeUInt32LE(length, 4);
    plain.set(this.#flags.subarray(0, count), 8);
    plain.set(bytes.subarray(0, length), 8 + count);
    plain.set(contents, 8 + count + length);
    return plain;
  }

  #clear(): void {
    this.#count = 0;
    this.#contents = [];
    this.#weight = 0;
    this.#tombstonesInBlock = 0;
    this.#ofStateInBlock.fill(0);
    this.#addresses.length = 0;
    this.#state = 0;
    this.#path = noPath;
  }

  /** Splits a block that is too large because the sizes of its values differ widely. */
  #halves(plain: Buffer): Uint8Array {
    const { maxParallelism } = this.#schema;
    const cells = new BlockAddresses(plain);
    const contents = this.#contents;
    const chunks: Uint8Array[] = [];
    let next = 0;
    this.#clear();
    for (let i = 0; i < cells.count; i++) {
      if (i === cells.count >>> 1) chunks.push(this.flush());
      const kind = cells.kind(i);
      const value = kind === Content.tombstone ? absent : contents[next++];
      const held = value instanceof Uint8Array ? new Encoded(value) : value;
      const [start, end] = [cells.starts[i] ?? 0, cells.ends[i] ?? 0];
      const keyHash = hashOfEncoded(cells.addresses, start, end);
      this.addEncoded(
        keyGroupOf(keyHash, maxParallelism),
        keyHash,
        cells.addresses,
        start,
        end,
        cells.states[i] ?? 0,
        cells.path(i),
        kind === Content.operand ? new Operand(held) : held,
      );
    }
    chunks.push(this.flush());
    return Buffer.concat(chunks);
  }

  #tooLarge(bytes: number): StateError {
    const { bytes: addresses } = this.#addresses;
    const { id = '' } = this.#schema.states[this.#firstState] ?? {};
    const key =
      this.#firstKeyEnd > 65_536 ? 'a very long key' : `key ${keyText(new KeyReader(addresses).key())}`;
    return new StateError(
      'UnsupportedValue',
      `State ${id} cannot hold what is set for ${key}: with the key, it takes ${bytes} bytes, and a segment takes ${this.#limits.block} for one entry. Spread the value over more keys.`,
    );
  }

  /** The end of the segment, after the last {@link flush}. */
  finish(): Uint8Array {
    const start = this.#start();
    const index = this.#index.encode();
    const root = index.at(-1) ?? Buffer.alloc(0);
    const { maxParallelism, states } = this.#schema;
    const footer = packr.pack([
      maxParallelism,
      states.map(({ id, kind, serializer, type }) => {
        const state = [id, kind, serializer.id, serializer.version];
        return type === undefined ? state : [...state, type];
      }),
      this.#cellsOf,
      this.#tombstones,
      root.length,
      hash('sha256', root, 'buffer'),
    ]);
    if (footer.length > this.#limits.footer)
      throw new StateError(
        'InvalidState',
        `The names of ${states.length} states take more than the ${this.#limits.footer} bytes that a segment has for them. Declare fewer states, with shorter names.`,
      );
    const trailer = Buffer.alloc(trailerLength);
    trailer.writeUInt32LE(version, 0);
    trailer.writeUInt32LE(footer.length, 4);
    this.#crc = crc32(trailer.subarray(0, 8), crc32(footer));
    this.#sha256 = sha256(Buffer.concat([footer, trailer.subarray(0, 8)]));
    trailer.writeUInt32LE(this.#crc, 8);
    trailer.write(trailerMagic, 12, 'latin1');
    const end = Buffer.concat([...this.#index.filters, ...index, footer, trailer]);
    this.bytes += end.length;
    return Buffer.concat([start, end]);
  }

  #start(): Uint8Array {
    if (this.bytes > 0) return Buffer.alloc(0);
    this.bytes = headerLength;
    return header;
  }
}

const same = (a: Uint8Array, b: Uint8Array): boolean => a === b || compareBytes(a, b) === 0;
