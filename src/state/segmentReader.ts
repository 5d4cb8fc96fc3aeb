import { concat, defer, ignoreElements, map, type Observable } from 'rxjs';
import type { CheckpointData } from '../store/services.js';
import type { Block } from './block.js';
import type { BlockInfo, SegmentFooter } from './segmentFormat.js';
import { SegmentObject, type SegmentRef } from './segmentObject.js';

const windowBytes = 2 * 1024 * 1024;
/** Has the footer and the index of most segments. */
const tailBytes = 64 * 1024;

/**
 * Reads one segment from its first block to its last, in windows of 2 MiB: {@link open} it; then, until {@link done},
 * {@link fetch} if it is not {@link ready}, and take a {@link block}. Everything is verified. A segment that fits
 * into one window costs one request.
 *
 * Errors: those of {@link SegmentObject}.
 */
export class SegmentReader {
  readonly #object: SegmentObject;
  #blocks: readonly BlockInfo[] | undefined;
  #next = 0;

  constructor(data: CheckpointData, ref: SegmentRef) {
    this.#object = new SegmentObject(data, ref);
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
        map((blocks) => (this.#blocks = blocks)),
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
      return this.#object.load(this.#next === 0 ? 0 : info.offset, end);
    });
  }

  /** Decodes the next block, which is {@link ready}. */
  block(): Block {
    const info = this.#all[this.#next++];
    if (info === undefined) throw new RangeError('the segment has been read');
    return this.#object.block(info);
  }

  get #all(): readonly BlockInfo[] {
    if (this.#blocks === undefined) throw new RangeError('the segment is not open yet');
    return this.#blocks;
  }
}
