// Indices are computed here and in range; a check at each of them would be noise in the innermost loops.
/* eslint-disable @typescript-eslint/no-non-null-assertion */
import { hashOf, keyGroupOf } from './keyGroups.js';
import { compareKeys } from './keys.js';
import type { SegmentEncoder } from './segmentFormat.js';
import type { Step } from './slices.js';
import type { LiveState } from './state.js';
import { absent, contentAt, type Entry, type FrozenSet } from './table.js';
import type { ObjectUpload } from './upload.js';

/** How many entries a step looks at before it lets others work: about 2 ms. */
const slice = 8192;

/** What one state contributes to a segment. */
export interface FrozenState {
  readonly state: LiveState<unknown>;
  readonly set: FrozenSet<unknown>;
}

/**
 * Writes the frozen sets of an operator's states as one segment, step by step:
 *
 * 1. hash every key and count its group, a slice a step;
 * 2. scatter the entries to their groups, a slice a step;
 * 3. group by group, sort by (hash, key, state), and encode, a block a step;
 * 4. upload: one PUT, or parts on the way where there is too much.
 *
 * Nothing sorts more than one key group at a time, so no step is long, however many entries there are.
 */
export class SegmentWriter {
  readonly #states: readonly FrozenState[];
  readonly #encoder: SegmentEncoder;
  readonly #upload: ObjectUpload;
  readonly #entries: Entry<unknown>[] = [];
  readonly #stateOf: Uint8Array;
  readonly #hashes: Int32Array;
  readonly #groups: Uint16Array;
  readonly #order: Uint32Array;
  /** Where each group starts in the order; while scattering, where its next entry goes. */
  readonly #starts: Uint32Array;
  readonly #total: number;
  #phase: 'hash' | 'scatter' | 'encode' | 'publish' | 'done' = 'hash';
  #state = 0;
  #at = 0;
  #inState = 0;
  #group = -1;
  #groupEnd = 0;
  readonly #maxParallelism: number;

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
    const total = (this.#total = states.reduce((sum, { set }) => sum + set.entries.length, 0));
    this.#stateOf = new Uint8Array(total);
    this.#hashes = new Int32Array(total);
    this.#groups = new Uint16Array(total);
    this.#order = new Uint32Array(total);
    this.#starts = new Uint32Array(maxParallelism + 1);
  }

  step(): Step {
    switch (this.#phase) {
      case 'hash':
        return this.#hash();
      case 'scatter':
        return this.#scatter();
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
    const end = Math.min(this.#at + slice, this.#total);
    while (this.#at < end) {
      const entries = this.#states[this.#state]?.set.entries ?? [];
      const entry = entries[this.#inState++];
      if (entry === undefined) {
        this.#state++;
        this.#inState = 0;
        continue;
      }
      const i = this.#at++;
      const hash = hashOf(entry.key);
      const group = keyGroupOf(hash, this.#maxParallelism);
      this.#entries.push(entry);
      this.#stateOf[i] = this.#state;
      this.#hashes[i] = hash;
      this.#groups[i] = group;
      this.#starts[group + 1]!++;
    }
    if (this.#at === this.#total) {
      for (let g = 1; g < this.#starts.length; g++) this.#starts[g]! += this.#starts[g - 1]!;
      this.#at = 0;
      this.#phase = 'scatter';
    }
    return 'more';
  }

  #scatter(): Step {
    const end = Math.min(this.#at + slice, this.#total);
    for (; this.#at < end; this.#at++) this.#order[this.#starts[this.#groups[this.#at]!]!++] = this.#at;
    if (this.#at === this.#total) {
      this.#at = 0;
      this.#phase = 'encode';
    }
    return 'more';
  }

  #encode(): Step {
    const encoder = this.#encoder;
    while (!encoder.full) {
      if (this.#at === this.#groupEnd) {
        if (this.#at === this.#total) {
          this.#upload.push(encoder.flush());
          this.#upload.push(encoder.finish());
          this.#phase = 'publish';
          return 'more';
        }
        this.#nextGroup();
        continue;
      }
      const index = this.#order[this.#at++]!;
      const entry = this.#entries[index]!;
      const state = this.#stateOf[index]!;
      const frozen = this.#states[state]!;
      const content = contentAt(entry, frozen.set);
      encoder.add(this.#group, entry.key, state, content === absent ? absent : frozen.state.dump(content));
    }
    this.#upload.push(encoder.flush());
    return this.#upload.due ? this.#upload.flush() : 'more';
  }

  /** After scattering, a group's start has moved to where it ends. */
  #nextGroup(): void {
    const group = ++this.#group;
    this.#groupEnd = this.#starts[group]!;
    const [hashes, entries, stateOf] = [this.#hashes, this.#entries, this.#stateOf];
    this.#order
      .subarray(this.#at, this.#groupEnd)
      .sort(
        (a, b) =>
          hashes[a]! - hashes[b]! ||
          compareKeys(entries[a]!.key, entries[b]!.key) ||
          stateOf[a]! - stateOf[b]!,
      );
  }
}
