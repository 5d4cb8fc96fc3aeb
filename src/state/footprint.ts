/**
 * A JavaScript object and a place in a `Map`, measured: about 100 bytes for each key, in addition to the bytes of key and
 * value.
 */
const perCell = 100;

/** Before anything has been encoded. */
const firstGuess = 64;

/**
 * Estimates what keyed state takes in memory, without work for each record: the number of its cells is known at any time,
 * and their size from those that were encoded or decoded, later ones counting for more.
 */
export class Footprint {
  #bytes = 0;
  #cells = 0;

  /** Cells were encoded or decoded. `bytes`: uncompressed. */
  saw(bytes: number, cells: number): void {
    this.#bytes += bytes;
    this.#cells += cells;
  }

  /** Bytes that so many cells take in memory, about. */
  of(cells: number): number {
    // Values may grow or shrink over time, so that what is older than all cells written once counts half.
    if (this.#cells > 2 * cells + 1024) {
      this.#bytes /= 2;
      this.#cells /= 2;
    }
    const average = this.#cells === 0 ? firstGuess : this.#bytes / this.#cells;
    return Math.round(cells * (perCell + average));
  }
}
