import type { BufferPool, Range, Tail } from '../../store/multipart/index.js';
import type { Piece } from '../twoPhase/journal.js';

/**
 * The bytes of a file that are in no part yet, by offset:
 *
 *     0 ......... dropped ........ stored ........ journaled ......... length
 *     only in journals   | in a journal and memory | PUT in flight | only in memory: fresh
 */
export class TailBytes {
  #memory: Buffer | undefined;
  #length = 0;
  #dropped = 0;
  #stored = 0;
  #journaled = 0;
  #ranges: readonly Range[] = [];
  readonly #answered = new WeakSet<Range>();

  constructor(private readonly pool: BufferPool) {}

  get length(): number {
    return this.#length;
  }

  /** Bytes that are only in memory. */
  get fresh(): number {
    return this.#length - this.#journaled;
  }

  get ranges(): readonly Range[] {
    return this.#ranges;
  }

  /** Whether some of it is in journals only. */
  get spilled(): boolean {
    return this.#dropped > 0;
  }

  /**
   * Appends a string. Returns its bytes, or `undefined` if they would be more than `most` in total.
   *
   * @param likely it is likely that `most` will be reached
   */
  writeString(text: string, most: number, likely: boolean): number | undefined {
    const used = this.#length - this.#dropped;
    // UTF-8 takes at most three bytes for a UTF-16 unit: if that fits, there is no need to count.
    let memory = this.#memory;
    if (memory === undefined || memory.length - used < text.length * 3) {
      const bytes = Buffer.byteLength(text);
      if (this.#length + bytes >= most) return undefined;
      memory = this.#reserve(used + bytes, most, likely);
    }
    const written = memory.write(text, used, 'utf8');
    this.#length += written;
    return written;
  }

  /** Appends bytes from `from` on, up to `most` in total. Returns how many. */
  write(bytes: Uint8Array, from: number, most: number, likely: boolean): number {
    const used = this.#length - this.#dropped;
    const count = Math.min(bytes.length - from, most - this.#length);
    this.#reserve(used + count, most, likely).set(bytes.subarray(from, from + count), used);
    this.#length += count;
    return count;
  }

  /**
   * The fresh bytes are about to be stored. If the tail is in too many journals and still in memory, all of it counts
   * as fresh, so that it ends up in one.
   */
  prepare(maxRanges: number): number {
    if (this.#ranges.length >= maxRanges && this.#dropped === 0) {
      this.#ranges = [];
      this.#journaled = this.#stored = 0;
    }
    return this.fresh;
  }

  /** The fresh bytes, for a journal. */
  get piece(): Piece {
    return {
      length: this.fresh,
      copyTo: (target, offset) => {
        this.#copyFresh(target, offset);
      },
      journaled: (range) => this.#journal(range),
    };
  }

  /** The tail as it is now; `inline`: with the fresh bytes. */
  freeze(inline: boolean): Tail | undefined {
    if (this.#length === 0) return undefined;
    let bytes: Buffer | undefined;
    if (inline && this.fresh > 0) this.#copyFresh((bytes = Buffer.allocUnsafe(this.fresh)), 0);
    return { ranges: this.#ranges, inline: bytes };
  }

  /** Frees the memory of bytes that a journal holds, unless the rest would take as much. Returns the bytes freed. */
  drop(most: number): number {
    const memory = this.#memory;
    if (memory === undefined || this.#stored === this.#dropped) return 0;
    const rest = memory.subarray(this.#stored - this.#dropped, this.#length - this.#dropped);
    const least = rest.length === 0 ? 0 : capacity(rest.length, most - this.#stored);
    if (least >= memory.length) return 0;
    this.#memory = least === 0 ? undefined : this.pool.take(least);
    if (this.#memory !== undefined) rest.copy(this.#memory);
    this.pool.give(memory);
    this.#dropped = this.#stored;
    return memory.length - least;
  }

  /**
   * Empties the tail. Returns its bytes: first those of `spilled`, then those of `memory`, which the caller now owns.
   */
  take(): { readonly size: number; readonly spilled: readonly Range[]; readonly memory: Buffer | undefined } {
    const taken = {
      size: this.#length,
      spilled: covering(this.#ranges, this.#dropped),
      memory: this.#memory,
    };
    this.#memory = undefined;
    this.#ranges = [];
    this.#length = this.#dropped = this.#stored = this.#journaled = 0;
    return taken;
  }

  #copyFresh(target: Buffer, offset: number): void {
    this.#memory?.copy(target, offset, this.#journaled - this.#dropped, this.#length - this.#dropped);
  }

  /** The fresh bytes are being written to a journal. Call the returned function when they are stored. */
  #journal(range: Range): () => void {
    this.#ranges = [...this.#ranges, range]; // frozen tails keep the array they saw
    this.#journaled = this.#length;
    return () => {
      this.#answered.add(range);
      this.#stored = 0;
      for (const each of this.#ranges) {
        if (!this.#answered.has(each)) break; // journals may be stored out of order
        this.#stored += each.length;
      }
    };
  }

  #reserve(bytes: number, most: number, likely: boolean): Buffer {
    const memory = this.#memory;
    if (memory !== undefined && memory.length >= bytes) return memory;
    const room = most - this.#dropped;
    // A file that fills parts gets a whole one while memory is plentiful, or if the pool has one; others grow by
    // doubling.
    const { held, budget } = this.pool;
    const plenty = held + room <= budget / 4 || (this.pool.has(room) && held + room <= budget / 2);
    const grown = this.pool.take(likely && plenty ? room : capacity(bytes, room));
    if (memory !== undefined) {
      memory.copy(grown, 0, 0, this.#length - this.#dropped);
      this.pool.give(memory);
    }
    return (this.#memory = grown);
  }
}

/** Powers of two from 256 bytes, so that freed buffers can be reused. */
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
