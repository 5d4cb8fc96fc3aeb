import type { Arbitrary, default as FastCheck } from 'fast-check';
import { Subject, VirtualTimeScheduler, type OperatorFunction } from 'rxjs';
import { clockOf, credit, end, isSignal, open, signal, watermark } from '../flow/index.js';
import type { Json, Restored, Service } from '../flow/index.js';
import { sealed } from './sealed.js';
import { TestAttempt, type TestBarrier } from './testAttempt.js';

/**
 * The laws of flows as checks of one operator on one input. Feed them inputs from a property-based testing library;
 * a broken law is an `Error` that says which law, and where.
 *
 * - **Order and hold**: `Open`, `Barrier` and `End` come out once each, in order; what is before a barrier depends on
 *   nothing after it; `Watermark` and `Credit` do not overtake records.
 * - **Snapshot**: every barrier is acked once by every participant, and what the user does to a record afterwards
 *   does not change what was frozen.
 * - **Restore**: output up to a cut plus the output of an attempt restored there is the output of an uninterrupted run.
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
  const whole = runInput(operator, input.elements, options);
  checkOrder(whole, input.elements);
  checkAcks(whole, input.elements);
  input.elements.forEach((element, index) => {
    if (element.kind !== 'barrier') return;
    checkCut(operator, input.elements, index, whole, options);
  });
  checkTeardown(operator, input, options);
}

/** One element of an input, `wait` milliseconds after the one before. */
export type LawElement<A> = { readonly wait: number } & (
  | { readonly kind: 'record'; readonly value: A }
  | { readonly kind: 'barrier' | 'credit' | 'watermark' | 'end' }
);

export interface LawInput<A> {
  readonly elements: readonly LawElement<A>[];
  /** Where the teardown check unsubscribes: so many elements in. */
  readonly unsubscribeAfter: number;
}

/**
 * Inputs for {@link checkLaws}: records and signals at random distances, sometimes with an end.
 *
 * @param fc the `fast-check` module
 * @param record what the records are
 */
export function lawInputs<A>(fc: typeof FastCheck, record: Arbitrary<A>): Arbitrary<LawInput<A>> {
  const wait = fc.nat({ max: 3 });
  const element: Arbitrary<LawElement<A>> = fc.oneof(
    { weight: 6, arbitrary: fc.record({ wait, kind: fc.constant('record' as const), value: record }) },
    { weight: 2, arbitrary: fc.record({ wait, kind: fc.constant('barrier' as const) }) },
    {
      weight: 1,
      arbitrary: fc.record({ wait, kind: fc.constantFrom('credit' as const, 'watermark' as const) }),
    },
  );
  return fc
    .tuple(fc.array(element, { maxLength: 25 }), fc.boolean(), fc.nat({ max: 25 }))
    .map(([elements, ends, unsubscribeAfter]) => ({
      elements: ends ? [...elements, { wait: 1, kind: 'end' }, { wait: 1, kind: 'barrier' }] : elements,
      unsubscribeAfter,
    }));
}

export interface LawOptions {
  /** What `Open` gives the operator; made anew for each run, so that runs share nothing. */
  readonly services?: () => ReadonlyMap<Service<unknown>, unknown>;
  /** Changes a record in place after it was handled, as a careless user might. */
  readonly mutate?: (record: unknown) => void;
}

interface LawRun {
  readonly output: readonly unknown[];
  readonly attempt: TestAttempt;
  readonly scheduler: VirtualTimeScheduler;
  readonly afterUnsubscribe: number;
}

function runInput<A>(
  operator: () => OperatorFunction<never, unknown>,
  elements: readonly LawElement<A>[],
  options: LawOptions & {
    readonly restored?: ReadonlyMap<string, Restored>;
    readonly shared?: ReadonlyMap<Service<unknown>, unknown>;
    readonly epoch?: number;
    readonly firstBarrier?: number;
    readonly unsubscribeAfter?: number;
  },
): LawRun {
  const scheduler = new VirtualTimeScheduler();
  const attempt = new TestAttempt({
    clock: clockOf(scheduler),
    restored: options.restored ?? new Map(),
    services: options.shared ?? options.services?.() ?? new Map(),
    epoch: options.epoch ?? 1,
  });
  const input = new Subject<unknown>();
  const output: unknown[] = [];
  let afterUnsubscribe = 0;
  const subscription = (input as unknown as Subject<never>).pipe(operator()).subscribe({
    next: (value) => {
      output.push(isSignal(value) ? value : (JSON.parse(JSON.stringify(value)) as Json));
    },
    error: (error: unknown) => {
      output.push(error);
    },
  });
  let at = 0;
  let barriers = options.firstBarrier ?? 0;
  let bytes = 0;
  const pending: TestBarrier[] = [];
  // As a job does: records come once the Open has made its way through.
  input.next(open(['in'], attempt));
  scheduler.flush();
  elements.forEach((element, index) => {
    at += element.wait;
    scheduler.schedule(() => {
      if (options.unsubscribeAfter === index) {
        subscription.unsubscribe();
        afterUnsubscribe = output.length;
      }
      if (element.kind === 'record') {
        const record = structuredClone(element.value);
        input.next(record);
        options.mutate?.(record);
      } else if (element.kind === 'barrier') {
        const barrier = attempt.barrier(++barriers);
        pending.push(barrier);
        input.next(barrier.barrier);
      } else if (element.kind === 'credit') input.next(credit('in', ++bytes));
      else if (element.kind === 'watermark') input.next(watermark(at));
      else input.next(end);
    }, at);
  });
  scheduler.flush();
  return { output, attempt, scheduler, afterUnsubscribe };
}

const strict = (value: unknown): boolean =>
  isSignal(value) && (value[signal] === 'open' || value[signal] === 'barrier' || value[signal] === 'end');

const show = (value: unknown): string => {
  if (value instanceof Error) return `error ${value.message}`;
  if (!isSignal(value)) return JSON.stringify(value);
  return value[signal] === 'barrier' ? `barrier ${value.checkpoint}` : value[signal];
};

const records = (output: readonly unknown[]): string[] => output.filter((each) => !isSignal(each)).map(show);

function broken(law: string, detail: string): Error {
  return new Error(`Law of ${law} broken: ${detail}`);
}

function checkOrder<A>({ output }: LawRun, elements: readonly LawElement<A>[]): void {
  let barriers = 0;
  const expected = ['open'];
  for (const { kind } of elements) {
    if (kind === 'barrier') expected.push(`barrier ${++barriers}`);
    else if (kind === 'end') expected.push('end');
  }
  const actual = output.filter(strict).map(show);
  if (actual.join() !== expected.join())
    throw broken('order', `signals in: ${expected.join()}; out: ${actual.join()}`);
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

function checkCut<A>(
  operator: () => OperatorFunction<never, unknown>,
  elements: readonly LawElement<A>[],
  index: number,
  whole: LawRun,
  options: LawOptions,
): void {
  const shared = options.services?.() ?? new Map<Service<unknown>, unknown>();
  const head = runInput(operator, elements.slice(0, index + 1), { ...options, shared });
  const checkpoint = elements.slice(0, index + 1).filter(({ kind }) => kind === 'barrier').length;
  const at = whole.output.findIndex(
    (each) => isSignal(each) && each[signal] === 'barrier' && each.checkpoint === checkpoint,
  );
  const before = records(whole.output.slice(0, at));
  if (records(head.output).join() !== before.join()) {
    throw broken(
      'hold',
      `before barrier ${checkpoint}: ${before.join()}; without what follows it: ${records(head.output).join()}`,
    );
  }
  const tail = runInput(operator, elements.slice(index + 1), {
    ...options,
    shared,
    restored: sealed(head.attempt, checkpoint),
    epoch: 2,
    firstBarrier: checkpoint,
  });
  const resumed = [...before, ...records(tail.output)];
  if (resumed.join() !== records(whole.output).join()) {
    throw broken(
      'restore',
      `uninterrupted: ${records(whole.output).join()}; restored at barrier ${checkpoint}: ${resumed.join()}`,
    );
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
  if (run.output.length !== run.afterUnsubscribe)
    throw broken('teardown', 'something came out after the unsubscribe');
  if (run.scheduler.actions.length > 0) throw broken('teardown', 'a timer was left behind');
}
