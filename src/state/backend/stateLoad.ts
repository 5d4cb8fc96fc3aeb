import type { BlockPart } from '../segment/block.js';
import type { Footprint } from './footprint.js';
import { unreadable } from './mismatches.js';
import type { SegmentReader } from '../segment/reader.js';
import type { Step } from '../slices.js';
import type { LiveState } from '../state.js';
import type { StateIds } from './stateIds.js';

/** Cells that a step loads. */
const slice = 1024;

/** Loads segments, oldest first, into live states. Cells of dropped states are left out. */
export class StateLoad {
  readonly #operator: string;
  readonly #ids: StateIds;
  readonly #states: readonly LiveState<unknown>[];
  readonly #readers: SegmentReader[];
  readonly #footprint: Footprint;
  /** Maps the current segment's state indices to those of the states. */
  #resolved: readonly number[] | undefined;
  /** What is left of the current block. */
  #left: BlockPart | undefined;

  constructor(options: {
    readonly operator: string;
    readonly ids: StateIds;
    /** In the order of the ids. */
    readonly states: readonly LiveState<unknown>[];
    readonly readers: readonly SegmentReader[];
    readonly footprint: Footprint;
  }) {
    this.#operator = options.operator;
    this.#ids = options.ids;
    this.#states = options.states;
    this.#readers = [...options.readers];
    this.#footprint = options.footprint;
  }

  /** Errors: `StateSchemaMismatch` and those of {@link SegmentReader}. */
  step(): Step {
    const reader = this.#readers[0];
    if (reader === undefined) return 'done';
    if (!reader.opened) return reader.open();
    this.#resolved ??= this.#ids.resolve(reader.ref.object, reader.footer.schema);
    if (this.#left !== undefined) {
      this.#load(reader, this.#resolved, this.#left);
      return 'more';
    }
    if (reader.done) {
      this.#readers.shift();
      this.#resolved = undefined;
      return 'more';
    }
    if (!reader.ready) return reader.fetch();
    this.#left = reader.part();
    const { block } = this.#left;
    this.#footprint.saw(block.size, block.count);
    return 'more';
  }

  /** Loads a slice of a block. */
  #load(reader: SegmentReader, resolved: readonly number[], { block, first, end }: BlockPart): void {
    const { states } = reader.footer.schema;
    const stop = Math.min(first + slice, end);
    this.#left = stop < end ? { block, first: stop, end } : undefined;
    for (let i = first; i < stop; i++) {
      const at = block.states[i] ?? 0;
      const stored = states[at];
      const index = resolved[at] ?? -1;
      const live = this.#states[index];
      if (stored === undefined || live === undefined) continue; // Of a dropped state.
      const key = block.key(i);
      try {
        live.load(key, block.path(i), block.contents[i], stored.serializer.version);
      } catch (cause) {
        const name = this.#ids.declared[index]?.name ?? stored.id;
        throw unreadable(this.#operator, name, stored, key, reader.ref.object, cause);
      }
    }
  }
}
