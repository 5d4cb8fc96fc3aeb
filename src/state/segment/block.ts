import { crc32 } from 'node:zlib';
import { absent, noPath, Operand, type CellContent, type CellPath } from '../cells.js';
import { afterCount, countAt, keyEnd } from '../keys/encodedKeys.js';
import { hashOf, keyGroupOf, type KeyGroupRange } from '../keys/keyGroups.js';
import { KeyReader, type StoredKey } from '../keys/keys.js';
import { Content, corrupt, Flag, limits, type BlockInfo } from './format.js';
import { Encoded, unpackForeign } from '../values/serializer.js';
import { decompress } from '../../formats/snappyBlock.js';

/** The addresses of a block's cells, by column. Keys stay encoded. Throws `RangeError` on malformed bytes. */
export class BlockAddresses {
  readonly count: number;
  /** Bytes, uncompressed. */
  readonly size: number;
  /** Indices into the schema's states. */
  readonly states: Uint16Array;
  readonly addresses: Buffer;
  /** Where the key of each cell starts and ends in `addresses`. */
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
  /** Undefined if no cell of the block has a path. */
  readonly #paths: CellPath[] | undefined;
  readonly #flags: Buffer;

  constructor(plain: Buffer) {
    this.size = plain.length;
    const count = (this.count = plain.readUInt32LE(0));
    if (count > plain.length) throw new RangeError('it claims more cells than it has bytes');
    if (count > limits.cellsInBlock) throw new RangeError(`it claims more than ${limits.cellsInBlock} cells`);
    const end = 8 + count + plain.readUInt32LE(4);
    if (end > plain.length) throw new RangeError('it is shorter than it says');
    const flags = (this.#flags = plain.subarray(8, 8 + count));
    const addresses = (this.addresses = plain.subarray(8 + count, end));
    this.states = new Uint16Array(count);
    this.starts = new Uint32Array(count);
    this.ends = new Uint32Array(count);
    let paths: CellPath[] | undefined;
    let path = noPath;
    let at = 0;
    let keyStart = 0;
    let keyStop = 0;
    let state = 0;
    if (count > 0 && ((flags[0] ?? 0) & Flag.key) === 0) throw new RangeError('its first cell has no key');
    for (let i = 0; i < count; i++) {
      const flag = flags[i] ?? 0;
      if ((flag & Flag.key) !== 0) {
        keyStart = at;
        at = keyStop = keyEnd(addresses, at);
      }
      if ((flag & Flag.state) !== 0) {
        state = countAt(addresses, at);
        at = afterCount(addresses, at);
        if (state >= 0x1_0000 || at > addresses.length) throw new RangeError('a cell is of no state');
      }
      if ((flag & (Flag.namespace | Flag.subKey)) !== 0) {
        let { namespace, subKey } = path;
        if ((flag & Flag.namespace) !== 0) {
          namespace = sizedAt(addresses, at);
          at = afterCount(addresses, at) + namespace.length;
        }
        if ((flag & Flag.subKey) !== 0) {
          subKey = sizedAt(addresses, at);
          at = afterCount(addresses, at) + subKey.length;
        }
        path = namespace.length === 0 && subKey.length === 0 ? noPath : { namespace, subKey };
        paths ??= new Array<CellPath>(i).fill(noPath);
      }
      paths?.push(path);
      this.states[i] = state;
      this.starts[i] = keyStart;
      this.ends[i] = keyStop;
    }
    if (at !== addresses.length) throw new RangeError('there are bytes after its addresses');
    this.#paths = paths;
  }

  path(cell: number): CellPath {
    return this.#paths?.[cell] ?? noPath;
  }

  /** The bits of {@link Content}. */
  kind(cell: number): number {
    return (this.#flags[cell] ?? 0) & Flag.content;
  }
}

/** The cells of one block of a segment. Keys are decoded on demand. */
export class Block extends BlockAddresses {
  readonly contents: readonly CellContent[];
  readonly #reader: KeyReader;
  readonly #broken: (cause: unknown) => Error;
  #decoded = -1;
  #key: StoredKey = null;

  /** Throws `RangeError` and the errors of MessagePack; `broken` creates the error of {@link key}. */
  constructor(plain: Buffer, broken: (cause: unknown) => Error) {
    super(plain);
    this.#broken = broken;
    this.#reader = new KeyReader(this.addresses);
    const { count } = this;
    const stored = unpackForeign(plain.subarray(8 + count + this.addresses.length));
    if (!Array.isArray(stored)) throw new RangeError('its values are not an array');
    const contents = new Array<CellContent>(count);
    let next = 0;
    for (let i = 0; i < count; i++) {
      const kind = this.kind(i);
      if (kind === Content.tombstone) {
        contents[i] = absent;
        continue;
      }
      if (next === stored.length) throw new RangeError('values are missing');
      const value: unknown = stored[next++];
      const held = value instanceof Uint8Array ? new Encoded(value) : value;
      if (kind > Content.operand) throw new RangeError('a cell has no kind of content');
      contents[i] = kind === Content.operand ? new Operand(held) : held;
    }
    this.contents = contents;
  }

  /** The key group of a cell. */
  group(cell: number, maxParallelism: number): number {
    return keyGroupOf(hashOf(this.key(cell)), maxParallelism);
  }

  /** A cell's key as tables hold it. Neighbours with the same key share one object. */
  key(cell: number): StoredKey {
    const start = this.starts[cell] ?? 0;
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

/** A block, and those of its cells that are in a range of key groups. */
export interface BlockPart {
  readonly block: Block;
  readonly first: number;
  /** Exclusive. */
  readonly end: number;
}

/** The part of a block that is in a range. */
export function partOf(
  block: Block,
  { firstGroup, lastGroup }: BlockInfo,
  { first, last }: KeyGroupRange,
  maxParallelism: number,
): BlockPart {
  const { count } = block;
  return {
    block,
    first: firstGroup >= first ? 0 : firstCell(count, (cell) => block.group(cell, maxParallelism) >= first),
    end: lastGroup <= last ? count : firstCell(count, (cell) => block.group(cell, maxParallelism) > last),
  };
}

/** The first cell for which `holds`, which holds for all that follow it. */
function firstCell(count: number, holds: (cell: number) => boolean): number {
  let [first, end] = [0, count];
  while (first < end) {
    const middle = (first + end) >>> 1;
    if (holds(middle)) end = middle;
    else first = middle + 1;
  }
  return first;
}

/** Reads one block. Errors: `SegmentCorrupt`. */
export function decodeBlock(object: string, info: BlockInfo, bytes: Buffer): Block {
  if (bytes.length !== info.length || crc32(bytes) !== info.crc) {
    throw corrupt(object, `the checksum of its block at byte ${info.offset} is wrong`);
  }
  const broken = (cause: unknown): Error =>
    corrupt(object, `its block at byte ${info.offset} cannot be decoded`, cause);
  try {
    const plain = bytes[0] === 1 ? decompress(bytes.subarray(1), limits.block) : bytes.subarray(1);
    return new Block(plain, broken);
  } catch (cause) {
    throw broken(cause);
  }
}

/** The length-prefixed bytes at `start`. Copied, as a few of them would pin a whole window in memory. */
function sizedAt(bytes: Buffer, start: number): Uint8Array {
  const from = afterCount(bytes, start);
  const end = from + countAt(bytes, start);
  if (end > bytes.length) throw new RangeError('a part of an address is cut off');
  return Uint8Array.prototype.slice.call(bytes, from, end);
}
