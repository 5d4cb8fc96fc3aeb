import type { OperatorFunction } from 'rxjs';
import { isSignal, signal, type Credit } from '../../flow/index.js';
import type { LawElement } from './inputs.js';
import { broken, isKind, records, show } from './output.js';
import { lawSource, runInput, type LawOptions, type LawRun } from './run.js';

export function checkSignals<A>(
  { output }: LawRun,
  elements: readonly LawElement<A>[],
  { replacesWatermarks = false }: LawOptions = {},
): void {
  let barriers = 0;
  const expected = ['open'];
  for (const { kind } of elements) {
    if (kind === 'barrier') expected.push(`barrier ${++barriers}`);
    else if (kind === 'end') expected.push('end');
  }
  const actual = output
    .filter((each) => isKind(each, 'open') || isKind(each, 'barrier') || isKind(each, 'end'))
    .map(show);
  if (actual.join() !== expected.join())
    throw broken('order', `signals in: ${expected.join()}; out: ${actual.join()}`);

  const end = output.findIndex((each) => isKind(each, 'end'));
  const late = end < 0 ? [] : records(output.slice(end));
  if (late.length > 0) throw broken('hold', `after the end came ${late.join()}`);

  const given = elements.filter(({ kind }) => kind === 'credit').length;
  const passed = output.flatMap((each) => (isCredit(each) ? each.bytes : []));
  if (Math.max(0, ...passed) !== given)
    throw broken('order', `credit up to ${given} went in; out came ${passed.join() || 'none'}`);
  checkEventTime(output, replacesWatermarks ? [] : elements);
}

function checkEventTime<A>(output: readonly unknown[], elements: readonly LawElement<A>[]): void {
  const times = output.flatMap((each) => (isSignal(each) && each[signal] === 'watermark' ? each : []));
  times.forEach(({ time }, index) => {
    const before = times[index - 1]?.time ?? -Infinity;
    if (time < before) throw broken('order', `watermark ${time} came out after ${before}`);
  });
  const last = elements.findLast((each) => each.kind === 'watermark');
  if (last === undefined || times.length === 0) return;
  if (times.at(-1)?.idle !== (last.idle ?? false))
    throw broken(
      'order',
      `the input is ${last.idle === true ? '' : 'not '}idle, and the last watermark says otherwise`,
    );
}

/** Runs `elements`, which end with a signal: all records must be emitted before it. */
export function checkOvertaking<A>(
  operator: () => OperatorFunction<never, unknown>,
  elements: readonly LawElement<A>[],
  kind: 'watermark' | 'credit',
  options: LawOptions,
): void {
  const { output } = runInput(operator, elements, options);
  const last = elements.filter((element) => element.kind === kind).length;
  const at = output.findIndex(
    (each) =>
      (kind === 'watermark' && isKind(each, 'watermark') && each.time >= last) ||
      (kind === 'credit' && isCredit(each) && each.bytes >= last),
  );
  const late = at < 0 ? [] : records(output.slice(at));
  if (late.length > 0)
    throw broken('order', `${kind} ${last} came out before records that went in before it: ${late.join()}`);
}

/** A credit of the input. Operators that emit on their own add some of theirs. */
function isCredit(value: unknown): value is Credit {
  return isKind(value, 'credit') && value.source === lawSource;
}
