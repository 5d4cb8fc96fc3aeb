// Indices are computed here and in range; checks would clutter the innermost loops.
/* eslint-disable @typescript-eslint/no-non-null-assertion */
import type { CellPath } from '../cells.js';
import { hashOf, keyGroupOf } from '../keys/keyGroups.js';
import type { StoredKey } from '../keys/keys.js';
import { PlaceOrder } from './placeOrder.js';
import type { RunWriter } from './runWriter.js';
import type { Step } from '../slices.js';
import type { FrozenCells } from '../state.js';
import { TieSort, type HashedCells } from './tieSort.js';

/**
 * For the first this many cells, key and content are kept from the first visit: another visit to the entry is a cache
 * miss.
 */
export const kept = 2 ** 20;

/** Cells that a step hashes, encodes or compares; and cells that a step moves, which is cheaper. */
const slice = 1024;
const moved = 16_384;

/**
 * Writes the cells of one freeze as a run of segments, step by step:
 *
 * 1. read the cells, and compute hashes and groups of their keys, one slice per step;
 * 2. sort by (group, hash), one slice per step;
 * 3. encode, one slice or the end of a block per step; cells with the same hash are first sorted by the rest of their
 *    addresses, one slice per step;
 * 4. upload: one PUT, or parts in between if there is too much data.
 *
 * Steps are short for any number of cells.
 */
export class SegmentWriter implements HashedCells {
  readonly #states: readonly FrozenCells[];
  readonly #run: RunWriter;
  readonly #maxParallelism: number;
  /** Cells are numbered across all states; these are the first numbers of each state. */
  readonly #firsts: number[] = [];
  readonly #stateOf: Uint16Array;
  readonly #order: PlaceOrder;
  readonly #keys: StoredKey[] = [];
  readonly #contents: unknown[] = [];
  #phase: 'hash' | 'sort' | 'encode' | 'done' = 'hash';
  #state = 0;
  #at = 0;
  /** Sorts the cells with the current hash, if there are several. */
  #ties: TieSort | undefined;

  readonly #kept: number;

  constructor(states: readonly FrozenCells[], run: RunWriter, maxParallelism: number, most = kept) {
    this.#kept = most;
    this.#states = states;
    this.#run = run;
    this.#maxParallelism = maxParallelism;
    let total = 0;
    for (const { size } of states) {
      this.#firsts.push(total);
      total += size;
    }
    this.#stateOf = new Uint16Array(total);
    this.#order = new PlaceOrder(total, maxParallelism);
  }

  step(): Step {
    switch (this.#phase) {
      case 'hash':
        return this.#hash();
      case 'sort':
        if (!this.#order.sort(moved)) this.#phase = 'encode';
        return 'more';
      case 'encode':
        return this.#encode();
      case 'done':
        return 'done';
    }
  }

  #hash(): Step {
    const order = this.#order;
    const end = Math.min(this.#at + slice, order.size);
    while (this.#at < end) {
      const cells = this.#states[this.#state]!;
      const cell = this.#at - this.#firsts[this.#state]!;
      if (cell === cells.size) {
        this.#state++;
        continue;
      }
      const key = cells.key(cell);
      if (this.#at < this.#kept) {
        this.#keys.push(key);
        this.#contents.push(cells.read(cell));
      }
      this.#stateOf[this.#at++] = this.#state;
      const hash = hashOf(key);
      order.add(hash, keyGroupOf(hash, this.#maxParallelism));
    }
    if (this.#at === order.size) {
      this.#at = 0;
      this.#phase = 'sort';
    }
    return 'more';
  }

  #encode(): Step {
    const run = this.#run;
    const { encoder } = run;
    const order = this.#order;
    for (let left = slice; !encoder.full; left--) {
      if (left === 0) return 'more';
      if (this.#at === order.size) {
        this.#phase = 'done';
        return run.finish();
      }
      if (this.#ties === undefined && this.tied(this.#at)) this.#ties = new TieSort(this, this.#at);
      const ties = this.#ties;
      if (ties?.step(slice) === true) return 'more';
      const number = order.entry(ties === undefined ? this.#at : ties.sorted(this.#at));
      if (++this.#at === ties?.end) this.#ties = undefined;
      const state = this.#stateOf[number]!;
      const cells = this.#states[state]!;
      const cell = number - this.#firsts[state]!;
      const near = number < this.#kept;
      const key = near ? this.#keys[number]! : cells.key(cell);
      const path = cells.path(cell);
      const content = cells.encode(near ? this.#contents[number] : cells.read(cell), key, path);
      encoder.add(order.groups[number]!, order.hash(number), key, state, path, content);
    }
    return run.flush();
  }

  tied(place: number): boolean {
    return this.#order.tied(place);
  }

  key(place: number): StoredKey {
    const number = this.#order.entry(place);
    return number < this.#kept ? this.#keys[number]! : this.#cellsOf(number).key(this.#cellOf(number));
  }

  state(place: number): number {
    return this.#stateOf[this.#order.entry(place)]!;
  }

  path(place: number): CellPath {
    const number = this.#order.entry(place);
    return this.#cellsOf(number).path(this.#cellOf(number));
  }

  #cellsOf(number: number): FrozenCells {
    return this.#states[this.#stateOf[number]!]!;
  }

  #cellOf(number: number): number {
    return number - this.#firsts[this.#stateOf[number]!]!;
  }
}
