// Indices are computed here and in range; checks would clutter the innermost loops.
/* eslint-disable @typescript-eslint/no-non-null-assertion */

const digits = [
  { values: 2048, shift: 0 },
  { values: 2048, shift: 11 },
  { values: 1024, shift: 22 },
];

/**
 * The order of entries in a segment by (group, hash). Entries are numbered from 0 in the order in which they were added.
 *
 * A radix sort, least significant digit first: three digits of the hash, then the group. Each pass over the entries
 * can be interrupted anywhere, so that steps stay short, unlike those of a comparison sort.
 */
export class PlaceOrder {
  readonly groups: Uint16Array;
  /** Mapped to unsigned numbers in the order of the signed hashes. */
  readonly #hashes: Uint32Array;
  /** For each digit and value, the number of entries; during the pass, where the next entry goes. */
  readonly #counts: readonly Uint32Array[];
  #order: Uint32Array;
  #next: Uint32Array;
  #added = 0;
  #pass = 0;
  #at = 0;

  constructor(
    readonly size: number,
    maxParallelism: number,
  ) {
    this.groups = new Uint16Array(size);
    this.#hashes = new Uint32Array(size);
    this.#counts = [...digits.map(({ values }) => values), maxParallelism].map((n) => new Uint32Array(n));
    this.#order = new Uint32Array(size);
    this.#next = new Uint32Array(size);
  }

  /** Adds an entry. Call it `size` times before the first {@link sort}. */
  add(hash: number, group: number): void {
    const entry = this.#added++;
    const [low, middle, high, groups] = this.#counts;
    const unsigned = (hash ^ 0x8000_0000) >>> 0;
    this.groups[entry] = group;
    this.#hashes[entry] = unsigned;
    this.#order[entry] = entry;
    low![unsigned & 2047]!++;
    middle![(unsigned >>> 11) & 2047]!++;
    high![unsigned >>> 22]!++;
    groups![group]!++;
  }

  /** Moves at most `entries` entries. Returns whether there is more to do; if not, it must not be called again. */
  sort(entries: number): boolean {
    const { size } = this;
    const counts = this.#counts[this.#pass]!;
    if (this.#at === 0) accumulate(counts);
    const digit = digits[this.#pass];
    const [order, next] = [this.#order, this.#next];
    const end = Math.min(this.#at + entries, size);
    if (digit === undefined) {
      for (let at = this.#at; at < end; at++) next[counts[this.groups[order[at]!]!]!++] = order[at]!;
    } else {
      const mask = digit.values - 1;
      for (let at = this.#at; at < end; at++)
        next[counts[(this.#hashes[order[at]!]! >>> digit.shift) & mask]!++] = order[at]!;
    }
    this.#at = end;
    if (end === size) {
      [this.#order, this.#next] = [next, order];
      this.#pass++;
      this.#at = 0;
    }
    if (this.#pass <= digits.length) return true;
    this.#next = new Uint32Array(0);
    return false;
  }

  /** The entry at a place of the sorted order. */
  entry(place: number): number {
    return this.#order[place]!;
  }

  /** The hash of an entry, signed. */
  hash(entry: number): number {
    return (this.#hashes[entry]! ^ 0x8000_0000) | 0;
  }

  /** Whether the entry after the one at `place` has the same hash. */
  tied(place: number): boolean {
    if (place + 1 >= this.size) return false;
    return this.#hashes[this.#order[place]!] === this.#hashes[this.#order[place + 1]!];
  }
}

/** Turns counts into start positions. */
function accumulate(counts: Uint32Array): void {
  let start = 0;
  for (let value = 0; value < counts.length; value++) {
    const count = counts[value]!;
    counts[value] = start;
    start += count;
  }
}
