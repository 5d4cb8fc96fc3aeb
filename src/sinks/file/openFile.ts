import type { UploadedPart } from '../../store/objectStore.js';
import type { FileEncoder } from '../../formats/writer.js';
import type { FileCommittable, Range, SealedRows, Tail } from './committable.js';
import type { Piece, Remainder } from './remainder.js';
import { partSizeOf, type BufferPool } from '../../store/multipart/index.js';

/**
 * The recoverable writer of one file: a plain object without I/O. It promises that at any barrier the file can be
 * frozen as {parts 1..k, tail}, and published later exactly as it was then, by this attempt or any other.
 *
 * States: open → rolled. Steps, with what a crash after each leaves:
 *
 * 1. `write` appends; where a part is full it is cut, and goes to the uploads. Nothing durable knows of it: the
 *    source replays. The upload is created with the first part; an upload that no manifest names is swept by name.
 * 2. A barrier freezes the file: the number of parts cut so far and the tail behind them. The tail's new bytes go to
 *    the checkpoint's one journal (or inline into the manifest). A journal without a manifest is garbage; a part
 *    uploaded after the freeze does not count.
 * 3. The barrier is acked when those parts and that journal are stored. Once the manifest is durable, restore seals
 *    the file as parts 1..k plus the tail.
 * 4. `roll` cuts the rest as the last part. The next barrier carries the file as closed. Before that barrier is
 *    durable, the state of step 3 is what a restore seals: the late parts are left out of its Complete.
 * 5. Closed and durable: the committer completes the upload, any number of times.
 *
 * The tail's bytes, by offset in the tail:
 *
 *     0 ......... dropped ........ stored ........ journaled ......... tail
 *     only in journals   | in a journal and memory | PUT under way | only in memory: fresh
 */
export class OpenFile {
  /** Text not yet turned into bytes: conversion pays only by the block. */
  text = '';
  /** Whether the sink has it among those with text. */
  listed = false;
  /** When the last record came, in records of the sink; what it was when the sink last looked; and when that was. */
  touched = 0;
  seen = 0;
  activeAt: number;

  /** Set once, when the file is opened. */
  encoder!: FileEncoder<never>;
  /** What checkpoints keep besides its bytes, if its encoder persists. */
  remainder: Remainder | undefined;
  /** A record came since its encoder persisted. */
  dirty = false;
  /** Bytes that its encoder held when the sink last looked. */
  held = 0;

  records = 0;
  /** Bytes written, text aside. */
  size = 0;
  uploadId: string | undefined;
  readonly parts: UploadedPart[] = [];
  /** Parts cut so far; their uploads may still be under way. */
  cut = 0;

  #pool: BufferPool;
  #partSize: number;
  #memory: Buffer | undefined;
  #tail = 0;
  #dropped = 0;
  #stored = 0;
  #journaled = 0;
  #ranges: Range[] = [];
  readonly #answered = new WeakSet<Range>();

  constructor(
    readonly uid: string,
    readonly key: string,
    readonly partition: string,
    readonly created: number,
    partSize: number,
    pool: BufferPool,
  ) {
    this.activeAt = created;
    this.#partSize = partSize;
    this.#pool = pool;
  }

  /** Bytes that no part holds. */
  get tail(): number {
    return this.#tail;
  }

  /** Bytes that are nowhere but in memory. */
  get fresh(): number {
    return this.#tail - this.#journaled;
  }

  /** Bytes of memory that its tail takes. */
  get memory(): number {
    return this.#memory?.length ?? 0;
  }

  get ranges(): readonly Range[] {
    return this.#ranges;
  }

  /** Whether some of the tail is in journals only. */
  get spilled(): boolean {
    return this.#dropped > 0;
  }

  /** Appends the collected text. Full parts go to `cut`. */
  flush(cut: (part: PartCut) => void): void {
    const text = this.text;
    if (text === '') return;
    this.text = '';
    const used = this.#tail - this.#dropped;
    const memory = this.#memory;
    // UTF-8 takes at most three bytes for a UTF-16 unit: where that fits, no one needs to count.
    if (memory !== undefined && memory.length - used >= text.length * 3) {
      const written = memory.write(text, used, 'utf8');
      this.#tail += written;
      this.size += written;
      if (this.#tail === this.#nextPartSize()) cut(this.#cutPart());
      return;
    }
    const length = Buffer.byteLength(text);
    if (this.#tail + length < this.#nextPartSize()) {
      this.#reserve(used + length).write(text, used, 'utf8');
      this.#tail += length;
      this.size += length;
      return;
    }
    this.#append(Buffer.from(text), cut);
  }

  /** Appends bytes, which are copied. Full parts go to `cut`. */
  write(bytes: Uint8Array, cut: (part: PartCut) => void): void {
    this.flush(cut);
    this.#append(bytes, cut);
  }

  #append(bytes: Uint8Array, cut: (part: PartCut) => void): void {
    for (let at = 0; at < bytes.length;) {
      const used = this.#tail - this.#dropped;
      const count = Math.min(bytes.length - at, this.#nextPartSize() - this.#tail);
      this.#reserve(used + count).set(bytes.subarray(at, at + count), used);
      this.#tail += count;
      this.size += count;
      at += count;
      if (this.#tail === this.#nextPartSize()) cut(this.#cutPart());
    }
  }

  /** Cuts what is left as the last part. Nothing is written any more. */
  roll(cut: (part: PartCut) => void): void {
    this.flush(cut);
    if (this.#tail > 0) cut(this.#cutPart());
  }

  /** Frees its memory. Nothing is written any more. */
  discard(): void {
    this.text = '';
    if (this.#memory !== undefined) this.#pool.give(this.#memory);
    this.#memory = undefined;
  }

  /**
   * The fresh bytes are about to be stored. A tail in too many journals that is still in memory counts as fresh as a
   * whole, so that it ends up in one.
   */
  prepare(maxRanges: number): number {
    if (this.#ranges.length >= maxRanges && this.#dropped === 0) {
      this.#ranges = [];
      this.#journaled = this.#stored = 0;
    }
    return this.fresh;
  }

  /** The fresh bytes, for a journal to hold. */
  get piece(): Piece {
    return {
      length: this.fresh,
      copyTo: (target, offset) => {
        this.#copyFresh(target, offset);
      },
      journaled: (range) => this.#journal(range),
    };
  }

  /** Copies the fresh bytes to `target`. */
  #copyFresh(target: Buffer, offset: number): void {
    this.#memory?.copy(target, offset, this.#journaled - this.#dropped, this.#tail - this.#dropped);
  }

  /** The fresh bytes are on their way into a journal. Returns what to call when they are stored. */
  #journal(range: Range): () => void {
    this.#ranges = [...this.#ranges, range]; // frozen tails keep the array they saw
    this.#journaled = this.#tail;
    return () => {
      this.#answered.add(range);
      this.#stored = 0;
      for (const each of this.#ranges) {
        if (!this.#answered.has(each)) break; // journals may be stored out of order
        this.#stored += each.length;
      }
    };
  }

  /** Frees the memory of what a journal holds, unless what is left would take as much. Returns the bytes freed. */
  drop(): number {
    const memory = this.#memory;
    if (memory === undefined || this.#stored === this.#dropped) return 0;
    const rest = memory.subarray(this.#stored - this.#dropped, this.#tail - this.#dropped);
    const least = rest.length === 0 ? 0 : capacity(rest.length, this.#nextPartSize() - this.#stored);
    if (least >= memory.length) return 0;
    this.#memory = least === 0 ? undefined : this.#pool.take(least);
    if (this.#memory !== undefined) rest.copy(this.#memory);
    this.#pool.give(memory);
    this.#dropped = this.#stored;
    return memory.length - least;
  }

  /** The file as it is now; `complete` when parts 1 to `cut` have their ETags. */
  freeze(store: string, checkpoint: number, inline: boolean, seal?: string): FrozenFile {
    let bytes: Buffer | undefined;
    if (inline && this.fresh > 0) this.#copyFresh((bytes = Buffer.allocUnsafe(this.fresh)), 0);
    const tail: Tail | undefined = this.#tail > 0 ? { ranges: this.#ranges, inline: bytes } : undefined;
    const { remainder } = this;
    return new FrozenFile(
      this,
      store,
      checkpoint,
      this.cut,
      remainder === undefined ? tail : remainder.close(tail),
      seal === undefined ? undefined : remainder?.seal(seal),
    );
  }

  #nextPartSize(): number {
    return partSizeOf(this.cut + 1, this.#partSize);
  }

  #reserve(bytes: number): Buffer {
    const memory = this.#memory;
    if (memory !== undefined && memory.length >= bytes) return memory;
    const room = this.#nextPartSize() - this.#dropped;
    // A file that fills parts gets a whole one at once while memory is plenty, or one is at hand; others grow by doubling.
    const { held, budget } = this.#pool;
    const plenty = held + room <= budget / 4 || (this.#pool.has(room) && held + room <= budget / 2);
    const roomy = this.cut > 0 && plenty;
    const grown = this.#pool.take(roomy ? room : capacity(bytes, room));
    if (memory !== undefined) {
      memory.copy(grown, 0, 0, this.#tail - this.#dropped);
      this.#pool.give(memory);
    }
    return (this.#memory = grown);
  }

  #cutPart(): PartCut {
    const part: PartCut = {
      file: this,
      number: ++this.cut,
      size: this.#tail,
      spilled: covering(this.#ranges, this.#dropped),
      memory: this.#memory,
    };
    this.#memory = undefined;
    this.#ranges = [];
    this.#tail = this.#dropped = this.#stored = this.#journaled = 0;
    return part;
  }
}

/** A part on its way: first the bytes of `spilled`, then those of `memory`, `size` in total. */
export interface PartCut {
  readonly file: OpenFile;
  readonly number: number;
  readonly size: number;
  readonly spilled: readonly Range[];
  readonly memory: Buffer | undefined;
}

/** A file as a barrier found it. Its parts get their ETags later. */
export class FrozenFile {
  readonly size: number;
  readonly records: number;

  constructor(
    readonly file: OpenFile,
    readonly store: string,
    readonly checkpoint: number,
    readonly cut: number,
    readonly tail: Tail | undefined,
    readonly seal: SealedRows | undefined,
  ) {
    this.size = file.size + (file.remainder?.closingLength ?? 0);
    this.records = file.records;
  }

  committable(): FileCommittable {
    const { file, store, checkpoint, tail, seal, size, records } = this;
    const parts = file.parts.slice(0, this.cut);
    const uploadId = this.cut > 0 ? file.uploadId : undefined;
    return { uid: file.uid, store, key: file.key, uploadId, parts, tail, seal, size, records, checkpoint };
  }
}

/** Powers of two from 256 bytes, so that freed buffers find a new owner. */
function capacity(bytes: number, most: number): number {
  return Math.min(most, Math.max(256, 2 ** Math.ceil(Math.log2(bytes))));
}

function covering(ranges: readonly Range[], bytes: number): readonly Range[] {
  let sum = 0;
  return ranges.filter((range) => {
    const inside = sum < bytes;
    sum += range.length;
    return inside;
  });
}
