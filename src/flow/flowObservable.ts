import { map, Observable, type Observer, type Operator, type Subscriber, type Subscription } from 'rxjs';
import { MillraceError } from '../errors.js';

/**
 * The Observable class of every flow. It rejects plain RxJS operators, which would treat signals as records: a
 * `filter` would drop a barrier, and a callback would read properties that signals don't have.
 *
 * RxJS applies an operator with `lift`; the operator then subscribes to its source. `map`, `filter`, `mergeMap` and
 * the like subscribe with an `OperatorSubscriber`; `share`, `connect`, `finalize` and others that pass elements on
 * unchanged do not. So the check costs nothing per record and precedes every callback. The error is created where the
 * operator is applied, so that its stack shows the line with the `pipe(…)`.
 */
export class FlowObservable<T> extends Observable<T> {
  /* eslint-disable @typescript-eslint/no-deprecated -- RxJS 7 has no other hook for operators in a subclass of Observable */
  override lift<R>(operator?: Operator<T, R>): Observable<R> {
    const lifted = new FlowObservable<R>();
    lifted.source = new Guarded(this, plainOperator());
    lifted.operator = operator;
    return lifted;
  }
  /* eslint-enable @typescript-eslint/no-deprecated */
}

/** A flow as RxJS operators see it. */
class Guarded<T> extends Observable<T> {
  readonly #flow: Observable<T>;
  readonly #refusal: MillraceError;

  constructor(flow: Observable<T>, refusal: MillraceError) {
    super();
    this.#flow = flow;
    this.#refusal = refusal;
  }

  // Thrown, not emitted: `catchError` must not handle it as an error of the flow.
  override subscribe(observer?: Partial<Observer<T>> | ((value: T) => void) | null): Subscription {
    if (observer instanceof OperatorSubscriber) throw this.#refusal;
    return this.#flow.subscribe(observer ?? undefined);
  }
}

/** The subscriber class of RxJS operators, which RxJS does not export. */
const OperatorSubscriber = ((): abstract new () => Subscriber<unknown> => {
  let found: Subscriber<unknown> | undefined;
  new Observable((subscriber) => {
    found = subscriber;
  })
    .pipe(map(() => undefined))
    .subscribe();
  return found?.constructor as abstract new () => Subscriber<unknown>;
})();

const plainOperator = (): MillraceError =>
  new MillraceError(
    'PlainOperator',
    'A plain RxJS operator (such as map, filter, tap, scan, mergeMap, take) is applied directly to a flow, where it would treat signals as records. Lift it: in flow.pipe(records(map(…))) it sees only records. To join flows use mergeFlows(…), to split one use share(); after values() any operator is fine.',
  );
