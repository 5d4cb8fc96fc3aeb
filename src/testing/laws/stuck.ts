import type { OperatorFunction } from 'rxjs';
import { isSignal, signal } from '../../flow/index.js';
import type { LawElement, LawInput } from './inputs.js';
import { broken } from './output.js';
import { runInput, type LawOptions } from './run.js';

/** Sends the records repeatedly, each with its credit, while no request is answered; then unsubscribes. */
export function checkStuck<A>(
  operator: () => OperatorFunction<never, unknown>,
  { elements }: LawInput<A>,
  options: LawOptions,
): void {
  const { stuck } = options;
  const some = elements.filter((each) => each.kind === 'record');
  if (stuck === undefined || some.length === 0) return;
  const { services, requests, budget } = stuck;
  const many = Array.from({ length: 3 * budget + 3 }, (_, index): LawElement<A>[] => [
    some[index % some.length] as LawElement<A>,
    { wait: 0, kind: 'credit' },
  ]).flat();
  const last: LawElement<A>[] = [
    { wait: 1, kind: 'barrier' },
    { wait: 1, kind: 'barrier' },
  ];
  const run = runInput(operator, [...many, ...last], {
    ...options,
    services,
    unsubscribeAfter: many.length + 1,
  });
  const released = run.attempt.trace.flatMap((each) => (each.type === 'release' ? each.credit.bytes : []));
  const passed = run.output.flatMap((each) =>
    isSignal(each) && each[signal] === 'credit' ? each.bytes : [],
  );
  const most = Math.max(0, ...(released.length > 0 ? released : passed));
  if (most > budget)
    throw broken(
      'memory',
      `${most} records were dealt with while no request was answered; the budget is ${budget}`,
    );
  const left = requests(run.services);
  if (left > 0) throw broken('teardown', `${left} requests were left`);
}
