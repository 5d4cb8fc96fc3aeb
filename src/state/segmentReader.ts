import { hash } from 'node:crypto';
import { catchError, concat, defer, ignoreElements, map, type Observable } from 'rxjs';
import { isStoreError } from '../store/errors.js';
import type { ByteRange } from '../store/objectStore.js';
import type { CheckpointData } from '../store/services.js';
import { decodeBlock, type Block } from './block.js';
import { StateError } from './errors.js';
import { checkHeader, decodeFooter, footerLength } from './segmentFooter.js';
import { corrupt, headerLength, trailerLength, type SegmentFooter } from './segmentFormat.js';

/** How a snapshot refers to a segment. */
export interface SegmentRef {
  /** Its name below the job's checkpoint directory. */
  readonly object: string;
  readonly bytes: number;
  readonly entries: number;
  /** Of its footer. */
  readonly crc: number;
  /** Of its footer, which has the digests of its blocks. Always there in what this millrace writes. */
  readonly sha256?: string;
}

const windowBytes = 2 * 1024 * 1024;

/**
 * Reads one segment from its first block to its last, in windows of 2 MiB: {@link open} it; then, until
 * {@link done}, {@link fetch} when it is not {@link ready}, and take a {@link block}. Everything is verified.
 * A segment that fits one window costs one request.
 *
 * Errors: `SegmentMissing`, `SegmentCorrupt`, `SegmentTooNew`, and those of the store.
 */
export class SegmentReader {
  readonly ref: SegmentRef;
  readonly #data: CheckpointData;
  #footer: SegmentFooter | undefined;
  #window = Buffer.alloc(0);
  #windowStart = 0;
  #next = 0;
  requests = 0;

  constructor(data: CheckpointData, ref: SegmentRef) {
    this.#data = data;
    this.ref = ref;
  }

  get footer(): SegmentFooter {
    if (this.#footer === undefined) throw new RangeError('the segment is not open yet');
    return this.#footer;
  }

  get done(): boolean {
    return this.#next === this.footer.blocks.length;
  }

  get ready(): boolean {
    const info = this.footer.blocks[this.#next];
    return info !== undefined && this.#holds(info.offset, info.length);
  }

  /** Loads the footer. */
  open(): Observable<never> {
    const { bytes, object } = this.ref;
    const first = bytes <= windowBytes ? 0 : bytes - 64 * 1024;
    return concat(
      this.#get({ start: first, end: bytes }),
      defer(() => {
        // The footer of a very large segment is longer than the first guess.
        const length = footerLength(object, this.#window) + trailerLength;
        return length <= this.#window.length
          ? []
          : this.#get({ start: Math.max(bytes - length, 0), end: bytes });
      }),
      defer(() => {
        this.#footer = decodeFooter(object, this.#window, bytes);
        const { crc, sha256 = this.#footer.sha256 } = this.ref;
        if (this.#footer.crc !== crc || this.#footer.sha256 !== sha256)
          throw corrupt(object, 'it is not the segment that the checkpoint refers to');
        if (this.#windowStart === 0) checkHeader(object, this.#window);
        return [];
      }),
    );
  }

  /** Loads the next blocks. */
  fetch(): Observable<never> {
    const { blocks } = this.footer;
    const info = blocks[this.#next];
    if (info === undefined) throw new RangeError('the segment has been read');
    let end = info.offset + info.length;
    for (let i = this.#next + 1; i < blocks.length; i++) {
      const length = blocks[i]?.length ?? 0;
      if (end + length - info.offset > windowBytes) break;
      end += length;
    }
    const start = this.#next === 0 ? 0 : info.offset;
    return concat(
      this.#get({ start, end }),
      defer(() => {
        if (start === 0) checkHeader(this.ref.object, this.#window.subarray(0, headerLength));
        return [];
      }),
    );
  }

  /** Decodes the next block, which is {@link ready}. */
  block(): Block {
    const info = this.footer.blocks[this.#next++];
    if (info === undefined) throw new RangeError('the segment has been read');
    const at = info.offset - this.#windowStart;
    const bytes = this.#window.subarray(at, at + info.length);
    if (info.sha256 !== undefined && !hash('sha256', bytes, 'buffer').equals(info.sha256))
      throw corrupt(this.ref.object, `the checksum of its block at byte ${info.offset} is wrong`);
    return decodeBlock(this.ref.object, info, bytes);
  }

  #holds(offset: number, length: number): boolean {
    return offset >= this.#windowStart && offset + length <= this.#windowStart + this.#window.length;
  }

  #get(range: Required<ByteRange>): Observable<never> {
    const { object, bytes } = this.ref;
    return defer(() => {
      this.requests++;
      return this.#data.store.get(this.#data.key(object), { range });
    }).pipe(
      map(({ info, chunks }) => {
        if (info.size !== bytes) throw corrupt(object, `it has ${info.size} bytes instead of ${bytes}`);
        this.#window = Buffer.concat(chunks);
        this.#windowStart = range.start;
      }),
      ignoreElements(),
      catchError((error: unknown) => {
        if (!isStoreError(error, 'NotFound')) throw error;
        throw new StateError(
          'SegmentMissing',
          `Segment ${object} is gone, and a checkpoint needs it. Nothing but millrace may delete ${this.#data.store.uri}/${this.#data.key(object)}: restore the object from a version or backup of the bucket.`,
          { cause: error },
        );
      }),
    );
  }
}
