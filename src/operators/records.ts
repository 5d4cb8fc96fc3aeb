/**
 * `records(…)` runs plain RxJS operators between a head, which records enter, and a tail, which receives their
 * output. All output must be emitted in the turn of the record that caused it, or at `End`; otherwise a barrier could
 * pass records that are still in the operators, and no checkpoint would include them. So each of these fails the
 * flow:
 *
 * - an emission or a completion outside a record's turn (`delay`, a `mergeMap` over promises);
 * - an emission before the first record (`startWith`): it would be repeated at each restart;
 * - operators that have not completed when their input has: what they still hold would be lost at `End`;
 * - operators that stopped silently. RxJS marks a subscriber as stopped before it delivers an error, so a stack
 *   overflow during delivery loses the error. This is checked at each signal, and so before every barrier.
 */
import { Observable, Subscriber, type OperatorFunction } from 'rxjs';
import { InvalidOption } from '../config/units.js';
import { MillraceError } from '../errors.js';
import {
  flowOperator,
  FlowSubscriber,
  type Barrier,
  type Credit,
  type End,
  type FlowOperator,
  type Open,
  type Signal,
  type Watermark,
} from '../flow/index.js';
import { hasHeadroom } from '../flow/stack.js';
import { deferredInFlow, isDeferred } from '../flow/deferred.js';

/**
 * After this many emissions for one record, recursion is suspected, and the stack is checked every `stride`
 * emissions. A level of recursion takes up to some kilobytes, so three tenths of the stack last until the next check.
 */
const many = 128;
const stride = 64;
const room = 3;

/** Receives the output of the lifted operators. */
class Tail<B> extends Subscriber<B> {
  readonly #records: Records<never, B>;
  readonly #out: Subscriber<B | Signal>;
  /** The operators have completed: early, such as `take(n)`, or at `End`. */
  over = false;
  /** Emissions since the turn began. */
  emitted = 0;

  constructor(records: Records<never, B>, out: Subscriber<B | Signal>) {
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- as in flow/operator.ts
    super();
    this.#records = records;
    this.#out = out;
  }

  override next(value: B): void {
    if (!this.#records.lets) this.#records.refuse();
    else if (isDeferred(value)) this.error(deferredInFlow('An operator inside records(…) emitted', value));
    else {
      if (++this.emitted > many && this.emitted % stride === 0 && !hasHeadroom(room)) throw overflow();
      this.#out.next(value);
    }
  }

  // Overrides `error`, not `_error`: if the stack is too short for the first delivery, the error is delivered again.
  override error(error: unknown): void {
    this.#records.broke(error);
  }

  protected override _complete(): void {
    this.over = true;
    if (!this.#records.lets) this.#records.refuse();
  }
}

/** The subscriber of one lifted operator. */
interface Stage {
  readonly closed: boolean;
  readonly isStopped: boolean;
}

class Records<A, B> extends FlowSubscriber<A, B> {
  readonly #tail: Tail<B>;
  /** The operators' subscribers, the newest of each (`repeat` and `retry` resubscribe). */
  readonly #stages: Stage[] = [];
  #head: Pick<Subscriber<A>, 'next' | 'complete'> = unsubscribed;
  #phase: 'subscribing' | 'running' | 'flushing' = 'subscribing';
  #error: { readonly error: unknown } | undefined;

  constructor(out: Subscriber<B | Signal>, ops: readonly OperatorFunction<never, unknown>[]) {
    super(out);
    this.#tail = new Tail<B>(this, out);
    this.add(this.#tail);
    // eslint-disable-next-line no-restricted-syntax -- the input of the lifted operators; errors leave by the tail
    const input = new Observable<A>((head) => {
      this.#head = head;
    });
    const output = ops.reduce<Observable<unknown>>(
      (flow, op, stage) => op(this.#watched(flow, stage) as Observable<never>),
      input,
    );
    (output as Observable<B>).subscribe(this.#tail);
    this.#phase = 'running';
  }

  /** Whether the lifted operators may emit. */
  get lets(): boolean {
    return this.handlingRecord || this.#phase === 'flushing';
  }

  /** The operators have emitted or completed at the wrong time. */
  refuse(): void {
    if (this.#phase !== 'subscribing') this.broke(late());
    else if (!this.#tail.over) this.broke(early());
  }

  /** The operators have failed. If the stack is exhausted, the error is delivered at the end of the turn. */
  broke(error: unknown): void {
    this.#error ??= { error };
    if (hasHeadroom()) this.fail(this.#error.error, this.handlingRecord);
  }

  protected override get label(): string {
    return 'records(…)';
  }

  override onOpen(open: Open): void {
    if (this.#head === unsubscribed && !this.#tail.over) throw late();
    this.emit(open);
  }

  override onRecord(value: A): void {
    this.#tail.emitted = 0;
    this.#head.next(value);
    if (this.#error !== undefined) throw this.#error.error;
  }

  override onBarrier(barrier: Barrier): void {
    this.#check();
    this.emit(barrier);
  }

  override onWatermark(watermark: Watermark): void {
    this.#check();
    this.emit(watermark);
  }

  override onCredit(credit: Credit): void {
    this.#check();
    this.emit(credit);
  }

  override onEnd(end: End): void {
    this.#check();
    this.#phase = 'flushing';
    this.#tail.emitted = 0;
    this.#head.complete();
    this.#phase = 'running';
    if (this.#error !== undefined) throw this.#error.error;
    if (!this.#tail.over) throw pending();
    this.emit(end);
  }

  #check(): void {
    if (this.#error !== undefined) throw this.#error.error;
    if (!this.#tail.over && this.#stages.some(({ closed, isStopped }) => closed || isStopped))
      throw stopped();
  }

  /** `flow`, recording the subscriber of the next operator. It costs nothing per record. */
  #watched(flow: Observable<unknown>, stage: number): Observable<unknown> {
    // eslint-disable-next-line no-restricted-syntax -- hands the subscriber on as it is
    return new Observable((subscriber) => {
      this.#stages[stage] = subscriber as unknown as Stage;
      return flow.subscribe(subscriber);
    });
  }
}

/** The head of operators that never subscribe to their input, such as `take(0)`. */
const unsubscribed = { next: (): void => undefined, complete: (): void => undefined };

const leave =
  'Only synchronous operators can be lifted. For asynchronous work, leave the flow with values() and use RxJS from there (at-least-once).';

const late = (): MillraceError =>
  new MillraceError(
    'AsyncInRecords',
    `An operator inside records(…) emitted or completed after the turn of its record was over. ${leave} Records that were pending at a checkpoint are not in it: if this job has taken checkpoints, run it again under another name.`,
  );

const pending = (): MillraceError =>
  new MillraceError(
    'AsyncInRecords',
    `The input is over, but an operator inside records(…) has not completed: records are still in it. It waits for something asynchronous (delay, a mergeMap over promises), never completes, or its recursion overflowed the stack. ${leave}`,
  );

const early = (): MillraceError =>
  new MillraceError(
    'EarlyInRecords',
    'An operator inside records(…) emitted before the first record (startWith, a mergeWith or concatWith of other Observables): it would do so again after each restart. Write these records to an object and read it as a second source, joined with mergeFlows(…); endWith is fine.',
  );

const stopped = (): MillraceError =>
  new MillraceError(
    'StoppedInRecords',
    'An operator inside records(…) stopped without completing or failing. Most likely synchronous recursion (expand, a mergeMap or concat that calls itself) overflowed the stack: use a loop, or a mergeMap over an array.',
  );

const overflow = (): RangeError =>
  new RangeError(
    'Maximum call stack size exceeded: synchronous recursion inside records(…), such as expand or a mergeMap that calls itself. Use a loop, or a mergeMap over an array.',
  );

/**
 * Lifts synchronous RxJS operators over a flow: they see only records, and signals keep their place.
 *
 * All operators of one `records(…)` together cost one step of the flow, so lift a chain at once. After they complete
 * (`take`), only signals follow. What they still hold (`toArray`, `reduce`, `bufferCount`) is flushed at `End`,
 * before the final checkpoint.
 *
 * Their inner state is **not** restored: `map`, `filter`, `tap`, `mergeMap` over arrays and other stateless operators
 * are safe, while `scan`, `take`, `distinct`, `bufferCount`, `pairwise` start over after a failure. Keep state in
 * `keyed(…)`.
 *
 * ```
 * in:   O-a-b-1-c-E2|
 *       records(map(upper))
 * out:  O-A-B-1-C-E2|
 * ```
 *
 * @example
 * ```ts
 * flow.pipe(records(filter((v) => v.kind === 'click'), map((v) => v.user)));
 * ```
 *
 * Errors: `AsyncInRecords` when an operator emits outside a record's turn, or has not completed when its input has
 * (`delay`, `debounceTime`, a `mergeMap` over promises); `EarlyInRecords` when it emits before the first record
 * (`startWith`); `PromiseInFlow` and `ObservableInFlow` when an operator emits one; `StoppedInRecords` when recursion
 * overflowed the stack silently; and errors of operators and their callbacks.
 */
export function records<A, B>(op1: OperatorFunction<A, B>): FlowOperator<A, B>;
export function records<A, B, C>(
  op1: OperatorFunction<A, B>,
  op2: OperatorFunction<B, C>,
): FlowOperator<A, C>;
export function records<A, B, C, D>(
  op1: OperatorFunction<A, B>,
  op2: OperatorFunction<B, C>,
  op3: OperatorFunction<C, D>,
): FlowOperator<A, D>;
export function records<A, B, C, D, E>(
  op1: OperatorFunction<A, B>,
  op2: OperatorFunction<B, C>,
  op3: OperatorFunction<C, D>,
  op4: OperatorFunction<D, E>,
): FlowOperator<A, E>;
export function records<A, B, C, D, E, F>(
  op1: OperatorFunction<A, B>,
  op2: OperatorFunction<B, C>,
  op3: OperatorFunction<C, D>,
  op4: OperatorFunction<D, E>,
  op5: OperatorFunction<E, F>,
): FlowOperator<A, F>;
export function records<A, B, C, D, E, F, G>(
  op1: OperatorFunction<A, B>,
  op2: OperatorFunction<B, C>,
  op3: OperatorFunction<C, D>,
  op4: OperatorFunction<D, E>,
  op5: OperatorFunction<E, F>,
  op6: OperatorFunction<F, G>,
): FlowOperator<A, G>;
export function records<A, B, C, D, E, F, G, H>(
  op1: OperatorFunction<A, B>,
  op2: OperatorFunction<B, C>,
  op3: OperatorFunction<C, D>,
  op4: OperatorFunction<D, E>,
  op5: OperatorFunction<E, F>,
  op6: OperatorFunction<F, G>,
  op7: OperatorFunction<G, H>,
): FlowOperator<A, H>;
export function records<A, B, C, D, E, F, G, H, I>(
  op1: OperatorFunction<A, B>,
  op2: OperatorFunction<B, C>,
  op3: OperatorFunction<C, D>,
  op4: OperatorFunction<D, E>,
  op5: OperatorFunction<E, F>,
  op6: OperatorFunction<F, G>,
  op7: OperatorFunction<G, H>,
  op8: OperatorFunction<H, I>,
): FlowOperator<A, I>;
export function records<A, B, C, D, E, F, G, H, I, J>(
  op1: OperatorFunction<A, B>,
  op2: OperatorFunction<B, C>,
  op3: OperatorFunction<C, D>,
  op4: OperatorFunction<D, E>,
  op5: OperatorFunction<E, F>,
  op6: OperatorFunction<F, G>,
  op7: OperatorFunction<G, H>,
  op8: OperatorFunction<H, I>,
  op9: OperatorFunction<I, J>,
): FlowOperator<A, J>;
export function records(...ops: OperatorFunction<never, unknown>[]): FlowOperator<never, unknown> {
  for (const op of ops as readonly unknown[])
    if (typeof op !== 'function') throw new InvalidOption('records(…)', op, 'RxJS operators, such as map(…)');
  return flowOperator<never, unknown>((out) => new Records(out, ops));
}
