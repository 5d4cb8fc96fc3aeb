import { concat, defaultIfEmpty, defer, EMPTY, last, map, of, switchMap, type Observable } from 'rxjs';
import type { CheckpointData } from '../store/services.js';
import type { Block } from './block.js';
import { cellHash, mayHold } from './cellFilter.js';
import { comparePaths, type CellContent, type CellPath } from './cells.js';
import { compareBytes, compareEncoded } from './encodedKeys.js';
import { hashOf, keyGroupOf } from './keyGroups.js';
import { encodeKey, type StoredKey } from './keys.js';
import type { SegmentIndex } from './segmentFooter.js';
import { SegmentObject, type SegmentRef } from './segmentObject.js';

/** A cell of one segment. `state` is an index into the segment's schema. */
export interface CellAddress {
  readonly key: StoredKey;
  readonly state: number;
  readonly path: CellPath;
}

/** An address with its sort key. */
interface Place extends CellAddress {
  readonly group: number;
  readonly hash: number;
  readonly encoded: Uint8Array;
}

/**
 * Reads single cells of one segment: footer and index once, then for each cell the filter of one block and, unless it
 * rules the cell out, the block. Very long addresses are not in the index, and may take more than one block.
 *
 * Errors: those of {@link SegmentObject}.
 */
export class PointReader {
  readonly #object: SegmentObject;

  constructor(data: CheckpointData, ref: SegmentRef) {
    this.#object = new SegmentObject(data, ref);
  }

  /** The index of a state in the segment; undefined if it has none of this name. */
  state(name: string): Observable<number | undefined> {
    return concat(
      this.#open(),
      defer(() => {
        const at = this.#object.footer.schema.states.findIndex((state) => state.name === name);
        return of(at < 0 ? undefined : at);
      }),
    );
  }

  /** Emits the content of the cell, `absent` for a tombstone. Completes without emitting if there is no such cell. */
  get(address: CellAddress): Observable<{ readonly content: CellContent }> {
    return concat(
      this.#open(),
      defer(() => {
        const { footer, index } = this.#object;
        const hash = hashOf(address.key);
        const group = keyGroupOf(hash, footer.schema.maxParallelism);
        const place = { ...address, hash, group, encoded: encodeKey(address.key) };
        const { first, end } = candidates(index, place);
        return this.#search(place, first, end);
      }),
    );
  }

  #open(): Observable<never> {
    return defer(() => (this.#object.opened ? EMPTY : this.#object.open(0)));
  }

  #search(place: Place, block: number, end: number): Observable<{ readonly content: CellContent }> {
    if (block >= end) return EMPTY;
    return this.#inBlock(place, block).pipe(
      map((content) => ({ content })),
      defaultIfEmpty(undefined),
      last(),
      switchMap((found) => (found === undefined ? this.#search(place, block + 1, end) : of(found))),
    );
  }

  #inBlock(place: Place, at: number): Observable<CellContent> {
    const info = this.#object.index.blocks[at];
    if (info === undefined) return EMPTY;
    return this.#object.filter(at).pipe(
      switchMap((filter) => {
        if (!mayHold(filter, cellHash(place.hash, place.state, place.path))) return EMPTY;
        const { offset, length } = info;
        return concat(
          defer(() =>
            this.#object.holds(offset, length) ? EMPTY : this.#object.load(offset, offset + length),
          ),
          defer(() => {
            const block = this.#object.block(info);
            const cell = find(block, place);
            return cell < 0 ? EMPTY : of(block.contents[cell]);
          }),
        );
      }),
    );
  }
}

/** The blocks that may hold a cell. */
function candidates(index: SegmentIndex, place: Place): { readonly first: number; readonly end: number } {
  const { blocks } = index;
  // A linear search: blocks are few, and a binary search could not handle those without a first address.
  let first = 0;
  let end = blocks.length;
  for (let at = 0; at < blocks.length; at++) {
    const order = compareFirst(index, at, place);
    if (order === undefined) continue;
    if (order <= 0) first = at;
    else {
      end = at;
      break;
    }
  }
  return { first, end };
}

/** Compares a block's first cell with `place`; undefined if the index does not have its address. */
function compareFirst(index: SegmentIndex, block: number, place: Place): number | undefined {
  const group = index.blocks[block]?.firstGroup ?? 0;
  const hash = index.hashes[block] ?? 0;
  const order = group - place.group || hash - place.hash;
  if (order !== 0) return order;
  const [key, namespace, subKey] = index.firsts.slice(3 * block, 3 * block + 3);
  if (key === undefined || key.length === 0 || namespace === undefined || subKey === undefined)
    return undefined;
  return (
    compareBytes(key, place.encoded) ||
    (index.states[block] ?? 0) - place.state ||
    comparePaths({ namespace, subKey }, place.path)
  );
}

/** The index of a cell in a block, or -1. */
function find(block: Block, { encoded, state, path }: Place): number {
  const { addresses, starts, ends, states } = block;
  for (let i = 0; i < block.count; i++) {
    if (states[i] !== state) continue;
    const order = compareEncoded(addresses, starts[i] ?? 0, ends[i] ?? 0, encoded, 0, encoded.length);
    if (order === 0 && comparePaths(block.path(i), path) === 0) return i;
  }
  return -1;
}
