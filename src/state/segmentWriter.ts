// Indices are computed here and in range; a check at each of them would be noise in the innermost loops.
/* eslint-disable @typescript-eslint/no-non-null-assertion */
import { hashOf, keyGroupOf } from './keyGroups.js';
import { compareKeys, type StoredKey } from './keys.js';
import { PlaceOrder } from './placeOrder.js';
import type { SegmentEncoder } from './segmentFormat.js';
import type { Step } from './slices.js';
import type { LiveState } from './state.js';
import { absent, contentAt, type Entry, type FrozenSet } from './table.js';
import type { ObjectUpload } from './upload.js';

/** Of so many entries, key and content are kept when they are at hand: going back to an entry is a wait for memory. */
export const kept = 2 ** 20;

/** How many entries a step looks at before it lets others work: about 2 ms; and how many it moves, which is less work. */
const slice = 8192;
const moved = 65_536;

/** What one state contributes to a segment. */
export interface FrozenState {
  readonly state: LiveState<unknown>;
  readonly set: FrozenSet<unknown>;
}

/**
 * Writes the frozen sets of an operator's states as one segment, step by step:
 *
 * 1. read the entries, hash their keys and find their groups, a slice a step;
 * 2. sort by (group, hash), a slice a step;
 * 3. encode, a block a step; the few with one hash are sorted by (key, state) on the way;
 * 4. upload: one PUT, or parts on the way where there is too much.
 *
 * No step is long, however many entries there are, unless very many of their keys have one hash.
 */
export class SegmentWriter {
  readonly #states: readonly FrozenState[];
  readonly #encoder: SegmentEncoder;
  readonly #upload: ObjectUpload;
  readonly #maxParallelism: number;
  /** Entries are numbered through all states: the number that each begins with. */
  readonly #firsts: number[] = [];
  readonly #stateOf: Uint8Array;
  readonly #order: PlaceOrder;
  readonly #keys: StoredKey[] = [];
  readonly #contents: unknown[] = [];
  #phase: 'hash' | 'sort' | 'encode' | 'publish' | 'done' = 'hash';
  #state = 0;
  #at = 0;
  /** Where the entries of one hash end. */
  #end = 0;

  constructor(
    states: readonly FrozenState[],
    encoder: SegmentEncoder,
    upload: ObjectUpload,
    maxParallelism: number,
  ) {
    this.#states = states;
    this.#encoder = encoder;
    this.#upload = upload;
    this.#maxParallelism = maxParallelism;
    let total = 0;
    for (const { set } of states) {
      this.#firsts.push(total);
      total += set.entries.length;
    }
    this.#stateOf = new Uint8Array(total);
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
      case 'publish':
        this.#phase = 'done';
        return this.#upload.finish();
      case 'done':
        return 'done';
    }
  }

  #hash(): Step {
    const order = this.#order;
    const end = Math.min(this.#at + slice, order.size);
    while (this.#at < end) {
      const { set } = this.#states[this.#state]!;
      const entry = set.entries[this.#at - this.#firsts[this.#state]!];
      if (entry === undefined) {
        this.#state++;
        continue;
      }
      if (this.#at < kept) {
        this.#keys.push(entry.key);
        this.#contents.push(contentAt(entry, set));
      }
      this.#stateOf[this.#at++] = this.#state;
      const hash = hashOf(entry.key);
      order.add(hash, keyGroupOf(hash, this.#maxParallelism));
    }
    if (this.#at === order.size) {
      this.#at = 0;
      this.#phase = 'sort';
    }
    return 'more';
  }

  #encode(): Step {
    const encoder = this.#encoder;
    const order = this.#order;
    while (!encoder.full) {
      if (this.#at === order.size) {
        this.#upload.push(encoder.flush());
        this.#upload.push(encoder.finish());
        this.#phase = 'publish';
        return 'more';
      }
      if (this.#at === this.#end) this.#nextHash();
      const number = order.entry(this.#at++);
      const state = this.#stateOf[number]!;
      const frozen = this.#states[state]!;
      const content = number < kept ? this.#contents[number] : contentAt(this.#entry(number), frozen.set);
      const key = this.#key(number);
      const value = content === absent ? absent : frozen.state.dump(content, key);
      encoder.add(order.groups[number]!, key, state, value);
    }
    this.#upload.push(encoder.flush());
    return this.#upload.due ? this.#upload.flush() : 'more';
  }

  #nextHash(): void {
    this.#end = this.#order.end(this.#at);
    this.#order.settle(this.#at, this.#end, (a, b) => compareKeys(this.#key(a), this.#key(b)) || a - b);
  }

  #key(number: number): StoredKey {
    return number < kept ? this.#keys[number]! : this.#entry(number).key;
  }

  #entry(number: number): Entry<unknown> {
    const state = this.#stateOf[number]!;
    return this.#states[state]!.set.entries[number - this.#firsts[state]!]!;
  }
}
