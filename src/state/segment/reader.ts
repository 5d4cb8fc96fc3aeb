import { concat, defer, ignoreElements, map, type Observable } from 'rxjs';
import type { CheckpointData } from '../../store/services.js';
import { partOf, type BlockPart } from './block.js';
import { intersection, type KeyGroupRange } from '../keys/keyGroups.js';
import { headerLength, type BlockInfo, type SegmentFooter } from './format.js';
import { SegmentObject, type SegmentRef } from './segmentObject.js';

const windowBytes = 2 * 1024 * 1024;
/** Has the footer and the index of most segments. */
const tailBytes = 64 * 1024;

/**
 * Reads the cells of a range of key groups from one segment, from first to last, in windows of 2 MiB: {@link open} it;
 * then, until {@link done}, {@link fetch} if it is not {@link ready}, and take a {@link part}. Blocks outside the
 * range are not read. Everything is verified. A segment that fits into one window costs one request.
 *
 * Errors: those of {@link SegmentObject}.
 */
export class SegmentReader {
  readonly #object: SegmentObject;
  readonly #keyGroups: KeyGroupRange;
  /** Those that may have cells of the range. */
  #blocks: readonly BlockInfo[] | undefined;
  #next = 0;

  constructor(data: CheckpointData, ref: SegmentRef, keyGroups: KeyGroupRange) {
    this.#object = new SegmentObject(data, ref);
    this.#keyGroups = keyGroups;
  }

  get ref(): SegmentRef {
    return this.#object.ref;
  }

  get requests(): number {
    return this.#object.requests;
  }

  get opened(): boolean {
    return this.#blocks !== undefined;
  }

  get footer(): SegmentFooter {
    return this.#object.footer;
  }

  get done(): boolean {
    return this.#next === this.#all.length;
  }

  get ready(): boolean {
    const info = this.#all[this.#next];
    return info !== undefined && this.#object.holds(info.offset, info.length);
  }

  /** Loads footer and index. */
  open(): Observable<never> {
    const object = this.#object;
    return concat(
      object.open(tailBytes, windowBytes),
      object.blocks().pipe(
        map((blocks) => {
          this.#blocks = blocks.filter(({ firstGroup, lastGroup }) =>
            intersection({ first: firstGroup, last: lastGroup }, this.#keyGroups),
          );
        }),
        ignoreElements(),
      ),
    );
  }

  /** Loads the next blocks. */
  fetch(): Observable<never> {
    return defer(() => {
      const blocks = this.#all;
      const info = blocks[this.#next];
      if (info === undefined) throw new RangeError('the segment has been read');
      let end = info.offset + info.length;
      for (let i = this.#next + 1; i < blocks.length; i++) {
        const length = blocks[i]?.length ?? 0;
        if (end + length - info.offset > windowBytes) break;
        end += length;
      }
      return this.#object.load(info.offset === headerLength ? 0 : info.offset, end);
    });
  }

  /** Decodes the next block, which is {@link ready}. */
  part(): BlockPart {
    const info = this.#all[this.#next++];
    if (info === undefined) throw new RangeError('the segment has been read');
    return partOf(this.#object.block(info), info, this.#keyGroups, this.footer.schema.maxParallelism);
  }

  get #all(): readonly BlockInfo[] {
    if (this.#blocks === undefined) throw new RangeError('the segment is not open yet');
    return this.#blocks;
  }
}
