import type { Subscription } from 'rxjs';
import type { Clock } from '../../flow/index.js';
import type { KeyGroupRange } from '../keys/keyGroups.js';
import { planCompaction } from '../runs/compaction.js';
import { SegmentMerge } from '../runs/merge.js';
import type { RunWriter } from '../runs/runWriter.js';
import { slicedRun } from '../runs/segmentRun.js';
import type { Step } from '../slices.js';
import type { LiveState } from '../state.js';
import type { StateEvent } from './events.js';
import type { RunList } from './runList.js';
import { bytesOf, type Run } from './snapshot.js';
import type { StateIds } from './stateIds.js';

export interface CompactorOptions {
  readonly operator: string;
  readonly clock: Clock;
  readonly report: (event: StateEvent) => void;
  readonly keyGroups: KeyGroupRange;
  readonly trigger: number;
  readonly runs: RunList;
  readonly writer: () => RunWriter;
  /** Those of now: a restore changes their order. */
  readonly current: () => { readonly ids: StateIds; readonly states: readonly LiveState<unknown>[] };
}

/** Merges runs in the background, one merge at a time: steps 5 and 6 of `backend.ts`. */
export class Compactor {
  readonly #options: CompactorOptions;
  #merging: Subscription | undefined;
  #resting = false;
  #closed = false;

  constructor(options: CompactorOptions) {
    this.#options = options;
  }

  /** Merges nothing more. A merge in progress stops at its next step. */
  rest(): void {
    this.#resting = true;
  }

  /** Does some work: immediately, unless it rests and a merge has not stopped yet. */
  settled(work: () => void): void {
    if (!this.#resting || this.#merging === undefined) work();
    else
      this.#merging.add(() => {
        if (!this.#closed) this.settled(work);
      });
  }

  /** Begins a merge, if there are runs enough for one. */
  compact(): void {
    const { runs, trigger, writer, current, operator, clock, report } = this.#options;
    const plan = planCompaction(runs.all.map(bytesOf), trigger);
    if (plan === undefined || this.#merging !== undefined || this.#resting || this.#closed) return;
    const neighbours = runs.all.slice(plan.first, plan.end);
    const inputs = neighbours.map((each) => runs.readers(each));
    const run = writer();
    const merge = new SegmentMerge({
      inputs,
      run,
      bottom: plan.first === 0,
      states: current().states,
      resolve: ({ ref, footer }) => current().ids.resolve(ref.object, footer.schema),
    });
    const step = (): Step => (this.#resting && !run.finished ? 'done' : merge.step());
    this.#merging = slicedRun(clock, step, run).subscribe({
      complete: () => {
        this.#merging = undefined;
        if (!run.finished) return;
        const { refs, written } = run;
        const merged: Run = { keyGroups: this.#options.keyGroups, segments: refs };
        runs.replace(neighbours, merged);
        const readers = inputs.flat();
        report({
          type: 'segments-compacted',
          operator,
          objects: refs.map(({ object }) => object),
          inputs: readers.length,
          entries: sum(refs, ({ cells }) => cells),
          bytesRead: sum(neighbours, bytesOf),
          bytes: bytesOf(merged),
          requests: sum(written, ({ requests }) => requests) + sum(readers, ({ requests }) => requests),
        });
        this.compact();
      },
      error: (error: unknown) => {
        this.#merging = undefined;
        report({ type: 'compaction-failed', operator, inputs: inputs.flat().length, error });
      },
    });
  }

  close(): void {
    this.#closed = true;
    this.#merging?.unsubscribe();
  }
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
