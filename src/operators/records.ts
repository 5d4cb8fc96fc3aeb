import { Observable, Subscriber, type OperatorFunction } from 'rxjs';
import { MillraceError } from '../errors.js';
import { flowOperator, FlowSubscriber, type End, type FlowOperator, type Signal } from '../flow/index.js';

/** Takes what the lifted operators emit; anything outside a record's turn or `End` is an error. */
class Tail<B> extends Subscriber<B> {
  readonly #records: Records<never, B>;
  readonly #out: Subscriber<B | Signal>;

  constructor(records: Records<never, B>, out: Subscriber<B | Signal>) {
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- as in flow/operator.ts
    super();
    this.#records = records;
    this.#out = out;
  }

  override next(value: B): void {
    if (this.#records.lets) this.#out.next(value);
    else this.#out.error(asynchronous());
  }

  protected override _error(error: unknown): void {
    this.#out.error(error);
  }

  protected override _complete(): void {
    // `take(n)` and the like: records end here, signals go on.
  }
}

class Records<A, B> extends FlowSubscriber<A, B> {
  #head: Pick<Subscriber<A>, 'next' | 'complete'> = unsubscribed;
  /** Outside records: while the operators are subscribed (`startWith`), and at `End` (`toArray`). */
  #flushing = true;

  constructor(out: Subscriber<B | Signal>, lifted: (source: Observable<A>) => Observable<B>) {
    super(out);
    const tail = new Tail<B>(this, out);
    this.add(tail);
    lifted(
      // eslint-disable-next-line no-restricted-syntax -- the input of the lifted operators; errors leave by the tail
      new Observable<A>((head) => {
        this.#head = head;
      }),
    ).subscribe(tail);
    this.#flushing = false;
  }

  /** Whether the lifted operators may emit. */
  get lets(): boolean {
    return this.handlingRecord || this.#flushing;
  }

  override onRecord(value: A): void {
    this.#head.next(value);
  }

  override onEnd(end: End): void {
    this.#flushing = true;
    this.#head.complete();
    this.#flushing = false;
    this.emit(end);
  }
}

/** Stands for the input of operators that never subscribe to it, such as `take(0)`. */
const unsubscribed = { next: (): void => undefined, complete: (): void => undefined };

const asynchronous = (): MillraceError =>
  new MillraceError(
    'AsyncInRecords',
    'An operator inside records(…) emitted outside a record’s turn. Only synchronous operators can be lifted; leave the flow with values() for asynchronous work (at-least-once from there).',
  );

/**
 * Lifts synchronous RxJS operators over a flow: they see the records, signals pass by in their place.
 *
 * All operators of one `records(…)` cost one step of the flow, so lift a chain together. When they complete (`take`),
 * records end and signals go on; what they still hold (`toArray`, `reduce`, `bufferCount`) is flushed at `End`, before the
 * final checkpoint.
 *
 * Their inner state is **not** restored: `map`, `filter`, `tap`, `mergeMap` over arrays and other stateless operators
 * are safe, while `scan`, `take`, `distinct`, `bufferCount`, `pairwise` start anew after a failure. Keep state in `keyed(…)`.
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
 * Errors: `AsyncInRecords` when an operator emits outside a record's turn (`delay`, `debounceTime`, a `mergeMap` over
 * promises); whatever an operator or its callback throws.
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
  const lifted = (source: Observable<unknown>): Observable<unknown> =>
    ops.reduce((flow, op) => (op as OperatorFunction<unknown, unknown>)(flow), source);
  return flowOperator<never, unknown>((out) => new Records(out, lifted));
}
