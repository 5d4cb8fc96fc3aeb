// Indices are computed here and in range; checks would clutter the innermost loops.
/* eslint-disable @typescript-eslint/no-non-null-assertion */
import type { Block } from '../segment/block.js';
import { comparePaths } from '../cells.js';
import { compareEncoded, hashOfEncoded } from '../keys/encodedKeys.js';
import { keyGroupOf } from '../keys/keyGroups.js';
import type { SegmentReader } from '../segment/reader.js';
import type { Step } from '../slices.js';

/** The position of a merge in one of its inputs, a run of segments. */
export interface Cursor {
  /** The segments still to be read, the current one first. */
  readonly readers: SegmentReader[];
  reader: SegmentReader;
  /** Maps the current segment's state indices to common ones, or to -1 for states to skip. */
  states: readonly number[] | undefined;
  /** Whether {@link states} has dropped ones. */
  drops: boolean;
  block: Block | undefined;
  /** Groups and hashes of the block's cells. */
  places: Places;
  at: number;
  /** Where the block's cells to read end. */
  end: number;
}

interface Places {
  readonly groups: Uint16Array;
  readonly hashes: Int32Array;
}

export interface RunCursorsOptions {
  /** The segments of each input, the oldest input first. */
  readonly inputs: readonly (readonly SegmentReader[])[];
  /** Maps a segment's state indices to common ones, or to -1 for states to skip. */
  readonly resolve: (reader: SegmentReader) => readonly number[];
}

/**
 * Walks through runs in the order of addresses. Whenever some input needs its next block, {@link fill}; otherwise {@link
 * lead} finds the inputs at the lowest address, and {@link pass} advances them. Memory is one window and one block per
 * input.
 */
export class RunCursors {
  /** The inputs not yet exhausted, oldest first. */
  readonly #cursors: Cursor[];
  readonly #resolve: (reader: SegmentReader) => readonly number[];
  /** The first {@link count} are the inputs at the lowest address, newest first. */
  readonly first: Cursor[] = [];
  #count = 0;

  constructor(options: RunCursorsOptions) {
    this.#cursors = options.inputs.flatMap((readers) => {
      const [reader] = readers;
      if (reader === undefined) return [];
      return { ...fresh, readers: [...readers], reader };
    });
    this.#resolve = options.resolve;
  }

  get count(): number {
    return this.#count;
  }

  /** Makes sure that every input that is not exhausted has a block. */
  fill(): Step | undefined {
    for (let i = this.#cursors.length - 1; i >= 0; i--) {
      const cursor = this.#cursors[i]!;
      if (cursor.at < cursor.end) continue;
      const { reader } = cursor;
      if (!reader.opened) return reader.open();
      if (reader.done) {
        cursor.readers.shift();
        const next = cursor.readers[0];
        if (next === undefined) this.#cursors.splice(i, 1);
        else Object.assign(cursor, fresh, { reader: next });
        return 'more';
      }
      if (cursor.states === undefined) {
        cursor.states = this.#resolve(reader);
        cursor.drops = cursor.states.includes(-1);
      }
      if (!reader.ready) return reader.fetch();
      const { block, first, end } = reader.part();
      Object.assign(cursor, { block, end, places: placesOf(block, reader.footer.schema.maxParallelism) });
      advance(cursor, first);
      return 'more';
    }
    return undefined;
  }

  /** Finds the inputs at the lowest address. Returns the newest of them. */
  lead(): Cursor | undefined {
    const cursors = this.#cursors;
    const { first } = this;
    let count = 0;
    for (let i = cursors.length - 1; i >= 0; i--) {
      const cursor = cursors[i]!;
      const order = count === 0 ? 0 : compareAddresses(cursor, first[0]!);
      if (order < 0) count = 0;
      if (order <= 0) first[count++] = cursor;
    }
    this.#count = count;
    return cursors.length === 0 ? undefined : first[0];
  }

  /** Advances the inputs at the lowest address. Returns whether one of them needs its next block. */
  pass(): boolean {
    let exhausted = false;
    for (let i = 0; i < this.#count; i++) {
      const cursor = this.first[i]!;
      advance(cursor, cursor.at + 1);
      if (cursor.at === cursor.end) exhausted = true;
    }
    return exhausted;
  }
}

function compareAddresses(a: Cursor, b: Cursor): number {
  const [i, j] = [a.at, b.at];
  return (
    a.places.groups[i]! - b.places.groups[j]! ||
    a.places.hashes[i]! - b.places.hashes[j]! ||
    compareCells(a, b)
  );
}

function compareCells(a: Cursor, b: Cursor): number {
  const [x, y] = [a.block!, b.block!];
  const [i, j] = [a.at, b.at];
  return (
    compareEncoded(x.addresses, x.starts[i]!, x.ends[i]!, y.addresses, y.starts[j]!, y.ends[j]!) ||
    a.states![x.states[i]!]! - b.states![y.states[j]!]! ||
    comparePaths(x.path(i), y.path(j))
  );
}

/** Moves to the first cell from `at` that is not of a dropped state. */
function advance(cursor: Cursor, at: number): void {
  cursor.at = at;
  if (!cursor.drops) return;
  const { block, states, end } = cursor;
  while (cursor.at < end && states![block!.states[cursor.at]!]! < 0) cursor.at++;
}

/** A cursor before the first block of a segment. */
const fresh: Omit<Cursor, 'readers' | 'reader'> = {
  states: undefined,
  drops: false,
  block: undefined,
  places: { groups: new Uint16Array(0), hashes: new Int32Array(0) },
  at: 0,
  end: 0,
};

function placesOf({ count, addresses, starts, ends }: Block, maxParallelism: number): Places {
  const groups = new Uint16Array(count);
  const hashes = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    const repeated = i > 0 && starts[i] === starts[i - 1];
    const hash = repeated ? hashes[i - 1]! : hashOfEncoded(addresses, starts[i]!, ends[i]!);
    hashes[i] = hash;
    groups[i] = repeated ? groups[i - 1]! : keyGroupOf(hash, maxParallelism);
  }
  return { groups, hashes };
}
