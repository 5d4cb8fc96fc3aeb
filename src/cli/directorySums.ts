/** What is in a directory and all below it. */
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
 * Adds up directories over a listing in the order of its keys, in which all of a directory comes in one piece: a directory
 * is told when the listing has left it, after those in it, so that only as many sums are held as directories are nested.
 */
export class DirectorySums {
  readonly #tell: (sum: DirectorySum) => void;
  readonly #depth: number;
  /** From `base` down. */
  readonly #open: Open[];

  /** @param depth how many levels below `base` are told; those deeper count for the ones above */
  constructor(base: string, depth: number, tell: (sum: DirectorySum) => void) {
    this.#tell = tell;
    this.#depth = depth;
    this.#open = [{ key: base, objects: 0, bytes: 0 }];
  }

  /** Of those directories that are still open. */
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

  /** There is nothing more. */
  end(): void {
    while (this.#open.length > 0) this.#leave();
  }

  #leave(): void {
    const left = this.#open.pop();
    if (left !== undefined) this.#tell(left);
  }
}
