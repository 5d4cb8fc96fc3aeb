// Indices are computed here and in range; checks would clutter the innermost loops.
/* eslint-disable @typescript-eslint/no-non-null-assertion */
import type { CellPath } from '../cells.js';
import { compareBytes, compareEncoded } from '../keys/encodedKeys.js';
import { encodeKey, KeyWriter, type StoredKey } from '../keys/keys.js';

/** Cells sorted by hash. A place is an index in that order. */
export interface HashedCells {
  /** Whether the cell after the one at `place` has the same hash. */
  tied(place: number): boolean;
  key(place: number): StoredKey;
  state(place: number): number;
  path(place: number): CellPath;
}

/**
 * Sorts cells that have the same hash by the rest of their addresses. These are few, unless many entries of one map have
 * changed: then there may be millions. So addresses are encoded once, and a bottom-up merge sort can be interrupted
 * anywhere.
 */
export class TieSort {
  readonly #cells: HashedCells;
  readonly #first: number;
  /** Encoded. A key that repeats the one before it is not encoded again. */
  readonly #keys: Uint8Array[] = [];
  #lastKey: StoredKey | undefined;
  /** For each cell, the index of its key. */
  readonly #keyOf: number[] = [];
  readonly #states: number[] = [];
  /** The namespace and the sub-key of each cell, one after the other, and where each starts. */
  readonly #paths = new KeyWriter();
  readonly #starts: number[] = [0];
  /** Sorted up to runs of {@link #width}. Undefined while addresses are being encoded. */
  #order: Uint32Array | undefined;
  #next: Uint32Array = new Uint32Array(0);
  #width = 1;
  // The merge in progress: its runs are from #left to #middle and from #right to #end.
  #left = 0;
  #middle = 0;
  #right = 0;
  #end = 0;
  #to = 0;

  /** @param first the place of the first cell */
  constructor(cells: HashedCells, first: number) {
    this.#cells = cells;
    this.#first = first;
  }

  /** The place of the cell that belongs at `place`. Only after the last {@link step}. */
  sorted(place: number): number {
    return this.#first + this.#order![place - this.#first]!;
  }

  /** The place after the last cell. Only after the last {@link step}. */
  get end(): number {
    return this.#first + this.#keyOf.length;
  }

  /** Encodes or moves at most `cells` cells. Returns whether there is more to do. */
  step(cells: number): boolean {
    let left = cells;
    if (this.#order === undefined) {
      left = this.#encode(left);
      if (left === 0) return true;
    }
    while (this.#width < this.#keyOf.length) {
      if (left === 0) return true;
      left = this.#merge(left);
    }
    return false;
  }

  /** Returns what is left of the budget; 0 if there is more to encode. */
  #encode(budget: number): number {
    const cells = this.#cells;
    for (let left = budget; left > 0; left--) {
      const place = this.end;
      this.#add(cells.key(place), cells.state(place), cells.path(place));
      if (cells.tied(place)) continue;
      const { length } = this.#keyOf;
      const order = (this.#order = new Uint32Array(length));
      for (let i = 0; i < length; i++) order[i] = i;
      this.#next = new Uint32Array(length);
      this.#begin(0);
      return Math.max(left - 1, 1);
    }
    return 0;
  }

  #add(key: StoredKey, state: number, { namespace, subKey }: CellPath): void {
    if (this.#keys.length === 0 || key !== this.#lastKey) {
      this.#lastKey = key;
      this.#keys.push(encodeKey(key));
    }
    this.#keyOf.push(this.#keys.length - 1);
    this.#states.push(state);
    for (const part of [namespace, subKey]) {
      this.#paths.encoded(part, 0, part.length);
      this.#starts.push(this.#paths.length);
    }
  }

  /** Continues with the merge of two neighboring runs. Returns what is left of the budget. */
  #merge(budget: number): number {
    const [order, next] = [this.#order!, this.#next];
    const [middle, end] = [this.#middle, this.#end];
    let [left, right, to] = [this.#left, this.#right, this.#to];
    const stop = Math.min(end, to + budget);
    const rest = budget - (stop - to);
    while (to < stop) {
      const takesLeft = left < middle && (right === end || this.#compare(order[left]!, order[right]!) <= 0);
      next[to++] = takesLeft ? order[left++]! : order[right++]!;
    }
    [this.#left, this.#right, this.#to] = [left, right, to];
    if (to === end) this.#begin(end);
    return rest;
  }

  /** Begins the merge of the runs at `from`; at the end of the pass, the next pass. */
  #begin(from: number): void {
    const { length } = this.#next;
    let start = from;
    if (from === length) {
      [this.#order, this.#next] = [this.#next, this.#order!];
      this.#width *= 2;
      start = 0;
    }
    this.#left = this.#to = start;
    this.#middle = this.#right = Math.min(start + this.#width, length);
    this.#end = Math.min(start + 2 * this.#width, length);
  }

  #compare(a: number, b: number): number {
    const [k, l] = [this.#keyOf[a]!, this.#keyOf[b]!];
    return (
      (k === l ? 0 : compareBytes(this.#keys[k]!, this.#keys[l]!)) ||
      this.#states[a]! - this.#states[b]! ||
      this.#compareParts(2 * a, 2 * b) ||
      this.#compareParts(2 * a + 1, 2 * b + 1)
    );
  }

  #compareParts(a: number, b: number): number {
    const { bytes } = this.#paths;
    const starts = this.#starts;
    return compareEncoded(bytes, starts[a]!, starts[a + 1]!, bytes, starts[b]!, starts[b + 1]!);
  }
}
