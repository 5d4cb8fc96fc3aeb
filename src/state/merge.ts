// Indices are computed here and in range; a check at each of them would be noise in the innermost loops.
/* eslint-disable @typescript-eslint/no-non-null-assertion */
import type { Block } from './block.js';
import { compareEncoded, hashOfEncoded } from './encodedKeys.js';
import { keyGroupOf } from './keyGroups.js';
import { corrupt, type SegmentEncoder } from './segmentFormat.js';
import type { SegmentReader } from './segmentReader.js';
import type { Step } from './slices.js';
import { absent } from './table.js';
import type { ObjectUpload } from './upload.js';

/** Where a merge stands in one of its inputs. */
interface Cursor {
  readonly reader: SegmentReader;
  /** From the input's own state indices to the output's. */
  readonly states: readonly number[];
  block: Block | undefined;
  /** Of the block's entries. */
  places: Places;
  at: number;
}

interface Places {
  readonly groups: Uint16Array;
  readonly hashes: Int32Array;
}

/**
 * Merges segments, oldest first, into one: of each (key, state) the newest wins. With `bottom` nothing is older than
 * the inputs, so tombstones go. Memory is one window and one block an input, whatever their size.
 *
 * `convert` brings what an older version of a state's serializer wrote to the present one.
 */
export class SegmentMerge {
  /** Of the inputs that are not over, the oldest first. */
  readonly #cursors: Cursor[] = [];
  readonly #encoder: SegmentEncoder;
  readonly #upload: ObjectUpload;
  readonly #bottom: boolean;
  readonly #convert: (value: unknown, version: number, state: number) => unknown;
  readonly #resolve: (reader: SegmentReader) => readonly number[];
  /** Those whose entries are of one key and state, which comes first. */
  readonly #first: Cursor[] = [];
  #count = 0;
  #opened = 0;
  #phase: 'open' | 'merge' | 'publish' | 'done' = 'open';
  readonly #readers: readonly SegmentReader[];

  constructor(options: {
    readonly readers: readonly SegmentReader[];
    readonly encoder: SegmentEncoder;
    readonly upload: ObjectUpload;
    readonly bottom: boolean;
    /** Maps an input's state indices to the output's, or throws. */
    readonly resolve: (reader: SegmentReader) => readonly number[];
    readonly convert: (value: unknown, version: number, state: number) => unknown;
  }) {
    this.#readers = options.readers;
    this.#encoder = options.encoder;
    this.#upload = options.upload;
    this.#bottom = options.bottom;
    this.#convert = options.convert;
    this.#resolve = options.resolve;
  }

  step(): Step {
    switch (this.#phase) {
      case 'open': {
        const reader = this.#readers[this.#opened];
        if (reader !== undefined) {
          this.#opened++;
          return reader.open();
        }
        for (const input of this.#readers)
          this.#cursors.push({
            reader: input,
            states: ascending(input, this.#resolve(input)),
            block: undefined,
            places: nowhere,
            at: 0,
          });
        this.#phase = 'merge';
        return 'more';
      }
      case 'merge':
        return this.#fill() ?? this.#merge();
      case 'publish':
        this.#phase = 'done';
        return this.#upload.finish();
      case 'done':
        return 'done';
    }
  }

  /** Makes sure that every input that is not over has a block. */
  #fill(): Step | undefined {
    for (let i = this.#cursors.length - 1; i >= 0; i--) {
      const cursor = this.#cursors[i]!;
      if (cursor.block !== undefined && cursor.at < cursor.block.entries) continue;
      if (cursor.reader.done) this.#cursors.splice(i, 1);
      else if (!cursor.reader.ready) return cursor.reader.fetch();
      else {
        cursor.block = cursor.reader.block();
        cursor.places = placesOf(cursor.block, cursor.reader.footer.schema.maxParallelism);
        cursor.at = 0;
        return 'more';
      }
    }
    return undefined;
  }

  /** Until a block is full or an input needs its next one. */
  #merge(): Step {
    const encoder = this.#encoder;
    while (!encoder.full) {
      const first = this.#lead();
      if (first?.block === undefined) {
        this.#upload.push(encoder.flush());
        this.#upload.push(encoder.finish());
        this.#phase = 'publish';
        return this.#upload.due ? this.#upload.flush() : 'more';
      }
      const { block, places, at } = first;
      const value = block.values[at];
      if (value !== absent || !this.#bottom) {
        const stored = block.states[at]!;
        const state = first.states[stored]!;
        const { version } = first.reader.footer.schema.states[stored]!.serializer;
        const kept = value === absent ? absent : this.#convert(value, version, state);
        encoder.addEncoded(places.groups[at]!, block.keys, block.starts[at]!, block.ends[at]!, state, kept);
      }
      if (this.#pass()) return 'more';
    }
    this.#upload.push(encoder.flush());
    return this.#upload.due ? this.#upload.flush() : 'more';
  }

  /** Finds the inputs whose entries come first; of those in one place, the newest leads. */
  #lead(): Cursor | undefined {
    const cursors = this.#cursors;
    const first = this.#first;
    let count = 0;
    for (let i = cursors.length - 1; i >= 0; i--) {
      const cursor = cursors[i]!;
      const order = count === 0 ? 0 : comparePlace(cursor, first[0]!);
      if (order < 0) count = 0;
      if (order <= 0) first[count++] = cursor;
    }
    this.#count = count;
    return cursors.length === 0 ? undefined : first[0];
  }

  /** Moves past their entries. Says whether one of them needs its next block. */
  #pass(): boolean {
    let exhausted = false;
    for (let i = 0; i < this.#count; i++) {
      const cursor = this.#first[i]!;
      if (++cursor.at === cursor.block?.entries) exhausted = true;
    }
    return exhausted;
  }
}

function comparePlace(a: Cursor, b: Cursor): number {
  const [i, j] = [a.at, b.at];
  return (
    a.places.groups[i]! - b.places.groups[j]! ||
    a.places.hashes[i]! - b.places.hashes[j]! ||
    compareEntries(a, b)
  );
}

function compareEntries(a: Cursor, b: Cursor): number {
  const [x, y] = [a.block!, b.block!];
  const [i, j] = [a.at, b.at];
  return (
    compareEncoded(x.keys, x.starts[i]!, x.ends[i]!, y.keys, y.starts[j]!, y.ends[j]!) ||
    a.states[x.states[i]!]! - b.states[y.states[j]!]!
  );
}

/**
 * Throws if an input has the states of a key in another order than the output: it was written when they were numbered as
 * declared, and a merge would let an old value come after a new one.
 */
function ascending({ ref }: SegmentReader, states: readonly number[]): readonly number[] {
  if (states.some((state, i) => i > 0 && state < states[i - 1]!))
    throw corrupt(ref.object, 'its states are not numbered in the order of their names');
  return states;
}

const nowhere: Places = { groups: new Uint16Array(0), hashes: new Int32Array(0) };

function placesOf({ entries, keys, starts, ends }: Block, maxParallelism: number): Places {
  const groups = new Uint16Array(entries);
  const hashes = new Int32Array(entries);
  for (let i = 0; i < entries; i++) {
    const repeated = i > 0 && starts[i] === starts[i - 1];
    const hash = repeated ? hashes[i - 1]! : hashOfEncoded(keys, starts[i]!, ends[i]!);
    hashes[i] = hash;
    groups[i] = repeated ? groups[i - 1]! : keyGroupOf(hash, maxParallelism);
  }
  return { groups, hashes };
}
