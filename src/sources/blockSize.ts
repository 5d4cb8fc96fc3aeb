/** How long a block may take. Milliseconds. */
const most = 1;
const first = 1024;

/**
 * How large the next block of a source is. A block is decoded, and its records are passed on, without a pause, and nobody knows how
 * long the callbacks of the flow take. So the first block is small, blocks whose records take long become smaller, down to a
 * single record, and others larger.
 */
export class BlockSize {
  #limit: number;

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
    if (millis > most) this.#limit = Math.max(1, Math.min(this.#limit, Math.floor((bytes * most) / millis)));
    else if (millis <= most / 2) this.#limit = Math.min(this.largest, this.#limit * 2);
  }
}
