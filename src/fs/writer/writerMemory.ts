import type { Allow, Allowance } from '../../job/memory/index.js';

/** Writers of small objects are many and short: they are not counted. */
const uncounted = 64 << 10;

/**
 * The memory of one writer, an allowance of the process's: the part that is being filled and one that is being uploaded in any
 * case, and more uploads at once as far as there is memory.
 */
export class WriterMemory {
  readonly #allow: Allow;
  readonly #who: string;
  readonly #partSize: number;
  readonly #inFlight: number;
  readonly #changed: () => void;
  #allowance: Allowance | undefined;

  /** @param changed the room has changed */
  constructor(
    allow: Allow,
    { who, partSize, inFlight }: Readonly<{ who: string; partSize: number; inFlight: number }>,
    changed: () => void,
  ) {
    this.#allow = allow;
    this.#who = who;
    this.#partSize = partSize;
    this.#inFlight = inFlight;
    this.#changed = changed;
  }

  /** Bytes that the writer may hold: at least two parts. */
  get limit(): number {
    return this.#allowance?.limit ?? this.#most;
  }

  /** Bytes that parts which are being uploaded may take: at least one part. */
  get room(): number {
    return this.limit - this.#partSize;
  }

  get #most(): number {
    return (1 + this.#inFlight) * this.#partSize;
  }

  /** Errors: `MemoryTooSmall`. */
  holds(bytes: number): void {
    if (this.#allowance === undefined) {
      if (bytes <= uncounted) return;
      this.#allowance = this.#allow({
        who: this.#who,
        floor: 2 * this.#partSize,
        most: this.#most,
        changed: this.#changed,
      });
    }
    this.#allowance.holds(bytes);
  }

  /** Nothing is held any more. Idempotent. */
  leave(): void {
    this.#allowance?.leave();
    this.#allowance = undefined;
  }
}
