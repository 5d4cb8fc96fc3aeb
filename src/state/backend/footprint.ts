/**
 * The object of an entry and its slot in a `Map`, measured: about 100 bytes, in addition to those of its key and value.
 */
const perCell = 100;

/** Before anything has been encoded. */
const firstGuess = 64;

/**
 * Estimates the memory that keyed state takes, without work per record. The number of cells is always known; their average
 * size comes from the cells that were encoded or decoded, recent ones counting more.
 */
export class Footprint {
  #bytes = 0;
  #cells = 0;

  /** Cells were encoded or decoded. `bytes`: uncompressed. */
  saw(bytes: number, cells: number): void {
    this.#bytes += bytes;
    this.#cells += cells;
  }

  /** The approximate number of bytes that `cells` cells take in memory. */
  of(cells: number): number {
    // Values may grow or shrink over time: the past counts half each time that all cells could have been written anew.
    if (this.#cells > 2 * cells + 1024) {
      this.#bytes /= 2;
      this.#cells /= 2;
    }
    const average = this.#cells === 0 ? firstGuess : this.#bytes / this.#cells;
    return Math.round(cells * (perCell + average));
  }
}
