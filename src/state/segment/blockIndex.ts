import { hash } from 'node:crypto';
import { isCount, listOf, tuple } from '../../shape.js';
import { filterLength } from './cellFilter.js';
import { compareBytes } from '../keys/encodedKeys.js';
import { unpacked } from './footer.js';
import { corrupt, headerLength, limits, type BlockInfo, type SegmentFooter } from './format.js';

/** Bytes of a segment, and what they must hash to. */
export interface Stretch {
  readonly offset: number;
  readonly length: number;
  readonly sha256: Uint8Array;
}

/** The first cells of blocks, or of pages. */
export interface FirstCells {
  readonly groups: readonly number[];
  readonly hashes: readonly number[];
  readonly states: readonly number[];
  /** Three each: key, namespace and sub-key. If the key is empty, they are not known. */
  readonly parts: readonly Uint8Array[];
}

/** Locates the pages of a segment's index. */
export interface IndexRoot {
  readonly pages: readonly PageInfo[];
  readonly firsts: FirstCells;
}

export interface PageInfo extends Stretch {
  readonly blocks: number;
  /** Where its first block and the filter of that block start. */
  readonly firstBlock: number;
  readonly firstFilter: number;
  /** Bytes of its blocks, and of their filters. */
  readonly blockBytes: number;
  readonly filterBytes: number;
}

/** Locates the cells of up to 128 blocks. */
export interface IndexPage {
  readonly blocks: readonly BlockInfo[];
  readonly firsts: FirstCells;
  /** The filter of each block. */
  readonly filters: readonly Stretch[];
}

/** Reads the root that a footer describes. Errors: `SegmentCorrupt`. */
export function decodeRoot(object: string, footer: SegmentFooter, bytes: Buffer): IndexRoot {
  check(object, 'root of its index', footer.root, bytes);
  const root = unpacked(object, 'index', bytes);
  if (!isRoot(root)) throw malformed(object);
  const [numbers, parts, digests] = root as Root;
  const count = countOf(object, numbers, parts, digests);
  const pages: PageInfo[] = [];
  let [offset, blocks, firstBlock, blockBytes, filterBytes] = [0, 0, headerLength, 0, 0];
  for (let i = 0; i < count; i++) {
    const [length = 0, inPage = 0, ofBlocks = 0, ofFilters = 0] = numbers.slice(7 * i, 7 * i + 4);
    blocks += inPage;
    pages.push({
      offset,
      length,
      sha256: digest(digests, i),
      blocks: inPage,
      firstBlock,
      firstFilter: filterBytes,
      blockBytes: ofBlocks,
      filterBytes: ofFilters,
    });
    offset += length;
    firstBlock += ofBlocks;
    blockBytes += ofBlocks;
    filterBytes += ofFilters;
  }
  if (blocks > limits.blocks || offset + bytes.length > limits.index) throw malformed(object);
  const filters = headerLength + blockBytes;
  const index = filters + filterBytes;
  if (index + offset !== footer.root.offset)
    throw corrupt(object, 'its blocks do not end where its index says');
  return {
    pages: pages.map((page) => ({
      ...page,
      offset: index + page.offset,
      firstFilter: filters + page.firstFilter,
    })),
    firsts: firstsOf(numbers, parts, 4),
  };
}

/** Reads a page that a root describes. Errors: `SegmentCorrupt`. */
export function decodePage(object: string, info: PageInfo, bytes: Buffer): IndexPage {
  check(object, `page of its index at byte ${info.offset}`, info, bytes);
  const page = unpacked(object, 'index', bytes);
  if (!isPage(page)) throw malformed(object);
  const [numbers, parts, digests, filterDigests] = page as Page;
  const count = countOf(object, numbers, parts, digests);
  if (count !== info.blocks || filterDigests.length !== 32 * count) throw malformed(object);
  const blocks: BlockInfo[] = [];
  const filters: Stretch[] = [];
  let offset = info.firstBlock;
  let filter = info.firstFilter;
  for (let i = 0; i < count; i++) {
    const [length = 0, cells = 0, firstGroup = 0, lastGroup = 0, crc = 0] = numbers.slice(7 * i, 7 * i + 5);
    if (length > limits.block + 1 || cells > limits.cellsInBlock)
      throw corrupt(object, `its block at byte ${offset} is larger than blocks are`);
    const filterBytes = filterLength(cells);
    blocks.push({ offset, length, cells, firstGroup, lastGroup, crc, sha256: digest(digests, i) });
    filters.push({ offset: filter, length: filterBytes, sha256: digest(filterDigests, i) });
    offset += length;
    filter += filterBytes;
  }
  if (offset !== info.firstBlock + info.blockBytes || filter !== info.firstFilter + info.filterBytes)
    throw corrupt(object, 'its blocks do not end where its index says');
  return { blocks, filters, firsts: firstsOf(numbers, parts, 2) };
}

/** Where cells are in the order of a segment. Without `subKey`, those of all sub-keys. */
export interface Place {
  readonly group: number;
  readonly hash: number;
  /** The encoded key. */
  readonly key: Uint8Array;
  readonly state: number;
  readonly namespace: Uint8Array;
  readonly subKey?: Uint8Array | undefined;
}

/** The blocks, or pages, that may have cells of a place. */
export function candidates(
  firsts: FirstCells,
  place: Place,
): { readonly first: number; readonly end: number } {
  const count = firsts.groups.length;
  // A linear search: there are few, and a binary search could not handle those whose first address is not known.
  let first = 0;
  for (let at = 0; at < count; at++) {
    const order = compareFirst(firsts, at, place);
    if (order === undefined) continue;
    if (order > 0) return { first, end: at };
    // Cells of other sub-keys may come before.
    if (order < 0 || place.subKey !== undefined) first = at;
  }
  return { first, end: count };
}

/** Compares a first cell with a place; undefined if the index does not have its address. */
function compareFirst(firsts: FirstCells, at: number, place: Place): number | undefined {
  const order = (firsts.groups[at] ?? 0) - place.group || (firsts.hashes[at] ?? 0) - place.hash;
  if (order !== 0) return order;
  const [key, namespace, subKey] = firsts.parts.slice(3 * at, 3 * at + 3);
  if (key === undefined || key.length === 0 || namespace === undefined || subKey === undefined)
    return undefined;
  return (
    compareBytes(key, place.key) ||
    (firsts.states[at] ?? 0) - place.state ||
    compareBytes(namespace, place.namespace) ||
    (place.subKey === undefined ? 0 : compareBytes(subKey, place.subKey))
  );
}

/**
 * Per page or block seven numbers, of which the last two are hash and state of its first cell, and the parts of that
 * cell's address; concatenated digests.
 */
type Root = [numbers: number[], parts: Uint8Array[], digests: Uint8Array];
type Page = [...Root, filterDigests: Uint8Array];

const isBinary = (value: unknown): boolean => value instanceof Uint8Array;
const isRoot = tuple(listOf(isCount), listOf(isBinary), isBinary);
const isPage = tuple(listOf(isCount), listOf(isBinary), isBinary, isBinary);

const digest = (of: Uint8Array, at: number): Uint8Array => of.subarray(32 * at, 32 * at + 32);

function countOf(
  object: string,
  numbers: readonly number[],
  parts: readonly Uint8Array[],
  digests: Uint8Array,
): number {
  const count = numbers.length / 7;
  if (
    !Number.isInteger(count) ||
    count > limits.blocks ||
    parts.length !== 3 * count ||
    digests.length !== 32 * count
  )
    throw malformed(object);
  return count;
}

/** @param group where among the seven numbers the group is */
function firstsOf(numbers: readonly number[], parts: readonly Uint8Array[], group: number): FirstCells {
  const groups: number[] = [];
  const hashes: number[] = [];
  const states: number[] = [];
  for (let at = 0; at < numbers.length; at += 7) {
    groups.push(numbers[at + group] ?? 0);
    hashes.push((numbers[at + 5] ?? 0) | 0);
    states.push(numbers[at + 6] ?? 0);
  }
  return { groups, hashes, states, parts };
}

function check(object: string, what: string, { length, sha256 }: Stretch, bytes: Buffer): void {
  if (bytes.length !== length || !hash('sha256', bytes, 'buffer').equals(sha256))
    throw corrupt(object, `the checksum of the ${what} is wrong`);
}

const malformed = (object: string): Error => corrupt(object, 'its index is malformed');
