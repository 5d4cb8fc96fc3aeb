// Indices are computed here and in range; checks would clutter the innermost loops.
/* eslint-disable @typescript-eslint/no-non-null-assertion */
import { absent, Operand, type CellContent } from '../cells.js';
import { RunCursors, type Cursor, type RunCursorsOptions } from './runCursors.js';
import type { SegmentEncoder } from '../segment/encoder.js';
import { corrupt } from '../segment/format.js';
import type { Step } from '../slices.js';
import type { LiveState } from '../state.js';

/** Addresses that a step merges. */
const slice = 1024;

/** Receives the cells of a merge in the order of their addresses, as `RunWriter` does. */
export interface MergeTarget {
  readonly encoder: Pick<SegmentEncoder, 'full' | 'addEncoded'>;
  flush(): Step;
  finish(): Step;
}

/**
 * Merges runs, oldest first, into one. At each address, the newest value or tombstone replaces older contents, and
 * newer operands are folded into it by the kind of state. With `bottom`, nothing is older than the inputs, so
 * tombstones and what has expired are dropped, and operands become values. Cells of dropped states are left out.
 */
export class SegmentMerge {
  readonly #cursors: RunCursors;
  readonly #run: MergeTarget;
  readonly #bottom: boolean;
  readonly #states: readonly Pick<LiveState<unknown>, 'convert' | 'fold' | 'unexpired'>[];
  #phase: 'merge' | 'done' = 'merge';

  constructor(
    options: RunCursorsOptions & {
      readonly run: MergeTarget;
      readonly bottom: boolean;
      /** The output's states, by index. */
      readonly states: readonly Pick<LiveState<unknown>, 'convert' | 'fold' | 'unexpired'>[];
    },
  ) {
    this.#cursors = new RunCursors(options);
    this.#run = options.run;
    this.#bottom = options.bottom;
    this.#states = options.states;
  }

  step(): Step {
    return this.#phase === 'done' ? 'done' : (this.#cursors.fill() ?? this.#merge());
  }

  /** Merges a slice, at most until the output block is full or an input needs its next block. */
  #merge(): Step {
    const cursors = this.#cursors;
    const run = this.#run;
    const { encoder } = run;
    for (let left = slice; !encoder.full; left--) {
      if (left === 0) return 'more';
      const first = cursors.lead();
      if (first?.block === undefined) {
        this.#phase = 'done';
        return run.finish();
      }
      const { block, places, at, states } = first;
      let content = this.#content();
      if (this.#bottom) content = this.#unexpired(content);
      if (content !== absent || !this.#bottom) {
        encoder.addEncoded(
          places.groups[at]!,
          places.hashes[at]!,
          block.addresses,
          block.starts[at]!,
          block.ends[at]!,
          states![block.states[at]!]!,
          block.path(at),
          content,
        );
      }
      if (cursors.pass()) return 'more';
    }
    return run.flush();
  }

  /** The content that replaces all contents at the lowest address. */
  #content(): CellContent {
    const { first, count } = this.#cursors;
    const newest = this.#contentOf(first[0]!);
    if (!(newest instanceof Operand)) return newest;
    const operands = [newest];
    let content: CellContent = this.#bottom ? absent : undefined;
    let based = this.#bottom;
    for (let i = 1; i < count; i++) {
      const older = this.#contentOf(first[i]!);
      if (older instanceof Operand) operands.push(older);
      else {
        content = older;
        based = true;
        break;
      }
    }
    if (!based) content = operands.pop();
    for (let operand = operands.pop(); operand !== undefined; operand = operands.pop())
      content = this.#fold(content, operand);
    return content;
  }

  #unexpired(content: CellContent): CellContent {
    if (content === absent) return absent;
    const { states, block, at } = this.#cursors.first[0]!;
    const state = this.#states[states![block!.states[at]!]!]!;
    return state.unexpired === undefined ? content : state.unexpired(content);
  }

  #fold(older: CellContent, operand: Operand): CellContent {
    const { reader, states, block, at } = this.#cursors.first[0]!;
    const state = this.#states[states![block!.states[at]!]!]!;
    if (state.fold === undefined)
      throw corrupt(reader.ref.object, 'it has an operand of a state that has none');
    return state.fold(older, operand);
  }

  #contentOf({ block, at, states, reader }: Cursor): CellContent {
    const content = block!.contents[at];
    if (content === absent) return absent;
    const stored = block!.states[at]!;
    const { version } = reader.footer.schema.states[stored]!.serializer;
    return this.#states[states![stored]!]!.convert(content, version);
  }
}
