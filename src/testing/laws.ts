import type { OperatorFunction } from 'rxjs';
import { isSignal, signal, type Signal } from '../flow/index.js';
import type { LawElement, LawInput } from './lawInputs.js';
import { runInput, type LawOptions, type LawRun } from './lawRun.js';

/**
 * The laws of flows as checks of one operator on one input. Feed them inputs from a property-based testing library;
 * a broken law is an `Error` that says which law, and where.
 *
 * - **Order**: `Open`, `Barrier` and `End` come out once each, in order. `Watermark` and `Credit` do not overtake records, and
 *   the last credit comes out.
 * - **Hold**: what is before a barrier depends on nothing after it.
 * - **Snapshot**: every barrier is acked once by every participant, and what the user does to a record afterwards
 *   changes nothing that was kept of it.
 * - **Restore**: output up to a cut plus the output of an attempt restored there is the output of an uninterrupted run,
 *   also where the first attempt went on for a while after the cut.
 * - **Publishing**, for sinks that give {@link LawOptions.published}: at the end of the input each record has been published
 *   once, in order, whatever attempt did it; before, none twice. An attempt may die between a checkpoint and its commit, or
 *   between the commit and the next checkpoint.
 * - **Teardown**: after an unsubscribe nothing more comes out, and no timer is left.
 *
 * @example
 * ```ts
 * fc.assert(fc.property(lawInputs(fc, fc.nat()), (input) => checkLaws(() => records(map((n: number) => n + 1)), input)));
 * ```
 */
export function checkLaws<A>(
  operator: () => OperatorFunction<never, unknown>,
  input: LawInput<A>,
  options: LawOptions = {},
): void {
  const { elements } = input;
  const whole = runInput(operator, elements, options);
  checkSignals(whole, elements);
  checkAcks(whole, elements);
  checkMutation(whole, runInput(operator, elements, { ...options, mutate: () => undefined }));
  checkPublished(whole, elements, options, 'an uninterrupted run');
  elements.forEach(({ kind }, index) => {
    if (kind === 'barrier') checkCut(operator, elements, index, whole, options);
    else if (kind === 'watermark' || kind === 'credit')
      checkOvertaking(operator, elements.slice(0, index + 1), kind, options);
  });
  checkTeardown(operator, input, options);
}

function broken(law: string, detail: string): Error {
  return new Error(`Law of ${law} broken: ${detail}`);
}

const isKind = (value: unknown, ...kinds: readonly Signal[typeof signal][]): boolean =>
  isSignal(value) && kinds.includes(value[signal]);

const show = (value: unknown): string => {
  if (value instanceof Error) return `error ${value.message}`;
  if (!isSignal(value)) return JSON.stringify(value);
  return value[signal] === 'barrier' ? `barrier ${value.checkpoint}` : value[signal];
};

const records = (output: readonly unknown[]): string[] => output.filter((each) => !isSignal(each)).map(show);

function checkSignals<A>({ output }: LawRun, elements: readonly LawElement<A>[]): void {
  let barriers = 0;
  const expected = ['open'];
  for (const { kind } of elements) {
    if (kind === 'barrier') expected.push(`barrier ${++barriers}`);
    else if (kind === 'end') expected.push('end');
  }
  const actual = output.filter((each) => isKind(each, 'open', 'barrier', 'end')).map(show);
  if (actual.join() !== expected.join())
    throw broken('order', `signals in: ${expected.join()}; out: ${actual.join()}`);

  const given = elements.filter(({ kind }) => kind === 'credit').length;
  const passed = output.flatMap((each) => (isSignal(each) && each[signal] === 'credit' ? each.bytes : []));
  if (Math.max(0, ...passed) !== given)
    throw broken('order', `credit up to ${given} went in; out came ${passed.join() || 'none'}`);
}

/** In a run that ends with a signal, every record went in before it. */
function checkOvertaking<A>(
  operator: () => OperatorFunction<never, unknown>,
  elements: readonly LawElement<A>[],
  kind: 'watermark' | 'credit',
  options: LawOptions,
): void {
  const { output } = runInput(operator, elements, options);
  const last = elements.filter((element) => element.kind === kind).length;
  const at = output.findIndex(
    (each) =>
      isSignal(each) &&
      ((each[signal] === 'watermark' && kind === 'watermark' && each.time >= last) ||
        (each[signal] === 'credit' && kind === 'credit' && each.bytes >= last)),
  );
  const late = at < 0 ? [] : records(output.slice(at));
  if (late.length > 0)
    throw broken('order', `${kind} ${last} came out before records that went in before it: ${late.join()}`);
}

function checkAcks<A>({ attempt }: LawRun, elements: readonly LawElement<A>[]): void {
  const count = elements.filter(({ kind }) => kind === 'barrier').length;
  for (const id of attempt.participants.keys()) {
    for (let checkpoint = 1; checkpoint <= count; checkpoint++) {
      const acks = attempt.trace.filter(
        (each) => each.type === 'ack' && each.id === id && each.checkpoint === checkpoint,
      );
      if (acks.length !== 1)
        throw broken('snapshot', `'${id}' acked checkpoint ${checkpoint} ${acks.length} times`);
    }
  }
}

function checkMutation(mutated: LawRun, untouched: LawRun): void {
  const [got, expected] = [mutated, untouched].map(({ output }) => records(output).join());
  if (got !== expected)
    throw broken(
      'snapshot',
      `a record that was changed after it was handled changed the output ${expected} to ${got}`,
    );
}

function checkCut<A>(
  operator: () => OperatorFunction<never, unknown>,
  elements: readonly LawElement<A>[],
  index: number,
  whole: LawRun,
  options: LawOptions,
): void {
  const upTo = elements.slice(0, index + 1);
  const checkpoint = upTo.filter(({ kind }) => kind === 'barrier').length;
  const at = whole.output.findIndex(
    (each) => isSignal(each) && each[signal] === 'barrier' && each.checkpoint === checkpoint,
  );
  const before = records(whole.output.slice(0, at));
  const head = runInput(operator, upTo, options);
  if (records(head.output).join() !== before.join()) {
    throw broken(
      'hold',
      `before barrier ${checkpoint}: ${before.join()}; without what follows it: ${records(head.output).join()}`,
    );
  }
  // One that died at the cut, and one that went on.
  const dead = runInput(operator, elements, { ...options, diesAt: checkpoint });
  for (const { manifests, services } of [head, dead]) {
    const tail = runInput(operator, elements.slice(index + 1), {
      ...options,
      shared: services,
      restored: manifests.get(checkpoint) ?? new Map(),
      epoch: 2,
      after: checkpoint,
    });
    const resumed = [...before, ...records(tail.output)];
    if (resumed.join() !== records(whole.output).join()) {
      throw broken(
        'restore',
        `uninterrupted: ${records(whole.output).join()}; restored at barrier ${checkpoint}: ${resumed.join()}`,
      );
    }
    checkPublished(tail, elements, options, `a run restored at barrier ${checkpoint}`);
  }
}

function checkPublished<A>(
  run: LawRun,
  elements: readonly LawElement<A>[],
  { published }: LawOptions,
  what: string,
): void {
  if (published === undefined) return;
  const given = elements.flatMap((element) => (element.kind === 'record' ? show(element.value) : []));
  const partitions = published(run.services).map((partition) => partition.map(show));
  const ended = elements.some(({ kind }) => kind === 'end');
  const fits = partitions.every((partition) => isSubsequence(partition, given));
  const all = partitions.flat();
  const right = ended ? isSame(all, given) : isPart(all, given);
  if (!fits || !right)
    throw broken('publishing', `in ${what}, given ${given.join()}; published ${JSON.stringify(partitions)}`);
}

function isSubsequence(part: readonly string[], whole: readonly string[]): boolean {
  let at = 0;
  return part.every((each) => {
    const found = whole.indexOf(each, at);
    at = found + 1;
    return found >= 0;
  });
}

/** As multisets. */
function isPart(part: readonly string[], whole: readonly string[]): boolean {
  const left = [...whole];
  return part.every((each) => {
    const found = left.indexOf(each);
    if (found >= 0) left.splice(found, 1);
    return found >= 0;
  });
}

const isSame = (a: readonly string[], b: readonly string[]): boolean => a.length === b.length && isPart(a, b);

function checkTeardown<A>(
  operator: () => OperatorFunction<never, unknown>,
  input: LawInput<A>,
  options: LawOptions,
): void {
  const { unsubscribeAfter } = input;
  if (unsubscribeAfter >= input.elements.length) return;
  const run = runInput(operator, input.elements, { ...options, unsubscribeAfter });
  if (run.output.length !== run.unsubscribed.output)
    throw broken('teardown', 'something came out after the unsubscribe');
  if (run.unsubscribed.timers > 0) throw broken('teardown', 'a timer was left behind');
}
