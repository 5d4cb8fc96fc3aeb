/**
 * Allocates and accounts for the memory of uploads. Buffers (tails, parts, journals) are taken here and returned once the
 * store has acknowledged them, so a repeated request still has its bytes. Free buffers are reused for later parts, as long
 * as the total stays within 1.25 times the budget: otherwise every part of an uploader at its budget leaves garbage, faster
 * than it is collected.
 */
export class BufferPool {
  #budget: number;
  readonly #free = new Map<number, Buffer[]>();
  #held = 0;
  #kept = 0;
  #peak = 0;

  /** @param given a buffer was given back */
  constructor(
    budget: number,
    private readonly given: () => void = () => undefined,
  ) {
    this.#budget = budget;
  }

  get budget(): number {
    return this.#budget;
  }

  /** Sets the budget. Buffers that are held stay; free ones beyond the new limit are dropped. */
  resize(budget: number): void {
    this.#budget = budget;
    this.#evict();
  }

  /** Bytes taken and not returned. */
  get held(): number {
    return this.#held;
  }

  /** Bytes held or kept for reuse. */
  get occupied(): number {
    return this.#held + this.#kept;
  }

  /** The maximum of `held` so far. */
  get peak(): number {
    return this.#peak;
  }

  /** Whether a free buffer of `size` bytes can be reused, so that `take` allocates no memory. */
  has(size: number): boolean {
    return (this.#free.get(size)?.length ?? 0) > 0;
  }

  /** A buffer of exactly `size` uninitialized bytes. Does not enforce the budget: the caller does. */
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

  /** Returns a buffer, which must not be used any more. */
  give(buffer: Buffer): void {
    const size = buffer.length;
    this.#held -= size;
    if (this.#over(size) <= 0 && reusable(size)) this.#keep(buffer);
    this.given();
  }

  /** Gives up a buffer that may still be in use. It is not reused. */
  lose(buffer: Buffer): void {
    this.#held -= buffer.length;
    this.given();
  }

  #keep(buffer: Buffer): void {
    const size = buffer.length;
    const free = this.#free.get(size);
    if (free === undefined) this.#free.set(size, [buffer]);
    else free.push(buffer);
    this.#kept += size;
  }

  /** Drops free buffers, the smallest first, until the total is within its limit. */
  #evict(): void {
    for (const [each, free] of [...this.#free].sort(([a], [b]) => a - b)) {
      while (this.#over(0) > 0 && free.pop() !== undefined) this.#kept -= each;
      if (this.#over(0) <= 0) return;
    }
  }

  /** Bytes that `size` more would exceed the limit by. */
  #over(size: number): number {
    return this.#held + this.#kept + size - this.#budget * 1.25;
  }
}

/** Only sizes of whole parts recur; journals and last parts have arbitrary sizes. */
function reusable(size: number): boolean {
  return size > 0 && (size % (1 << 20) === 0 || (size & (size - 1)) === 0);
}
