// Indices are computed here and in range; a check at each of them would be noise in the innermost loops.
/* eslint-disable @typescript-eslint/no-non-null-assertion */
import { comparePaths } from './cells.js';
import { hashOf, keyGroupOf } from './keyGroups.js';
import { compareKeys, type StoredKey } from './keys.js';
import { PlaceOrder } from './placeOrder.js';
import type { RunWriter } from './runWriter.js';
import type { Step } from './slices.js';
import type { FrozenCells } from './state.js';

/** Of so many cells, key and content are kept when they are at hand: going back to an entry is a wait for memory. */
export const kept = 2 ** 20;

/** How many cells a step looks at before it lets others work: about 2 ms; and how many it moves, which is less work. */
const slice = 8192;
const moved = 65_536;

/**
 * Writes what one freeze took from an operator's states as a run of segments, step by step:
 *
 * 1. read the cells, hash their keys and find their groups, a slice a step;
 * 2. sort by (group, hash), a slice a step;
 * 3. encode, a block a step; the few with one hash are sorted by the rest of their addresses on the way;
 * 4. upload: one PUT, or parts on the way where there is too much.
 *
 * No step is long, however many cells there are, unless very many of them have one hash.
 */
export class SegmentWriter {
  readonly #states: readonly FrozenCells[];
  readonly #run: RunWriter;
  readonly #maxParallelism: number;
  /** Cells are numbered through all states: the number that each begins with. */
  readonly #firsts: number[] = [];
  readonly #stateOf: Uint16Array;
  readonly #order: PlaceOrder;
  readonly #keys: StoredKey[] = [];
  readonly #contents: unknown[] = [];
  #phase: 'hash' | 'sort' | 'encode' | 'done' = 'hash';
  #state = 0;
  #at = 0;
  /** Where the cells of one hash end. */
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

  /** Of cells with one hash. */
  #compare(a: number, b: number): number {
    const [s, t] = [this.#stateOf[a]!, this.#stateOf[b]!];
    const [x, y] = [this.#states[s]!, this.#states[t]!];
    const [i, j] = [a - this.#firsts[s]!, b - this.#firsts[t]!];
    return compareKeys(x.key(i), y.key(j)) || s - t || comparePaths(x.path(i), y.path(j));
  }
}
