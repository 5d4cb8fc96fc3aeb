import { hash } from 'node:crypto';
import { catchError, concat, defer, ignoreElements, map, of, type Observable } from 'rxjs';
import { isStoreError } from '../store/errors.js';
import type { ByteRange } from '../store/objectStore.js';
import type { CheckpointData } from '../store/services.js';
import { decodeBlock, type Block } from './block.js';
import { StateError } from './errors.js';
import { checkHeader, decodeFooter, decodeIndex, footerLength, type SegmentIndex } from './segmentFooter.js';
import { corrupt, headerLength, trailerLength, type BlockInfo, type SegmentFooter } from './segmentFormat.js';

/** How a snapshot refers to a segment. */
export interface SegmentRef {
  /** Its name below the job's checkpoint directory. */
  readonly object: string;
  readonly bytes: number;
  readonly cells: number;
  /** CRC-32 of its footer. */
  readonly crc: number;
  /**
   * SHA-256 of its footer, which has the digest of its index, which has those of its blocks. This version always
   * writes it.
   */
  readonly sha256?: string;
}

const tailBytes = 64 * 1024;

/**
 * The object of one segment. Everything read is verified and bounded in size. The last range read stays in memory, so
 * that adjacent reads cost one request.
 *
 * Errors: `SegmentMissing`, `SegmentCorrupt`, `SegmentTooNew`, and those of the store.
 */
export class SegmentObject {
  readonly ref: SegmentRef;
  readonly #data: CheckpointData;
  #footer: SegmentFooter | undefined;
  #index: SegmentIndex | undefined;
  #window = Buffer.alloc(0);
  #windowStart = 0;
  requests = 0;

  constructor(data: CheckpointData, ref: SegmentRef) {
    this.#data = data;
    this.ref = ref;
  }

  get opened(): boolean {
    return this.#index !== undefined;
  }

  get footer(): SegmentFooter {
    if (this.#footer === undefined) throw new RangeError('the segment is not open yet');
    return this.#footer;
  }

  get index(): SegmentIndex {
    if (this.#index === undefined) throw new RangeError('the segment is not open yet');
    return this.#index;
  }

  /** Loads footer and index. Reads all of a segment that has at most `whole` bytes. */
  open(whole: number): Observable<never> {
    const { bytes, object } = this.ref;
    const first = bytes <= whole ? 0 : Math.max(bytes - tailBytes, 0);
    return concat(
      this.load(first, bytes),
      defer(() => {
        // The footer of a very large segment is longer than the first read.
        const length = footerLength(object, this.#window) + trailerLength;
        return length <= this.#window.length ? [] : this.load(Math.max(bytes - length, 0), bytes);
      }),
      defer(() => {
        const footer = decodeFooter(object, this.#window, bytes);
        const { crc, sha256 = footer.sha256 } = this.ref;
        if (footer.crc !== crc || footer.sha256 !== sha256)
          throw corrupt(object, 'it is not the segment that the checkpoint refers to');
        this.#footer = footer;
        const { offset, length } = footer.index;
        return this.#read(offset, length).pipe(
          map((index) => (this.#index = decodeIndex(object, footer, index))),
          ignoreElements(),
        );
      }),
    );
  }

  /** Whether these bytes are in memory. */
  holds(offset: number, length: number): boolean {
    return offset >= this.#windowStart && offset + length <= this.#windowStart + this.#window.length;
  }

  /** Decodes a block that is in memory. */
  block(info: BlockInfo): Block {
    const { object } = this.ref;
    const bytes = this.#at(info.offset, info.length);
    if (info.sha256 !== undefined && !hash('sha256', bytes, 'buffer').equals(info.sha256))
      throw corrupt(object, `the checksum of its block at byte ${info.offset} is wrong`);
    const block = decodeBlock(object, info, bytes);
    const { length } = this.footer.schema.states;
    if (block.states.some((state) => state >= length)) throw corrupt(object, 'a cell is of no state');
    return block;
  }

  /** The filter of a block. */
  filter(block: number): Observable<Uint8Array> {
    const filter = this.index.filters[block];
    if (filter === undefined) throw new RangeError('there is no such block');
    return this.#read(filter.offset, filter.length).pipe(
      map((bytes) => {
        if (!hash('sha256', bytes, 'buffer').equals(filter.sha256))
          throw corrupt(this.ref.object, `the checksum of its filter at byte ${filter.offset} is wrong`);
        return bytes;
      }),
    );
  }

  #read(offset: number, length: number): Observable<Buffer> {
    return defer(() => {
      if (this.holds(offset, length)) return of(undefined);
      return concat(this.load(offset, offset + length), of(undefined));
    }).pipe(map(() => this.#at(offset, length)));
  }

  #at(offset: number, length: number): Buffer {
    const at = offset - this.#windowStart;
    return this.#window.subarray(at, at + length);
  }

  /** Reads these bytes, which replace those in memory. */
  load(start: number, end: number): Observable<never> {
    const { object, bytes } = this.ref;
    const range: ByteRange = { start, end };
    return defer(() => {
      this.requests++;
      return this.#data.store.get(this.#data.key(object), { range });
    }).pipe(
      map(({ info, chunks }) => {
        if (info.size !== bytes) throw corrupt(object, `it has ${info.size} bytes instead of ${bytes}`);
        this.#window = Buffer.concat(chunks);
        this.#windowStart = start;
        if (start === 0) checkHeader(object, this.#window.subarray(0, headerLength));
      }),
      ignoreElements(),
      catchError((error: unknown) => {
        if (!isStoreError(error, 'NotFound')) throw error;
        throw new StateError(
          'SegmentMissing',
          `Segment ${object} is gone, and a checkpoint needs it. Only millrace may delete ${this.#data.store.uri}/${this.#data.key(object)}: restore the object from a version or backup of the bucket.`,
          { cause: error },
        );
      }),
    );
  }
}
