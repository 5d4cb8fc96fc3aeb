/**
 * The memory of a sink, and its accountant: whatever the sink buffers (tails, parts, journals) is taken here and
 * given back once the store has acknowledged it, so a repeated request still sees its bytes. Freed buffers are kept
 * for the next part, as long as all together stay within the budget.
 */
export class BufferPool {
  readonly budget: number;
  readonly #free = new Map<number, Buffer[]>();
  #held = 0;
  #kept = 0;
  #peak = 0;

  constructor(budget: number) {
    this.budget = budget;
  }

  /** Bytes taken and not given back. */
  get held(): number {
    return this.#held;
  }

  /** The most that was ever held. */
  get peak(): number {
    return this.#peak;
  }

  /** A buffer of exactly `size` bytes, of unknown content. Never refuses: whoever asks must mind the budget. */
  take(size: number): Buffer {
    this.#held += size;
    if (this.#held > this.#peak) this.#peak = this.#held;
    const free = this.#free.get(size);
    const reused = free?.pop();
    if (reused !== undefined) {
      this.#kept -= size;
      return reused;
    }
    if (this.#held + this.#kept > this.budget) this.#empty();
    return Buffer.allocUnsafeSlow(size);
  }

  /** Gives a buffer back; nobody may look at it any more. */
  give(buffer: Buffer): void {
    const size = buffer.length;
    this.#held -= size;
    if (this.#held + this.#kept + size > this.budget || !reusable(size)) return;
    const free = this.#free.get(size);
    if (free === undefined) this.#free.set(size, [buffer]);
    else free.push(buffer);
    this.#kept += size;
  }

  #empty(): void {
    this.#free.clear();
    this.#kept = 0;
  }
}

/** Journals have any size: only sizes that come again are worth keeping. */
function reusable(size: number): boolean {
  return size % (1 << 20) === 0 || (size & (size - 1)) === 0;
}
