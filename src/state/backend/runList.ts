import type { CheckpointData } from '../../store/services.js';
import { SegmentReader } from '../segment/reader.js';
import type { SegmentRef } from '../segment/segmentObject.js';
import type { Run } from './snapshot.js';

/** The runs of one operator, oldest first: the next ack refers to them. */
export class RunList {
  readonly #data: CheckpointData;
  #runs: readonly Run[] = [];

  constructor(data: CheckpointData) {
    this.#data = data;
  }

  get all(): readonly Run[] {
    return this.#runs;
  }

  get segments(): readonly SegmentRef[] {
    return this.#runs.flatMap(({ segments }) => segments);
  }

  restore(runs: readonly Run[]): void {
    this.#runs = runs;
  }

  add(run: Run): void {
    this.#runs = [...this.#runs, run];
  }

  /** Puts what they were merged to in the place of neighbours. */
  replace(neighbours: readonly Run[], merged: Run): void {
    const at = this.#runs.findIndex((each) => each === neighbours[0]);
    this.#runs = this.#runs.toSpliced(
      at,
      neighbours.length,
      ...(merged.segments.length === 0 ? [] : [merged]),
    );
  }

  readers({ segments, keyGroups }: Run): readonly SegmentReader[] {
    return segments.map((ref) => new SegmentReader(this.#data, ref, keyGroups));
  }
}
