import { StateError } from './errors.js';

/**
 * A segment: one immutable object with cells of an operator's states, in the order of their addresses.
 *
 * ```
 * header    7 bytes magic, 1 byte version
 * blocks    some thousand cells each; 1 byte codec, then the block, Snappy-compressed if that makes it smaller and nobody forbids it
 * filters   a Bloom filter for each block
 * index     MessagePack: of each block its length, cells, first and last key group, CRC-32, and the address of its first cell;
 *           the SHA-256 of each block, and of each filter
 * footer    MessagePack: maximum parallelism, the states' names, kinds and serializers, counts, length and SHA-256 of the index
 * trailer   u32 version, u32 footer length, u32 CRC-32 of footer, version and length; 4 bytes magic
 * ```
 * Numbers are little-endian. The order is (key group, hash, encoded key, state, namespace, sub-key): a range of key groups is a
 * range of blocks, and segments merge as streams. Neither hash nor group is stored: they follow from the key. States are
 * numbered in the order of their names.
 *
 * A checkpoint holds the SHA-256 of the footer, which holds that of the index, which holds those of blocks and filters: what is
 * read is what was written, even if others can write to the bucket.
 *
 * A block is columns: count; length of the addresses; a byte of flags a cell ({@link Flag}); the addresses, each as far as it
 * differs from the one before; one MessagePack array of the contents that are not tombstones. Objects of one shape name their
 * fields once a block, so every block can be read alone. What a serializer encoded is binary in that array; no other content is.
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
  readonly cells: number;
  readonly firstGroup: number;
  readonly lastGroup: number;
  readonly crc: number;
  /** Binary. */
  readonly sha256?: Uint8Array;
}

export interface SegmentFooter {
  readonly schema: SegmentSchema;
  readonly cells: number;
  readonly tombstones: number;
  readonly index: { readonly offset: number; readonly length: number; readonly sha256: Uint8Array };
  /** Of footer, version and length: tells one segment from another. */
  readonly crc: number;
  /** Of the same, in base64url. */
  readonly sha256: string;
}

export const headerLength = 8;
export const trailerLength = 16;

export const version = 2;
export const header: Buffer = Buffer.from('MILLSEG\x02', 'latin1');
export const trailerMagic = 'GSLM';
/** What a block holds, about, before it is compressed. */
export const blockBytes = 64 * 1024;

/**
 * Of a cell. Two bits say what its content is; the others, which parts of its address differ from the cell before, and follow:
 * key; state, LEB128; namespace and sub-key, each with its length before it. Without a bit, a part is as before. Before the
 * first cell, the state is 0, namespace and sub-key are empty.
 */
export const Flag = { content: 3, key: 4, state: 8, namespace: 16, subKey: 32 } as const;
/** The two bits. */
export const Content = { value: 0, tombstone: 1, operand: 2 } as const;

export const maxStates = 2 ** 16;

/**
 * No segment has more. A writer starts another segment before one would; a reader refuses what claims more, so that no size
 * which others may have forged is ever allocated.
 */
export interface SegmentLimits {
  /** Bytes of all blocks. Two blocks more at most: it is checked after each. */
  readonly bytes: number;
  readonly blocks: number;
  readonly cells: number;
  /** Bytes of a block before it is compressed; so of a cell, too, with its address. */
  readonly block: number;
  readonly cellsInBlock: number;
  /** Bytes of a footer, and of an index. */
  readonly footer: number;
  readonly index: number;
}

export const limits: SegmentLimits = {
  bytes: 2 ** 30,
  blocks: 2 ** 16,
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
