/**
 * The memory of uploads, and its accountant. What is buffered (tails, parts, journals) is taken here and
 * given back once the store has acknowledged it, so a repeated request still sees its bytes. Freed buffers are kept
 * for the next part as long as all together stay within 1.25 times the budget: otherwise an uploader at its budget leaves
 * a part's worth of garbage for every part, faster than it is collected.
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

  /** Whether a buffer of `size` bytes is at hand, so that taking it takes no new memory. */
  has(size: number): boolean {
    return (this.#free.get(size)?.length ?? 0) > 0;
  }

  /** A buffer of exactly `size` bytes, of unknown content. Never refuses: the caller minds the budget. */
  take(size: number): Buffer {
    this.#held += size;
    if (this.#held > this.#peak) this.#peak = this.#held;
    const free = this.#free.get(size);
    const reused = free?.pop();
    if (reused !== undefined) {
      this.#kept -= size;
      return reused;
    }
    this.#evict();
    return Buffer.allocUnsafeSlow(size);
  }

  /** Gives a buffer back; nobody may look at it any more. */
  give(buffer: Buffer): void {
    const size = buffer.length;
    this.#held -= size;
    if (this.#over(size) > 0 || !reusable(size)) return;
    const free = this.#free.get(size);
    if (free === undefined) this.#free.set(size, [buffer]);
    else free.push(buffer);
    this.#kept += size;
  }

  /** Gives a buffer up that somebody may still look at, or write to: nobody gets it again. */
  lose(buffer: Buffer): void {
    this.#held -= buffer.length;
  }

  /** Drops kept buffers, the smallest first, as far as new memory needs it. */
  #evict(): void {
    for (const [each, free] of [...this.#free].sort(([a], [b]) => a - b)) {
      while (this.#over(0) > 0 && free.pop() !== undefined) this.#kept -= each;
      if (this.#over(0) <= 0) return;
    }
  }

  /** How many bytes too many `size` more would be. */
  #over(size: number): number {
    return this.#held + this.#kept + size - this.budget * 1.25;
  }
}

/** Journals and last parts have any size: only sizes that come again are worth keeping. */
function reusable(size: number): boolean {
  return size > 0 && (size % (1 << 20) === 0 || (size & (size - 1)) === 0);
}
