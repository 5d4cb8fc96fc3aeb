// Indices are computed here and in range; checks would clutter the innermost loops.
/* eslint-disable @typescript-eslint/no-non-null-assertion */
import { comparePaths } from './cells.js';
import { hashOf, keyGroupOf } from './keyGroups.js';
import { compareKeys, type StoredKey } from './keys.js';
import { PlaceOrder } from './placeOrder.js';
import type { RunWriter } from './runWriter.js';
import type { Step } from './slices.js';
import type { FrozenCells } from './state.js';

/**
 * For the first this many cells, key and content are kept from the first visit: another visit to the entry is a cache
 * miss.
 */
export const kept = 2 ** 20;

/** Cells that a step hashes, which takes about 2 ms; and cells that a step moves, which is cheaper. */
const slice = 8192;
const moved = 65_536;

/**
 * Writes the cells of one freeze as a run of segments, step by step:
 *
 * 1. read the cells, and compute hashes and groups of their keys, one slice per step;
 * 2. sort by (group, hash), one slice per step;
 * 3. encode, one block per step; cells with the same hash, usually few, are sorted by the rest of their addresses;
 * 4. upload: one PUT, or parts in between if there is too much data.
 *
 * Steps are short for any number of cells, unless very many of them have the same hash.
 */
export class SegmentWriter {
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
  /** The end of the cells with the current hash. */
  #end = 0;

  constructor(states: readonly FrozenCells[], run: RunWriter, maxParallelism: number) {
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
      if (this.#at < kept) {
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
    while (!encoder.full) {
      if (this.#at === order.size) {
        this.#phase = 'done';
        return run.finish();
      }
      if (this.#at === this.#end) this.#nextHash();
      const number = order.entry(this.#at++);
      const state = this.#stateOf[number]!;
      const cells = this.#states[state]!;
      const cell = number - this.#firsts[state]!;
      const near = number < kept;
      const key = near ? this.#keys[number]! : cells.key(cell);
      const content = cells.encode(near ? this.#contents[number] : cells.read(cell), key);
      encoder.add(order.groups[number]!, order.hash(number), key, state, cells.path(cell), content);
    }
    return run.flush();
  }

  #nextHash(): void {
    this.#end = this.#order.end(this.#at);
    this.#order.sortTies(this.#at, this.#end, (a, b) => this.#compare(a, b));
  }

  /** Compares cells with the same hash. */
  #compare(a: number, b: number): number {
    const [s, t] = [this.#stateOf[a]!, this.#stateOf[b]!];
    const [x, y] = [this.#states[s]!, this.#states[t]!];
    const [i, j] = [a - this.#firsts[s]!, b - this.#firsts[t]!];
    return compareKeys(x.key(i), y.key(j)) || s - t || comparePaths(x.path(i), y.path(j));
  }
}
