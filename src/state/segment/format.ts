import { StateError } from '../errors.js';

/**
 * A segment: one immutable object with cells of an operator's states, in the order of their addresses.
 *
 * ```
 * header    7 bytes magic, 1 byte version
 * blocks    some thousand cells each; 1 byte codec, then the block, Snappy-compressed if enabled and smaller
 * filters   a Bloom filter for each block
 * index     pages, MessagePack: for each of up to 128 blocks its length, cells, first and last key group, CRC-32, and the
 *           address of its first cell; the SHA-256 of each block, and of each filter
 *           root, MessagePack: for each page its length, blocks, bytes of blocks and filters, the address of its first cell,
 *           and its SHA-256
 * footer    MessagePack: maximum parallelism, the states' ids, kinds and serializers, counts, length and SHA-256 of the root
 * trailer   u32 version, u32 footer length, u32 CRC-32 of footer, version and length; 4 bytes magic
 * ```
 * Numbers are little-endian. The order is (key group, hash, encoded key, state, namespace, sub-key): a range of key
 * groups is a range of blocks, and segments merge as streams. Hash and group are not stored, as they follow from the
 * key. States are numbered in the order of their ids (`backend/stateIds.ts`).
 *
 * A checkpoint holds the SHA-256 of the footer, which holds that of the root, which holds those of pages, which hold those
 * of blocks and filters: what is read is what was written, even if others can write to the bucket. A read of one cell takes
 * the footer and the root, a page, a filter and a block, so it moves little of a segment of any size.
 *
 * A block consists of columns: the number of cells; the length of the addresses; a byte of flags per cell ({@link
 * Flag}); the addresses, each reduced to the parts that differ from the previous one; one MessagePack array of the
 * contents that are not tombstones. Objects of one shape have their field names once per block, so every block can be
 * read alone. In that array, binary values are those that a serializer encoded.
 */
export interface SegmentSchema {
  readonly maxParallelism: number;
  readonly states: readonly StateSchema[];
}

export interface StateSchema {
  /** Identifies the state for its lifetime. */
  readonly id: string;
  readonly kind: string;
  readonly serializer: { readonly id: string; readonly version: number };
  /** As {@link StateSpec.type}. */
  readonly type?: string | undefined;
}

export interface BlockInfo {
  /** Offset in the object. Bytes. */
  readonly offset: number;
  readonly length: number;
  readonly cells: number;
  readonly firstGroup: number;
  readonly lastGroup: number;
  readonly crc: number;
  /** Binary. */
  readonly sha256?: Uint8Array;
}

export interface SegmentFooter {
  readonly schema: SegmentSchema;
  /** Of each state, tombstones included. */
  readonly cellsOf: readonly number[];
  readonly tombstones: number;
  /** The root of the index, which is preceded by its pages. */
  readonly root: { readonly offset: number; readonly length: number; readonly sha256: Uint8Array };
  /** CRC-32 of footer, version and length. Identifies the segment. */
  readonly crc: number;
  /** SHA-256 of the same bytes, in base64url. */
  readonly sha256: string;
}

export const headerLength = 8;
export const trailerLength = 16;

export const version = 3;
export const header: Buffer = Buffer.from('MILLSEG\x03', 'latin1');
export const trailerMagic = 'GSLM';
/** Target size of a block before compression. Bytes. */
export const blockBytes = 64 * 1024;

/**
 * The flags of a cell. Two bits are the kind of its content. The others are set for the parts of its address that
 * differ from the previous cell and therefore follow: key; state (LEB128); namespace and sub-key, each
 * length-prefixed. Before the first cell, the state is 0, and namespace and sub-key are empty.
 */
export const Flag = { content: 3, key: 4, state: 8, namespace: 16, subKey: 32 } as const;
/** The kinds of content. */
export const Content = { value: 0, tombstone: 1, operand: 2 } as const;

export const maxStates = 2 ** 16;

/**
 * Limits of a segment. A writer starts another segment before it exceeds them; a reader rejects a segment that does,
 * so that it never allocates a forged size.
 */
export interface SegmentLimits {
  /** Bytes of all blocks. Checked after each block, so it may be exceeded by at most two blocks. */
  readonly bytes: number;
  readonly blocks: number;
  readonly blocksInPage: number;
  readonly cells: number;
  /** Bytes of a block before compression, and so of a cell with its address. */
  readonly block: number;
  readonly cellsInBlock: number;
  /** Bytes of a footer, and of an index with all its pages. */
  readonly footer: number;
  readonly index: number;
}

export const limits: SegmentLimits = {
  bytes: 2 ** 30,
  blocks: 2 ** 16,
  // Root and page of a segment of 1 GiB have about 10 KiB each.
  blocksInPage: 128,
  cells: 2 ** 22,
  block: 2 ** 26,
  cellsInBlock: 2 ** 13,
  footer: 2 ** 24,
  index: 2 ** 26,
};

export function corrupt(object: string, what: string, cause?: unknown): StateError {
  return new StateError(
    'SegmentCorrupt',
    `Segment ${object} is corrupt: ${what}. Restore the object from a version or backup of the bucket.`,
    cause === undefined ? {} : { cause },
  );
}
