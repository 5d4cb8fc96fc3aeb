import {
  concat,
  concatMap,
  defer,
  EMPTY,
  filter,
  from,
  of,
  range,
  ReplaySubject,
  share,
  switchMap,
  take,
  type Observable,
} from 'rxjs';
import type { CheckpointData } from '../../store/services.js';
import type { Block } from './block.js';
import { cellHash, mayHold } from './cellFilter.js';
import { type CellContent, type CellPath } from '../cells.js';
import { compareBytes, compareEncoded } from '../keys/encodedKeys.js';
import { hashOf, keyGroupOf } from '../keys/keyGroups.js';
import { encodeKey, type StoredKey } from '../keys/keys.js';
import type { BlockInfo, SegmentFooter } from './format.js';
import { candidates, type IndexPage, type Place } from './blockIndex.js';
import { SegmentObject, type SegmentRef } from './segmentObject.js';

/** A cell of one segment. `state` is an index into the segment's schema. */
export interface CellAddress {
  readonly key: StoredKey;
  readonly state: number;
  readonly path: CellPath;
}

/** A cell that was found. */
export interface FoundCell {
  readonly path: CellPath;
  /** `absent` for a tombstone. */
  readonly content: CellContent;
}

/** Has footer and root of all but the largest segments. Small, as one read of state opens a segment of each run. */
const tailBytes = 16 * 1024;
/** Blocks of a key with very many cells are read in windows. */
const windowBytes = 2 * 1024 * 1024;

/**
 * Reads single cells of one segment, or all cells of one key: footer and root of the index once, each page of the index
 * once, then for each cell the filter of one block and, unless it rules the cell out, the block. Very long addresses are
 * not in the index, and may take more than one block. Reads may be concurrent.
 *
 * Errors: those of {@link SegmentObject}.
 */
export class PointReader {
  readonly #object: SegmentObject;
  readonly #opening: Observable<never>;

  constructor(data: CheckpointData, ref: SegmentRef) {
    this.#object = new SegmentObject(data, ref);
    this.#opening = once(this.#object.open(tailBytes));
  }

  get ref(): SegmentRef {
    return this.#object.ref;
  }

  footer(): Observable<SegmentFooter> {
    return this.#opened((object) => of(object.footer));
  }

  /** Emits the content of the cell. Completes without emitting if there is no such cell. */
  get({ key, state, path }: CellAddress): Observable<FoundCell> {
    return this.#opened((object) => {
      const place = { ...this.#place(key, state, path.namespace), subKey: path.subKey };
      const hash = cellHash(place.hash, state, path);
      return this.#pages(place).pipe(
        concatMap(({ blocks, filters, firsts }) => {
          const { first, end } = candidates(firsts, place);
          return from(blocks.slice(first, end)).pipe(
            concatMap((info, i) => {
              const stretch = filters[first + i];
              if (stretch === undefined) return EMPTY;
              return object.filter(stretch).pipe(
                filter((bits) => mayHold(bits, hash)),
                switchMap(() => this.#inBlocks([info], place)),
              );
            }),
          );
        }),
        take(1),
      );
    });
  }

  /** Emits all cells of a key, state and namespace, in the order of sub-keys. */
  all(key: StoredKey, state: number, namespace: Uint8Array): Observable<FoundCell> {
    return this.#opened(() => {
      const place = this.#place(key, state, namespace);
      return this.#pages(place).pipe(
        concatMap(({ blocks, firsts }) => {
          const { first, end } = candidates(firsts, place);
          return from(windows(blocks.slice(first, end)));
        }),
        concatMap((infos) => this.#inBlocks(infos, place)),
      );
    });
  }

  #opened<T>(work: (object: SegmentObject) => Observable<T>): Observable<T> {
    return concat(
      defer(() => (this.#object.opened ? EMPTY : this.#opening)),
      defer(() => work(this.#object)),
    );
  }

  #place(key: StoredKey, state: number, namespace: Uint8Array): Place & { readonly subKey?: undefined } {
    const hash = hashOf(key);
    const group = keyGroupOf(hash, this.#object.footer.schema.maxParallelism);
    return { group, hash, key: encodeKey(key), state, namespace };
  }

  /** The pages that may have cells of a place. */
  #pages(place: Place): Observable<IndexPage> {
    const { first, end } = candidates(this.#object.root.firsts, place);
    return range(first, end - first).pipe(concatMap((at) => this.#object.page(at)));
  }

  #inBlocks(infos: readonly BlockInfo[], place: Place): Observable<FoundCell> {
    return this.#object
      .read(infos)
      .pipe(concatMap((blocks) => blocks.flatMap((block) => found(block, place))));
  }
}

/** The cells of a place in a block. */
function found(block: Block, { key, state, namespace, subKey }: Place): FoundCell[] {
  const { addresses, starts, ends, states } = block;
  const cells: FoundCell[] = [];
  for (let i = 0; i < block.count; i++) {
    if (states[i] !== state) continue;
    if (compareEncoded(addresses, starts[i] ?? 0, ends[i] ?? 0, key, 0, key.length) !== 0) continue;
    const path = block.path(i);
    if (compareBytes(path.namespace, namespace) !== 0) continue;
    if (subKey === undefined || compareBytes(path.subKey, subKey) === 0)
      cells.push({ path, content: block.contents[i] });
  }
  return cells;
}

/** Groups adjacent blocks into requests. */
function windows(blocks: readonly BlockInfo[]): BlockInfo[][] {
  const groups: BlockInfo[][] = [];
  let bytes = Infinity;
  for (const info of blocks) {
    if (bytes + info.length > windowBytes) {
      groups.push([]);
      bytes = 0;
    }
    groups.at(-1)?.push(info);
    bytes += info.length;
  }
  return groups;
}

/** Work that concurrent subscribers share, and that is not repeated unless it failed. */
function once<T>(work: Observable<T>): Observable<T> {
  return work.pipe(
    share({ connector: () => new ReplaySubject<T>(1), resetOnComplete: false, resetOnRefCountZero: true }),
  );
}
