import type { Part } from '../../store/multipart/index.js';

const smallest = 64 << 10;

/**
 * Collects bytes into parts. A part is cut when it is full and more bytes follow, so at the end it is known whether all bytes
 * fit into one part. Memory grows with its content, and that of uploaded parts is reused.
 */
export class PartBuffer {
  readonly #partSize: (number: number) => number;
  readonly #free: Buffer[] = [];
  #memory: Uint8Array = Buffer.alloc(0);
  /** The memory is not the caller's, and may be written to. */
  #own = true;
  #used = 0;
  #cut = 0;
  #total = 0;

  constructor(partSize: (number: number) => number) {
    this.#partSize = partSize;
  }

  /** Parts cut so far. */
  get cut(): number {
    return this.#cut;
  }

  /** Bytes appended so far. */
  get total(): number {
    return this.#total;
  }

  /** The bytes that are in no part yet: a view, valid until more are appended. */
  get tail(): Uint8Array {
    return this.#memory.subarray(0, this.#used);
  }

  /** Bytes of memory, that of uploaded parts included until it is reused or trimmed. */
  get held(): number {
    return this.#free.reduce((sum, { length }) => sum + length, this.#own ? this.#memory.length : 0);
  }

  /** Frees the memory of uploaded parts. */
  trim(): void {
    this.#free.length = 0;
  }

  /**
   * Appends from `from` until all bytes are appended or a part was cut; returns the position. `stable` bytes are not copied if
   * they make up a part.
   */
  append(bytes: Uint8Array, from: number, stable: boolean, cut: (part: Part) => void): number {
    for (let at = from; at < bytes.length;) {
      const size = this.#partSize(this.#cut + 1);
      if (this.#used === size) {
        cut(this.rest());
        return at;
      }
      if (stable && this.#used === 0) {
        const view = bytes.subarray(at, at + size);
        [this.#memory, this.#own, this.#used] = [view, false, view.length];
        this.#total += view.length;
        at += view.length;
        continue;
      }
      const count = Math.min(bytes.length - at, size - this.#used);
      this.#reserve(this.#used + count, size).set(bytes.subarray(at, at + count), this.#used);
      this.#used += count;
      this.#total += count;
      at += count;
    }
    return bytes.length;
  }

  /** The remaining bytes, as the last part. */
  rest(): Part {
    const memory = this.#memory;
    const own = this.#own;
    const bytes = memory.subarray(0, this.#used);
    [this.#memory, this.#own, this.#used] = [Buffer.alloc(0), true, 0];
    return {
      number: ++this.#cut,
      bytes,
      done: () => {
        // Only memory of a full part is reused.
        if (own && memory instanceof Buffer && memory.length === bytes.length) this.#free.push(memory);
      },
    };
  }

  /** Frees all memory. */
  drop(): void {
    this.trim();
    [this.#memory, this.#own, this.#used] = [Buffer.alloc(0), true, 0];
  }

  #reserve(bytes: number, most: number): Uint8Array {
    if (this.#own && bytes <= this.#memory.length) return this.#memory;
    // From the second part on, a part is likely to be filled.
    const wanted = this.#cut > 0 ? most : Math.max(smallest, bytes, 4 * this.#memory.length);
    const size = Math.min(most, wanted);
    const index = this.#free.findIndex((buffer) => buffer.length === size);
    const memory = index < 0 ? Buffer.allocUnsafeSlow(size) : (this.#free.splice(index, 1)[0] as Buffer);
    if (index < 0 && this.#free.length > 0) this.#free.length = 0; // parts have grown
    memory.set(this.#memory.subarray(0, this.#used), 0);
    [this.#memory, this.#own] = [memory, true];
    return memory;
  }
}
