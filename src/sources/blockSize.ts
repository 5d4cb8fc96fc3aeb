/** How long a block may take, without what blocks of any size take. Milliseconds. */
const most = 1;
const first = 1024;

/**
 * The size of the next block of a source. A block is decoded and its records are passed on without a pause, and the callbacks of the
 * flow may take any time. The first block is small. Blocks shrink while their records take long, down to a single record, and grow
 * otherwise. They do not shrink if the time does not depend on the size.
 */
export class BlockSize {
  #limit: number;
  #last = { bytes: 0, millis: 0 };

  /** @param largest bytes */
  constructor(readonly largest: number) {
    this.#limit = Math.min(first, largest);
  }

  /** The maximum, except for a single larger record. Bytes. */
  get limit(): number {
    return this.#limit;
  }

  /** A block has taken some time. */
  took(bytes: number, millis: number): void {
    const before = this.#last;
    this.#last = { bytes, millis };
    const more = bytes - before.bytes;
    // Blocks of about the same size do not show what their size costs.
    const ofSize = Math.abs(more) < bytes / 4 ? millis : ((millis - before.millis) / more) * bytes;
    if (millis > most && ofSize > most) this.#limit = Math.max(1, Math.floor(this.#limit / 2));
    else this.#limit = Math.min(this.largest, this.#limit * 2);
  }
}
