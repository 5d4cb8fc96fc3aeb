import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { isCount, isString, listOf, tuple } from '../shape.js';
import { sha256 } from '../store/helpers.js';
import { filterLength } from './cellFilter.js';
import { StateError } from './errors.js';
import {
  corrupt,
  header,
  headerLength,
  limits,
  maxStates,
  trailerLength,
  trailerMagic,
  version,
  type BlockInfo,
  type SegmentFooter,
} from './segmentFormat.js';
import { unpackForeign } from './serializer.js';

/** The length of the footer, from the trailer at the end of `tail`. Errors: `SegmentCorrupt`. */
export function footerLength(object: string, tail: Buffer): number {
  const at = tail.length - trailerLength;
  if (at < headerLength || tail.toString('latin1', at + 12) !== trailerMagic)
    throw corrupt(object, 'it does not end as segments do');
  const length = tail.readUInt32LE(at + 4);
  if (length > limits.footer) throw corrupt(object, `its footer has more than ${limits.footer} bytes`);
  return length;
}

/** Reads the footer of a segment of `size` bytes that ends with `tail`. Errors: `SegmentCorrupt`, `SegmentTooNew`. */
export function decodeFooter(object: string, tail: Buffer, size: number): SegmentFooter {
  const length = footerLength(object, tail);
  const at = tail.length - trailerLength;
  const bytes = tail.subarray(Math.max(at - length, 0), at);
  const crc = crc32(tail.subarray(at, at + 8), crc32(bytes));
  if (bytes.length !== length || crc !== tail.readUInt32LE(at + 8))
    throw corrupt(object, 'the checksum of its footer is wrong');
  const written = tail.readUInt32LE(at);
  if (written > version) {
    throw new StateError(
      'SegmentTooNew',
      `Segment ${object} has format version ${written}; this millrace reads version ${version}. Run the version that wrote it, or a later one.`,
    );
  }
  if (written < version) throw corrupt(object, `it has format version ${written}, which no release wrote`);
  const footer = unpacked(object, 'footer', bytes);
  if (!isFooter(footer)) throw corrupt(object, 'its footer is malformed');
  const [maxParallelism, states, cells, tombstones, indexLength, indexDigest] = footer as Footer;
  const offset = size - trailerLength - length - indexLength;
  if (offset < headerLength) throw corrupt(object, `it has ${size} bytes, which is not what its footer says`);
  return {
    schema: {
      maxParallelism,
      states: states.map(([name, kind, id, v, type]) => ({
        name,
        kind,
        serializer: { id, version: v },
        type,
      })),
    },
    cells,
    tombstones,
    index: { offset, length: indexLength, sha256: indexDigest },
    crc,
    sha256: sha256(tail.subarray(at - length, at + 8)),
  };
}

/** Locates the cells of a segment in its blocks. */
export interface SegmentIndex {
  readonly blocks: readonly BlockInfo[];
  /** The hash and the state of each block's first cell. */
  readonly hashes: readonly number[];
  readonly states: readonly number[];
  /** Three per block: key, namespace and sub-key of its first cell. If the key is empty, they are not known. */
  readonly firsts: readonly Uint8Array[];
  readonly filters: readonly {
    readonly offset: number;
    readonly length: number;
    readonly sha256: Uint8Array;
  }[];
}

/** Reads the index that a footer describes. Errors: `SegmentCorrupt`. */
export function decodeIndex(object: string, footer: SegmentFooter, bytes: Buffer): SegmentIndex {
  if (bytes.length !== footer.index.length || !hash('sha256', bytes, 'buffer').equals(footer.index.sha256))
    throw corrupt(object, 'the checksum of its index is wrong');
  const index = unpacked(object, 'index', bytes);
  if (!isIndex(index)) throw corrupt(object, 'its index is malformed');
  const [numbers, firsts, digests, filterDigests] = index as Index;
  const count = numbers.length / 7;
  if (
    !Number.isInteger(count) ||
    count > limits.blocks ||
    firsts.length !== 3 * count ||
    digests.length !== 32 * count ||
    filterDigests.length !== 32 * count
  )
    throw corrupt(object, 'its index is malformed');
  const digest = (of: Uint8Array, block: number): Uint8Array => of.subarray(32 * block, 32 * block + 32);
  const blocks: BlockInfo[] = [];
  const lengths: number[] = [];
  const hashes: number[] = [];
  const states: number[] = [];
  let offset = headerLength;
  for (let i = 0; i < count; i++) {
    const [length = 0, cells = 0, firstGroup = 0, lastGroup = 0, crc = 0, first = 0, state = 0] =
      numbers.slice(7 * i, 7 * i + 7);
    if (length > limits.block + 1 || cells > limits.cellsInBlock)
      throw corrupt(object, `its block at byte ${offset} is larger than blocks are`);
    blocks.push({ offset, length, cells, firstGroup, lastGroup, crc, sha256: digest(digests, i) });
    lengths.push(filterLength(cells));
    hashes.push(first | 0);
    states.push(state);
    offset += length;
  }
  const filters = lengths.map((length, i) => {
    const at = offset;
    offset += length;
    return { offset: at, length, sha256: digest(filterDigests, i) };
  });
  if (offset !== footer.index.offset) throw corrupt(object, 'its blocks do not end where its index says');
  return { blocks, hashes, states, firsts, filters };
}

/** Checks the start of a segment. Errors: `SegmentCorrupt`. */
export function checkHeader(object: string, start: Buffer): void {
  if (Buffer.compare(start.subarray(0, headerLength), header) !== 0)
    throw corrupt(object, 'it does not begin as segments do');
}

/**
 * Maximum parallelism; name, kind, serializer, its version and optionally type of each state; cells; tombstones;
 * length and digest of the index.
 */
type Footer = [number, [string, string, string, number, string?][], number, number, number, Uint8Array];

const isTyped = tuple(isString, isString, isString, isCount, isString);
const isUntyped = tuple(isString, isString, isString, isCount);
const isBinary = (value: unknown): boolean => value instanceof Uint8Array;
const isUpTo =
  (most: number) =>
  (value: unknown): boolean =>
    isCount(value) && value <= most;

const isFooter = tuple(
  isCount,
  (value) =>
    listOf((state) => isTyped(state) || isUntyped(state))(value) && (value as unknown[]).length <= maxStates,
  isUpTo(limits.cells),
  isUpTo(limits.cells),
  isUpTo(limits.index),
  (value) => value instanceof Uint8Array && value.length === 32,
);

/** Per block seven numbers and the parts of its first address; the concatenated digests of blocks, and of filters. */
type Index = [number[], Uint8Array[], Uint8Array, Uint8Array];

const isIndex = tuple(listOf(isCount), listOf(isBinary), isBinary, isBinary);

function unpacked(object: string, what: string, bytes: Buffer): unknown {
  try {
    return unpackForeign(bytes);
  } catch (cause) {
    throw corrupt(object, `its ${what} cannot be decoded`, cause);
  }
}
