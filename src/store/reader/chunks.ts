/** Bytes in any number of chunks. Slices are views: nothing is joined or copied. */
export class Chunks {
  readonly length: number;
  /** The offset of each chunk. */
  readonly #starts: readonly number[];

  constructor(private readonly chunks: readonly Uint8Array[]) {
    let length = 0;
    this.#starts = chunks.map((chunk) => (length += chunk.length) - chunk.length);
    this.length = length;
  }

  slice(start: number, end: number): Uint8Array[] {
    const out: Uint8Array[] = [];
    for (let i = this.#indexOf(start); i < this.chunks.length; i++) {
      const chunk = this.chunks[i] as Uint8Array;
      const offset = this.#starts[i] as number;
      if (offset >= end) break;
      const [from, to] = [Math.max(0, start - offset), Math.min(chunk.length, end - offset)];
      if (from < to) out.push(from === 0 && to === chunk.length ? chunk : chunk.subarray(from, to));
    }
    return out;
  }

  /** The last chunk that starts at or before `at`. */
  #indexOf(at: number): number {
    let [low, high] = [0, this.#starts.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#starts[middle] as number) <= at) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
