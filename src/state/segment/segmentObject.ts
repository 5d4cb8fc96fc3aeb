import { hash } from 'node:crypto';
import { catchError, defer, ignoreElements, map, of, switchMap, type Observable } from 'rxjs';
import { isStoreError } from '../../store/errors.js';
import type { CheckpointData } from '../../store/services.js';
import { decodeBlock, type Block } from './block.js';
import { StateError } from '../errors.js';
import { checkHeader, decodeFooter, footerLength } from './footer.js';
import { corrupt, headerLength, trailerLength, type BlockInfo, type SegmentFooter } from './format.js';
import { decodePage, decodeRoot, type IndexPage, type IndexRoot, type Stretch } from './blockIndex.js';

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
  /** Key group and hash of its first cell, which locate a key among the segments of a run. This version always writes it. */
  readonly first?: readonly [group: number, hash: number];
}

/**
 * The object of one segment. Everything read is verified and bounded in size. The last range that was loaded stays in
 * memory, so that adjacent reads cost one request.
 *
 * Errors: `SegmentMissing`, `SegmentCorrupt`, `SegmentTooNew`, and those of the store.
 */
export class SegmentObject {
  readonly ref: SegmentRef;
  readonly #data: CheckpointData;
  #footer: SegmentFooter | undefined;
  #root: IndexRoot | undefined;
  readonly #pages: (IndexPage | undefined)[] = [];
  #window = Buffer.alloc(0);
  #windowStart = 0;
  requests = 0;

  constructor(data: CheckpointData, ref: SegmentRef) {
    this.#data = data;
    this.ref = ref;
  }

  get opened(): boolean {
    return this.#root !== undefined;
  }

  get footer(): SegmentFooter {
    return known(this.#footer);
  }

  get root(): IndexRoot {
    return known(this.#root);
  }

  /**
   * Loads the footer and the root of the index, by reading the last `tail` bytes, or all of a segment that has at most
   * `whole` bytes.
   */
  open(tail: number, whole = 0): Observable<never> {
    const { bytes, object } = this.ref;
    const start = bytes <= whole ? 0 : Math.max(bytes - tail, 0);
    return this.#fetch(start, bytes).pipe(
      switchMap((end) => {
        // The names of very many states are longer than the first read.
        const length = footerLength(object, end) + trailerLength;
        return length <= end.length ? of(end) : this.#fetch(Math.max(bytes - length, 0), bytes);
      }),
      switchMap((end) => {
        this.#hold(bytes - end.length, end);
        const footer = decodeFooter(object, end, bytes);
        const { crc, sha256 = footer.sha256 } = this.ref;
        if (footer.crc !== crc || footer.sha256 !== sha256)
          throw corrupt(object, 'it is not the segment that the checkpoint refers to');
        this.#footer = footer;
        const { offset, length } = footer.root;
        return this.#read(offset, length).pipe(
          map((root) => (this.#root = decodeRoot(object, footer, root))),
          ignoreElements(),
        );
      }),
    );
  }

  /** A page of the index, which stays in memory. */
  page(at: number): Observable<IndexPage> {
    return defer(() => {
      const page = this.#pages[at];
      const info = this.root.pages[at];
      if (info === undefined) throw new RangeError('there is no such page');
      if (page !== undefined) return of(page);
      return this.#read(info.offset, info.length).pipe(
        map((bytes) => (this.#pages[at] = decodePage(this.ref.object, info, bytes))),
      );
    });
  }

  /** All blocks, in order. Loads all pages of the index with at most one request. */
  blocks(): Observable<readonly BlockInfo[]> {
    return defer(() => {
      const { pages } = this.root;
      const offset = pages[0]?.offset ?? 0;
      const { offset: end } = this.footer.root;
      return this.#read(offset, end - offset).pipe(
        map((bytes) =>
          pages.flatMap((info) => {
            const at = info.offset - offset;
            return decodePage(this.ref.object, info, bytes.subarray(at, at + info.length)).blocks;
          }),
        ),
      );
    });
  }

  /** The filter of a block. */
  filter(filter: Stretch): Observable<Uint8Array> {
    return this.#read(filter.offset, filter.length).pipe(
      map((bytes) => {
        if (!hash('sha256', bytes, 'buffer').equals(filter.sha256))
          throw corrupt(this.ref.object, `the checksum of its filter at byte ${filter.offset} is wrong`);
        return bytes;
      }),
    );
  }

  /** Reads adjacent blocks, with at most one request. */
  read(infos: readonly BlockInfo[]): Observable<readonly Block[]> {
    return defer(() => {
      const [first] = infos;
      if (first === undefined) return of([]);
      const length = infos.reduce((sum, info) => sum + info.length, 0);
      return this.#read(first.offset, length).pipe(
        map((bytes) =>
          infos.map((info) => {
            const at = info.offset - first.offset;
            return this.#decode(info, bytes.subarray(at, at + info.length));
          }),
        ),
      );
    });
  }

  /** Whether these bytes are in memory. */
  holds(offset: number, length: number): boolean {
    return offset >= this.#windowStart && offset + length <= this.#windowStart + this.#window.length;
  }

  /** Decodes a block that is in memory. */
  block(info: BlockInfo): Block {
    return this.#decode(info, this.#at(info.offset, info.length));
  }

  /** Reads these bytes, which replace those in memory. */
  load(start: number, end: number): Observable<never> {
    return this.#fetch(start, end).pipe(
      map((bytes) => {
        this.#hold(start, bytes);
      }),
      ignoreElements(),
    );
  }

  #decode(info: BlockInfo, bytes: Buffer): Block {
    const { object } = this.ref;
    if (info.sha256 !== undefined && !hash('sha256', bytes, 'buffer').equals(info.sha256))
      throw corrupt(object, `the checksum of its block at byte ${info.offset} is wrong`);
    const block = decodeBlock(object, info, bytes);
    const { length } = this.footer.schema.states;
    if (block.states.some((state) => state >= length)) throw corrupt(object, 'a cell is of no state');
    return block;
  }

  /** Not into memory: concurrent reads are independent of each other. */
  #read(offset: number, length: number): Observable<Buffer> {
    return defer(() =>
      this.holds(offset, length) ? of(this.#at(offset, length)) : this.#fetch(offset, offset + length),
    );
  }

  #at(offset: number, length: number): Buffer {
    const at = offset - this.#windowStart;
    return this.#window.subarray(at, at + length);
  }

  #hold(start: number, bytes: Buffer<ArrayBuffer>): void {
    this.#window = bytes;
    this.#windowStart = start;
  }

  #fetch(start: number, end: number): Observable<Buffer<ArrayBuffer>> {
    const { object, bytes } = this.ref;
    return defer(() => {
      this.requests++;
      return this.#data.store.get(this.#data.key(object), { range: { start, end } });
    }).pipe(
      map(({ info, chunks }) => {
        if (info.size !== bytes) throw corrupt(object, `it has ${info.size} bytes instead of ${bytes}`);
        const read = Buffer.concat(chunks);
        if (start === 0) checkHeader(object, read.subarray(0, headerLength));
        return read;
      }),
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

function known<T>(part: T | undefined): T {
  if (part === undefined) throw new RangeError('the segment is not open yet');
  return part;
}
