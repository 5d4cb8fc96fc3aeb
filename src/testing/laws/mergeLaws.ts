import type { Observable } from 'rxjs';
import { isSignal } from '../../flow/index.js';
import type { LawElement } from './inputs.js';
import { runInputs, type LawRun, type RunOptions, type Services } from './run.js';
import { checkCredits, checkWatermarks } from './minimums.js';
import { broken, isKind, show } from './output.js';
import { mergeSources, type MergeInput, type MergeRecord } from './mergeInputs.js';

export interface MergeLawOptions {
  /** The services of the attempt; created for each run. */
  readonly services?: () => Services;
}

type Elements = readonly LawElement<MergeRecord>[];

/**
 * Checks the law of split and merge for one operator that merges two flows. Use it with inputs from {@link
 * mergeInputs}. The merge must pass records on unchanged.
 *
 * - `Open` is emitted once, with the sources of both; each `Barrier` once, when it has arrived at both inputs; `End`
 *   with the last. A completed input counts as aligned.
 * - No record overtakes a barrier. All are emitted once, in the order of their input, even if an attempt is restored
 *   at a barrier.
 * - `Watermark` is the minimum over the inputs that are neither idle nor over: it never overtakes a record, lags, or
 *   decreases. It is idle if all of them are.
 * - `Credit` of a source is the minimum over the inputs that carry the source: it never overtakes a record, and none
 *   is withheld.
 * - After an unsubscribe nothing is emitted, no timer is left, and both inputs are unsubscribed.
 *
 * @example
 * ```ts
 * fc.assert(fc.property(mergeInputs(fc), (input) => checkMergeLaws((left, right) => mergeFlows(left, right), input)));
 * ```
 */
export function checkMergeLaws(
  merge: (left: Observable<never>, right: Observable<never>) => Observable<unknown>,
  input: MergeInput,
  options: MergeLawOptions = {},
): void {
  const { elements, unsubscribeAfter } = input;
  const run = (some: Elements, more: RunOptions = {}): LawRun =>
    runInputs(
      ([left, right]) => merge(left as Observable<never>, right as Observable<never>),
      mergeSources,
      some,
      { ...options, ...more },
    );
  const whole = run(elements);
  const inputs = mergeSources.map((_, index) => elements.filter((each) => (each.input ?? 0) === index));
  checkSignals(whole, inputs);
  checkRecords(whole, inputs);
  checkWatermarks(whole, inputs);
  checkCredits(whole, inputs);
  for (const checkpoint of whole.manifests.keys()) {
    const rest = run(after(elements, checkpoint), {
      shared: whole.services,
      restored: whole.manifests.get(checkpoint) ?? new Map(),
      epoch: 2,
      after: checkpoint,
    });
    inputs.forEach((some, index) => {
      const resumed = [...recordsOf(upTo(whole.output, checkpoint), index), ...recordsOf(rest.output, index)];
      if (resumed.join() !== given(some).join())
        throw broken(
          'merging',
          `restored at barrier ${checkpoint}: of input ${index} came out ${resumed.join()}`,
        );
    });
  }
  if (unsubscribeAfter < elements.length) checkTeardown(run(elements, { unsubscribeAfter }));
}

const given = (elements: Elements): number[] =>
  elements.flatMap((each) => (each.kind === 'record' ? each.value.n : []));

const recordsOf = (output: readonly unknown[], input: number): number[] =>
  output.flatMap((each) =>
    isSignal(each) || (each as MergeRecord).input !== input ? [] : (each as MergeRecord).n,
  );

function upTo(output: readonly unknown[], checkpoint: number): readonly unknown[] {
  return output.slice(
    0,
    output.findIndex((each) => isKind(each, 'barrier') && each.checkpoint === checkpoint),
  );
}

/** The input of an attempt restored at `checkpoint`. An input that was over ends immediately. */
function after(elements: Elements, checkpoint: number): Elements {
  const before: LawElement<MergeRecord>[] = [];
  const rest: LawElement<MergeRecord>[] = [];
  const brought = mergeSources.map(() => 0);
  for (const each of elements) {
    const input = each.input ?? 0;
    const passed = (brought[input] ?? 0) >= checkpoint || each.kind === 'complete';
    if (each.kind === 'barrier') brought[input] = (brought[input] ?? 0) + 1;
    if (passed) rest.push(each);
    else if (each.kind === 'end') before.push(each);
  }
  return [...before, ...rest];
}

function checkSignals({ output, completed }: LawRun, inputs: readonly Elements[]): void {
  const error = output.find((each) => each instanceof Error);
  if (error !== undefined) throw broken('merging', `error ${error.message}`);
  const barriers = Math.max(...inputs.map((each) => each.filter(({ kind }) => kind === 'barrier').length));
  const ends = inputs.map((each) => each.findIndex(({ kind }) => kind === 'end'));
  const beforeEnd = inputs.map(
    (each, index) => each.slice(0, ends[index]).filter(({ kind }) => kind === 'barrier').length,
  );
  const expected = ['open', ...Array.from({ length: barriers }, (_, index) => `barrier ${index + 1}`)];
  if (ends.every((each) => each >= 0)) expected.splice(1 + Math.max(...beforeEnd), 0, 'end');
  const actual = output
    .filter((each) => isKind(each, 'open') || isKind(each, 'barrier') || isKind(each, 'end'))
    .map(show);
  if (actual.join() !== expected.join())
    throw broken('merging', `expected the signals ${expected.join()}; out came ${actual.join()}`);
  const sources = output.flatMap((each) => (isKind(each, 'open') ? each.sources : []));
  if ([...sources].sort().join() !== mergeSources.flat().sort().join())
    throw broken('merging', `open has the sources ${sources.join()}`);
  const over = inputs.every((each) => each.some(({ kind }) => kind === 'complete'));
  if (completed !== over)
    throw broken(
      'merging',
      `${over ? 'both inputs completed' : 'an input is not over'}, and the merge ${completed ? 'completed' : 'did not'}`,
    );
}

function checkRecords({ output }: LawRun, inputs: readonly Elements[]): void {
  inputs.forEach((elements, input) => {
    const out = recordsOf(output, input);
    if (out.join() !== given(elements).join())
      throw broken('merging', `input ${input} brought ${given(elements).join()}; out came ${out.join()}`);
    let barriers = 0;
    for (const each of elements) {
      if (each.kind === 'barrier') {
        barriers++;
        const early = recordsOf(upTo(output, barriers), input);
        const before = given(elements.slice(0, elements.indexOf(each)));
        if (early.length > before.length)
          throw broken(
            'merging',
            `barrier ${barriers} was overtaken by ${early.slice(before.length).join()} of input ${input}`,
          );
      }
    }
  });
  const end = output.findIndex((each) => isKind(each, 'end'));
  if (end >= 0 && output.slice(end).some((each) => !isSignal(each)))
    throw broken('merging', 'records came after the end');
}

function checkTeardown({ output, unsubscribed }: LawRun): void {
  if (output.length !== unsubscribed.output)
    throw broken('merging', 'something came out after the unsubscribe');
  if (unsubscribed.timers > 0) throw broken('merging', 'a timer was left after the unsubscribe');
  if (unsubscribed.inputs > 0)
    throw broken('merging', 'an input was still subscribed to after the unsubscribe');
}
