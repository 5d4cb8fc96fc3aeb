import type { OperatorFunction } from 'rxjs';
import { isSignal, signal } from '../../flow/index.js';
import type { LawElement, LawInput } from './inputs.js';
import { broken, records } from './output.js';
import { checkPublished } from './publishing.js';
import { runInput, type LawOptions, type LawRun } from './run.js';
import { checkOvertaking, checkSignals } from './signals.js';
import { checkStuck } from './stuck.js';

/**
 * Checks the laws of flows for one operator and one input. Use it with inputs from a property-based testing library.
 * Throws an `Error` that names the broken law, and where.
 *
 * - **Order**: `Open`, `Barrier` and `End` are emitted once each, in order. `Watermark` and `Credit` do not overtake
 *   records, and the last credit is emitted. Watermarks never decrease, and the last one is idle if the input is.
 * - **Hold**: output before a barrier does not depend on input after it.
 * - **Snapshot**: every participant acks every barrier once. Later changes to a record by the user do not change what
 *   was kept of it, and what was acked does not change.
 * - **Restore**: output up to a cut plus the output of an attempt restored there equals the output of an
 *   uninterrupted run, even if the first attempt continued for a while after the cut.
 * - **Publishing**, for sinks with {@link LawOptions.published}: at the end of the input each record has been
 *   published once, in order, across attempts; before the end, none twice. An attempt may die between a checkpoint
 *   and its commit, or between the commit and the next checkpoint.
 * - **Teardown**: after an unsubscribe nothing is emitted, the input is unsubscribed, and no timer or request is left.
 * - **Memory**, for operators with {@link LawOptions.stuck}: while no request is answered, credit is released for at
 *   most a budget of records.
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
  checkSignals(whole, elements, options);
  checkAcks(whole, elements);
  checkMutation(whole, runInput(operator, elements, { ...options, mutate: () => undefined }));
  checkPublished(whole, elements, options, 'an uninterrupted run');
  elements.forEach(({ kind }, index) => {
    if (kind === 'barrier') checkCut(operator, elements, index, whole, options);
    else if (kind === 'credit' || (kind === 'watermark' && options.replacesWatermarks !== true))
      checkOvertaking(operator, elements.slice(0, index + 1), kind, options);
  });
  checkTeardown(operator, input, options);
  checkStuck(operator, input, options);
}

function checkAcks<A>({ attempt, acked }: LawRun, elements: readonly LawElement<A>[]): void {
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
  for (const { id, checkpoint, then, frozen } of acked) {
    const now = JSON.stringify(frozen);
    if (now !== then)
      throw broken(
        'snapshot',
        `what '${id}' acked at checkpoint ${checkpoint} was ${then}, and turned to ${now}`,
      );
  }
}

function checkMutation(mutated: LawRun, untouched: LawRun): void {
  const [got, expected] = [mutated, untouched].map(({ output, acked }) =>
    [...records(output), ...acked.map(({ then }) => then)].join(),
  );
  if (got !== expected)
    throw broken(
      'snapshot',
      `a record that was changed after it was handled changed what came out and was acked from ${expected} to ${got}`,
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
  // One attempt that died at the cut, and one that continued.
  const dead = runInput(operator, elements, { ...options, diesAt: checkpoint });
  for (const { manifests, services } of [head, dead]) {
    const tail = runInput(operator, elements.slice(index + 1), {
      ...options,
      shared: services,
      restored: manifests.get(checkpoint) ?? new Map(),
      epoch: 2,
      after: checkpoint,
      time: upTo.reduce((time, each) => (each.kind === 'watermark' ? time + (each.rise ?? 1) : time), 0),
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
  if (run.unsubscribed.inputs > 0) throw broken('teardown', 'the input was still subscribed to');
  if (run.unsubscribed.timers > 0) throw broken('teardown', 'a timer was left');
}
