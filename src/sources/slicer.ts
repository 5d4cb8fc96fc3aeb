import type { Cutter } from '../formats/reader.js';

/** Bytes of an oversized record that are kept for its error. */
const excerptBytes = 256;

export type Piece =
  /** Whole records. */
  | { readonly kind: 'records'; readonly start: number; readonly bytes: Buffer }
  /** One record over the maximum, dropped except for its beginning. */
  | { readonly kind: 'oversized'; readonly start: number; readonly length: number; readonly excerpt: Buffer };

/**
 * Cuts chunks of bytes into blocks of whole records, of at most `block` bytes each. Blocks are views into their chunk;
 * only a record that crosses the end of a chunk is copied (the carry-over), so that no chunk keeps its neighbour alive.
 *
 * A record longer than `maxBytes`, including its boundary, is dropped while it arrives and reported as one piece: the
 * carry-over never exceeds `maxBytes` plus one block, and the result does not depend on how the bytes were cut.
 */
export class Slicer {
  readonly #cutter: Cutter;
  readonly #maxBytes: number;
  readonly #block: number;
  #chunk: Buffer = Buffer.alloc(0);
  #at = 0;
  #start: number;
  #carry: Buffer[] = [];
  #carried = 0;
  #dropping = false;
  #over = false;

  /**
   * @param offset where the first record starts in the object
   * @param block the maximum size of a block in bytes
   */
  constructor(cutter: Cutter, offset: number, maxBytes: number, block: number) {
    this.#cutter = cutter;
    this.#start = offset;
    this.#maxBytes = maxBytes;
    this.#block = Math.min(block, maxBytes);
  }

  /** Where the next record starts: everything before it has been returned. */
  get offset(): number {
    return this.#start;
  }

  /** The first record starts later. Only before the first `push`. */
  skipTo(offset: number): void {
    this.#start = offset;
  }

  /** Whether nothing is left of the pushed bytes. */
  get drained(): boolean {
    return this.#at >= this.#chunk.length && this.#carried === 0;
  }

  /** Bytes that are copied and wait for the rest of their record. */
  get carried(): number {
    return this.#dropping ? excerptBytes : this.#carried;
  }

  /** Bytes of the chunk that it cuts. */
  get chunk(): number {
    return this.#chunk.length;
  }

  /** Adds bytes. Only when `next` has returned `undefined`. */
  push(chunk: Uint8Array): void {
    this.#chunk = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    this.#at = 0;
  }

  /** There are no more bytes: the carry-over is the last record. */
  end(): void {
    this.#over = true;
  }

  /**
   * The next piece; `undefined` when more bytes are needed, or, after `end`, when there are no more.
   *
   * @param limit a block has at most that many bytes, or one record
   */
  next(limit = this.#block): Piece | undefined {
    while (this.#at < this.#chunk.length) {
      const chunk = this.#chunk;
      const from = this.#at;
      const to = Math.min(from + this.#block, chunk.length);
      if (this.#carried === 0) {
        const end = this.#cutter.last(chunk, from, Math.min(from + limit, to));
        if (end > from) {
          this.#at = end;
          return this.#records(chunk.subarray(from, end));
        }
        // `last` has remembered nothing of these bytes, so `first` may see them again.
      }
      const end = this.#cutter.first(chunk, from, to);
      this.#at = end < 0 ? to : end;
      this.#keep(chunk.subarray(from, this.#at));
      if (end >= 0) return this.#complete();
    }
    this.#chunk = Buffer.alloc(0);
    this.#at = 0;
    return this.#over && this.#carried > 0 ? this.#complete() : undefined;
  }

  #keep(bytes: Buffer): void {
    this.#carried += bytes.length;
    if (this.#dropping) return;
    this.#carry.push(Buffer.from(bytes));
    if (this.#carried <= this.#maxBytes) return;
    this.#dropping = true;
    this.#carry = [Buffer.from(Buffer.concat(this.#carry).subarray(0, excerptBytes))];
  }

  #complete(): Piece {
    const bytes =
      this.#carry.length === 1 && this.#carry[0] !== undefined ? this.#carry[0] : Buffer.concat(this.#carry);
    const length = this.#carried;
    const oversized = this.#dropping;
    this.#carry = [];
    this.#carried = 0;
    this.#dropping = false;
    if (!oversized) return this.#records(bytes);
    const start = this.#start;
    this.#start += length;
    return { kind: 'oversized', start, length, excerpt: bytes };
  }

  #records(bytes: Buffer): Piece {
    const start = this.#start;
    this.#start += bytes.length;
    return { kind: 'records', start, bytes };
  }
}
