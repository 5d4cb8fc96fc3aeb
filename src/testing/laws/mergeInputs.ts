import type { Arbitrary, default as FastCheck } from 'fast-check';
import type { LawElement } from './inputs.js';

/** A record of {@link mergeInputs}: the `n`-th record of input 0 or 1. */
export interface MergeRecord {
  readonly input: number;
  readonly n: number;
}

/** The elements of both inputs, in the order in which they arrive. */
export interface MergeInput {
  readonly elements: readonly LawElement<MergeRecord>[];
  /** Number of elements after which the teardown check unsubscribes. */
  readonly unsubscribeAfter: number;
}

/** The sources of each input. A branch of `shared` is in both, as after a `share()`. */
export const mergeSources = [
  ['left', 'shared'],
  ['right', 'shared'],
] as const;

interface Raw {
  readonly wait: number;
  readonly input: number;
  readonly kind: LawElement<never>['kind'];
  readonly rise: number;
  readonly idle: boolean;
  readonly shared: boolean;
}

/**
 * Inputs for `checkMergeLaws`: two flows as in a job. Either may end first; only barriers or the completion follow.
 *
 * @param fc the `fast-check` module
 */
export function mergeInputs(fc: typeof FastCheck): Arbitrary<MergeInput> {
  const raw: Arbitrary<Raw> = fc.record({
    wait: fc.nat({ max: 2 }),
    input: fc.nat({ max: 1 }),
    kind: fc.oneof(
      { weight: 5, arbitrary: fc.constant('record' as const) },
      { weight: 2, arbitrary: fc.constantFrom('barrier' as const, 'watermark' as const, 'credit' as const) },
      { weight: 1, arbitrary: fc.constantFrom('end' as const, 'complete' as const) },
    ),
    rise: fc.nat({ max: 3 }),
    idle: fc.boolean(),
    shared: fc.boolean(),
  });
  return fc
    .tuple(fc.array(raw, { maxLength: 25 }), fc.nat({ max: 25 }))
    .map(([raws, unsubscribeAfter]) => ({ elements: jobLike(raws), unsubscribeAfter }));
}

/** Drops sequences that a job never produces, and ends both inputs at the same barrier. */
function jobLike(raws: readonly Raw[]): LawElement<MergeRecord>[] {
  const inputs = mergeSources.map(() => ({ records: 0, barriers: 0, ended: false, completed: false }));
  const elements: LawElement<MergeRecord>[] = [];
  const barrier = (input: number): void => {
    (inputs[input] as { barriers: number }).barriers++;
    elements.push({ wait: 1, input, kind: 'barrier' });
  };
  for (const { wait, input, kind, rise, idle, shared } of raws) {
    const state = inputs[input] as (typeof inputs)[number];
    if (state.completed) continue;
    if (kind === 'complete') {
      if (!state.ended) continue;
      state.completed = true;
      elements.push({ wait, input, kind });
    } else if (kind === 'barrier') {
      if (!inputs.every(({ ended }) => ended)) barrier(input);
    } else if (state.ended) {
      // Only barriers follow an End.
    } else if (kind === 'end') {
      state.ended = true;
      elements.push({ wait, input, kind });
    } else if (kind === 'record') {
      elements.push({ wait, input, kind, value: { input, n: ++state.records } });
    } else if (kind === 'watermark') elements.push({ wait, input, kind, rise, idle });
    else elements.push({ wait, input, kind, ...(shared && { source: 'shared' }) });
  }
  const last = Math.max(...inputs.map(({ barriers }) => barriers));
  const target = inputs.every(({ ended }) => ended) ? last + 1 : last;
  inputs.forEach((state, input) => {
    while (!state.completed && state.barriers < target) barrier(input);
  });
  return elements;
}
