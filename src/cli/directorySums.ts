/** The totals of a directory, including its subdirectories. */
export interface DirectorySum {
  /** Ends in a slash, or is empty. */
  readonly key: string;
  readonly objects: number;
  readonly bytes: number;
}

interface Open {
  readonly key: string;
  objects: number;
  bytes: number;
}

/**
 * Sums up directories over a listing in key order, where each directory is contiguous. A directory is reported when the listing
 * has left it, after its subdirectories, so memory is bounded by the nesting depth.
 */
export class DirectorySums {
  readonly #tell: (sum: DirectorySum) => void;
  readonly #depth: number;
  /** The current directories, from `base` down. */
  readonly #open: Open[];

  /** @param depth levels below `base` that are reported; deeper ones count towards their parents */
  constructor(base: string, depth: number, tell: (sum: DirectorySum) => void) {
    this.#tell = tell;
    this.#depth = depth;
    this.#open = [{ key: base, objects: 0, bytes: 0 }];
  }

  /** Objects in `base` so far. */
  get objects(): number {
    return this.#open[0]?.objects ?? 0;
  }

  add(key: string, bytes: number): void {
    while (this.#open.length > 1 && !key.startsWith(this.#open.at(-1)?.key ?? '')) this.#leave();
    let at = this.#open.at(-1)?.key.length ?? 0;
    for (let slash = key.indexOf('/', at); slash >= 0; slash = key.indexOf('/', at)) {
      if (this.#open.length > this.#depth) break;
      at = slash + 1;
      this.#open.push({ key: key.slice(0, at), objects: 0, bytes: 0 });
    }
    for (const sum of this.#open) {
      sum.objects += 1;
      sum.bytes += bytes;
    }
  }

  /** Reports the remaining directories. */
  end(): void {
    while (this.#open.length > 0) this.#leave();
  }

  #leave(): void {
    const left = this.#open.pop();
    if (left !== undefined) this.#tell(left);
  }
}
