import { map, Observable, type Observer, type Operator, type Subscriber, type Subscription } from 'rxjs';
import { MillraceError } from '../errors.js';

/**
 * The Observable of every flow. It refuses RxJS's own operators, which would take signals for records: a `filter` would drop a
 * barrier, and a callback would read a property that no signal has.
 *
 * RxJS applies an operator with `lift`, and the operator then subscribes to what it was given. `map`, `filter`, `mergeMap` and
 * the like do so with a subscriber of their own; `share`, `connect`, `finalize` and others that pass elements on as they are do
 * not. So the refusal costs nothing per record, and comes before any callback is called. It is made where the operator is
 * applied: its stack leads to the line with the `pipe(…)`.
 */
export class FlowObservable<T> extends Observable<T> {
  /* eslint-disable @typescript-eslint/no-deprecated -- this is how a subclass of Observable learns of operators in RxJS 7 */
  override lift<R>(operator?: Operator<T, R>): Observable<R> {
    const lifted = new FlowObservable<R>();
    lifted.source = new Guarded(this, plainOperator());
    lifted.operator = operator;
    return lifted;
  }
  /* eslint-enable @typescript-eslint/no-deprecated */
}

/** A flow as an operator of RxJS sees it. */
class Guarded<T> extends Observable<T> {
  readonly #flow: Observable<T>;
  readonly #refusal: MillraceError;

  constructor(flow: Observable<T>, refusal: MillraceError) {
    super();
    this.#flow = flow;
    this.#refusal = refusal;
  }

  // Thrown and not emitted: a `catchError` must not take it for an error of the flow.
  override subscribe(observer?: Partial<Observer<T>> | ((value: T) => void) | null): Subscription {
    if (observer instanceof OperatorSubscriber) throw this.#refusal;
    return this.#flow.subscribe(observer ?? undefined);
  }
}

/** The class of the subscribers that RxJS's operators put between a source and what follows. RxJS does not export it. */
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
    'A plain RxJS operator (such as map, filter, tap, scan, mergeMap, take) is applied straight to a flow, where it would take signals for records. Lift it: flow.pipe(records(map(…))) shows it records only. To join flows use mergeFlows(…), to split one share(); after values() any operator is fine.',
  );
