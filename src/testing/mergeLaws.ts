import type { Observable } from 'rxjs';
import { isSignal, signal, type Signal } from '../flow/index.js';
import type { LawElement } from './lawInputs.js';
import { runInputs, type LawRun, type RunOptions, type Services } from './lawRun.js';
import { mergeSources, type MergeInput, type MergeRecord } from './mergeInputs.js';

export { mergeInputs, type MergeInput, type MergeRecord } from './mergeInputs.js';

export interface MergeLawOptions {
  /** What `Open` gives the operator; made anew for each run. */
  readonly services?: () => Services;
}

type Merge = (left: Observable<never>, right: Observable<never>) => Observable<unknown>;
type Elements = readonly LawElement<MergeRecord>[];

/**
 * The law of split and merge as checks of one operator that merges two flows. Feed them inputs of {@link mergeInputs}. The merge
 * passes records on as they are.
 *
 * - `Open` comes out once, with the sources of both; each `Barrier` once, when both inputs have brought it; `End` with the last.
 *   An input that has completed counts as aligned.
 * - No record comes out before a barrier that it came after. All come out once, in the order of their input, also where an attempt is
 *   restored at a barrier.
 * - `Watermark` is the minimum over the inputs that are neither idle nor over: none overtakes a record, none lags, none falls.
 *   It is idle when all of them are.
 * - `Credit` of a source is the minimum over the inputs that bring the source: none overtakes a record, none is withheld.
 * - After an unsubscribe nothing comes out, no timer is left, and neither input is subscribed to.
 *
 * @example
 * ```ts
 * fc.assert(fc.property(mergeInputs(fc), (input) => checkMergeLaws((left, right) => mergeFlows(left, right), input)));
 * ```
 */
export function checkMergeLaws(merge: Merge, input: MergeInput, options: MergeLawOptions = {}): void {
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
        throw broken(`restored at barrier ${checkpoint}: of input ${index} came out ${resumed.join()}`);
    });
  }
  if (unsubscribeAfter < elements.length) checkTeardown(run(elements, { unsubscribeAfter }));
}

function broken(detail: string): Error {
  return new Error(`Law of merging broken: ${detail}`);
}

const isKind = <K extends Signal[typeof signal]>(
  value: unknown,
  kind: K,
): value is Extract<Signal, { [signal]: K }> => isSignal(value) && value[signal] === kind;

const show = (value: unknown): string =>
  isKind(value, 'barrier') ? `barrier ${value.checkpoint}` : (value as Signal)[signal];

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

/** What an attempt gets that is restored at `checkpoint`: an input that was over is over at once. */
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
  if (error !== undefined) throw broken(`error ${error.message}`);
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
    throw broken(`expected the signals ${expected.join()}; out came ${actual.join()}`);
  const sources = output.flatMap((each) => (isKind(each, 'open') ? each.sources : []));
  if ([...sources].sort().join() !== mergeSources.flat().sort().join())
    throw broken(`open has the sources ${sources.join()}`);
  const over = inputs.every((each) => each.some(({ kind }) => kind === 'complete'));
  if (completed !== over)
    throw broken(
      `${over ? 'both inputs completed' : 'an input is not over'}, and the merge ${completed ? 'completed' : 'did not'}`,
    );
}

function checkRecords({ output }: LawRun, inputs: readonly Elements[]): void {
  inputs.forEach((elements, input) => {
    const out = recordsOf(output, input);
    if (out.join() !== given(elements).join())
      throw broken(`input ${input} brought ${given(elements).join()}; out came ${out.join()}`);
    let barriers = 0;
    for (const each of elements) {
      if (each.kind === 'barrier') {
        barriers++;
        const early = recordsOf(upTo(output, barriers), input);
        const before = given(elements.slice(0, elements.indexOf(each)));
        if (early.length > before.length)
          throw broken(
            `barrier ${barriers} was overtaken by ${early.slice(before.length).join()} of input ${input}`,
          );
      }
    }
  });
  const end = output.findIndex((each) => isKind(each, 'end'));
  if (end >= 0 && output.slice(end).some((each) => !isSignal(each)))
    throw broken('records came after the end');
}

interface EventTime {
  time: number;
  idle: boolean;
}

const unset: EventTime = { time: -Infinity, idle: false };

function checkWatermarks({ output }: LawRun, inputs: readonly Elements[]): void {
  // Of each record, the event time that its input had reached. After it was idle, others need not wait for it.
  const reached = inputs.map((elements) => {
    const at = new Map<number, EventTime>();
    const now = { ...unset };
    for (const each of elements) {
      if (each.kind === 'record') at.set(each.value.n, { ...now });
      else if (each.kind === 'watermark') {
        now.time = Math.max(0, now.time) + (each.rise ?? 1);
        now.idle ||= each.idle === true;
      }
    }
    return at;
  });
  let last = unset;
  for (const each of output) {
    if (isKind(each, 'watermark')) {
      if (each.time < last.time) throw broken(`watermark ${each.time} came after ${last.time}`);
      last = each;
    } else if (!isSignal(each)) {
      const { input, n } = each as MergeRecord;
      const { time, idle } = reached[input]?.get(n) ?? unset;
      if (last.time > time && !idle)
        throw broken(`watermark ${last.time} overtook record ${n} of input ${input}, which was at ${time}`);
    }
  }
  const live = inputs.filter((elements) => !elements.some(({ kind }) => kind === 'end'));
  const times = live.map((elements) => {
    let time = -Infinity;
    let idle = false;
    for (const each of elements) {
      if (each.kind !== 'watermark') continue;
      time = Math.max(0, time) + (each.rise ?? 1);
      idle = each.idle === true;
    }
    return { time, idle };
  });
  const active = times.filter(({ idle }) => !idle);
  const least = Math.min(...active.map(({ time }) => time));
  if (active.length > 0 && last.time < least)
    throw broken(`the inputs that are not idle are at watermark ${least}; out came ${last.time}`);
  const idle = live.length > 0 && active.length === 0;
  if (live.length > 0 && last.idle !== idle)
    throw broken(
      `${idle ? 'all inputs are' : 'not all inputs are'} idle, and the last watermark says otherwise`,
    );
}

function checkCredits({ output }: LawRun, inputs: readonly Elements[]): void {
  for (const source of new Set(mergeSources.flat())) {
    const bringing = mergeSources.flatMap((sources, input) =>
      (sources as readonly string[]).includes(source) ? input : [],
    );
    // For each input, the records that come before each byte of credit.
    const before = bringing.map((input) => {
      const at: number[] = [];
      let records = 0;
      for (const each of inputs[input] ?? []) {
        if (each.kind === 'record') records++;
        else if (each.kind === 'credit' && (each.source ?? mergeSources[input]?.[0]) === source)
          at.push(records);
      }
      const over = inputs[input]?.some(({ kind }) => kind === 'complete') === true;
      return { input, at, records, over };
    });
    let last = 0;
    const seen = new Map<number, number>();
    for (const each of output) {
      if (!isSignal(each)) {
        const { input } = each as MergeRecord;
        seen.set(input, (seen.get(input) ?? 0) + 1);
      } else if (isKind(each, 'credit') && each.source === source) {
        last = Math.max(last, each.bytes);
        for (const { input, at, records, over } of before) {
          const due = at[each.bytes - 1] ?? (over ? records : Infinity);
          if ((seen.get(input) ?? 0) < due)
            throw broken(`credit ${each.bytes} of '${source}' came before input ${input} had brought it`);
        }
      }
    }
    const waited = before.filter(({ over }) => !over);
    const least = Math.min(...waited.map(({ at }) => at.length));
    if (waited.length > 0 && last < least)
      throw broken(`both inputs have brought credit ${least} of '${source}'; out came ${last}`);
  }
}

function checkTeardown({ output, unsubscribed }: LawRun): void {
  if (output.length !== unsubscribed.output) throw broken('something came out after the unsubscribe');
  if (unsubscribed.timers > 0) throw broken('a timer was left after the unsubscribe');
  if (unsubscribed.inputs > 0) throw broken('an input was still subscribed to after the unsubscribe');
}
