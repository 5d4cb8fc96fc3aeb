import { Observable, Subscriber, type Observer, type OperatorFunction } from 'rxjs';
import { MillraceError } from '../errors.js';
import type { Attempt } from './attempt.js';
import type { Flow, FlowOperator } from './flow.js';
import { FlowObservable } from './flowObservable.js';
import { hasHeadroom } from './stack.js';
import {
  isLast,
  isSignal,
  signal,
  type Barrier,
  type Credit,
  type End,
  type Open,
  type Signal,
  type Watermark,
} from './signals.js';

/**
 * The phase of a {@link FlowSubscriber}. Small integers, as one of them is written twice for each record: a string in a
 * field costs the collector's write barrier. From `other` on, what arrives waits.
 */
const closed = 0;
const unopened = 1;
const ready = 2;
const other = 3;
const record = 4;
/** A record, with something that waits behind it. */
const crowded = 5;

/**
 * The one helper that operators are written with: extend it, override what you need, hand it to
 * {@link flowOperator}. Each `on…` method passes its signal on by default, so an operator that says nothing about
 * signals keeps the laws of order, split and teardown.
 *
 * What the helper does for every operator:
 * - routes signals to methods, so that `onRecord` sees only records;
 * - catches whatever a method throws and sends it down as the flow's error (a bare `next` that throws loses the
 *   record silently);
 * - guards re-entrancy: what arrives while an element is being handled waits its turn, completion too; an error does not;
 * - tells the attempt how long it keeps `Open`, so that no record comes before every operator of the job is ready;
 * - where the stack is nearly exhausted, leaves an error to a caller that has room to deliver it;
 * - calls `onTeardown` exactly once, on error, completion and unsubscribe alike.
 *
 * An operator that holds records must hold `Barrier` and `End` until it has sent them (override `onBarrier`, `onEnd`).
 * Requests go through {@link FlowSubscriber.request}; other asynchronous work re-enters by {@link FlowSubscriber.turn},
 * which gives it the same guards.
 *
 * @example
 * ```ts
 * class Doubled extends FlowSubscriber<number, number> {
 *   override onRecord(n: number): void {
 *     this.emit(n);
 *     this.emit(n);
 *   }
 * }
 * export const doubled = (): FlowOperator<number, number> => flowOperator((out) => new Doubled(out));
 * ```
 */
export abstract class FlowSubscriber<A, B> extends Subscriber<A | Signal> {
  readonly #out: Subscriber<B | Signal>;
  /** Where elements go: `#out`, with a watch for `Open` until that has passed. */
  #down: Pick<Subscriber<B | Signal>, 'next'>;
  #attempt: Attempt | undefined;
  #phase: number = unopened;
  #opened = false;
  /** The last barrier has gone down: no record may follow. */
  #over = false;
  #waiting: (() => void)[] = [];

  constructor(out: Subscriber<B | Signal>) {
    // RxJS 7 deprecates calling this constructor outside its own code. The far ends of a chain do it, too: `Tail` in
    // operators/records.ts and job/leaf.ts.
    // eslint-disable-next-line @typescript-eslint/no-deprecated
    super(out);
    this.#out = out;
    this.#down = out;
    this.add(() => {
      this.#phase = closed;
      this.#attempt?.opened(this);
      this.onTeardown();
    });
  }

  /** How errors that arise in it are told: by its id, or what the user wrote. */
  protected get label(): string {
    return this.constructor.name;
  }

  /** Whether a record is being handled right now. */
  protected get handlingRecord(): boolean {
    return this.#phase >= record;
  }

  /** A record, in its turn. */
  abstract onRecord(value: A): void;

  onOpen(open: Open): void {
    this.emit(open);
  }

  onBarrier(barrier: Barrier): void {
    this.emit(barrier);
  }

  onWatermark(watermark: Watermark): void {
    this.emit(watermark);
  }

  onCredit(credit: Credit): void {
    this.emit(credit);
  }

  onEnd(end: End): void {
    this.emit(end);
  }

  /** The flow has completed: after its last barrier, and after what waited for its turn. */
  onComplete(): void {
    super._complete();
  }

  /** Frees what is held. Synchronous: abort, don't await. Must not throw. */
  onTeardown(): void {
    // Nothing is held by default.
  }

  /** Sends a record or a signal down. */
  protected emit(value: B | Signal): void {
    this.#down.next(value);
  }

  /**
   * Ends the flow with an error.
   *
   * @param ofRecord whether the record that is being handled caused it, so that events name its place
   */
  protected fail(error: unknown, ofRecord = false): void {
    if (this.#phase !== closed) this.#attempt?.failing?.(error, this.label, ofRecord);
    this.error(error);
  }

  /**
   * Subscribes to `request` for the life of the operator. Each answer is handled as a turn of the flow, and so
   * is the completion. An error ends the flow.
   */
  protected request<T>(request: Observable<T>, answered: ((answer: T) => void) | RequestObserver<T>): void {
    const observer = typeof answered === 'function' ? { next: answered } : answered;
    this.add(
      request.subscribe({
        next: (answer) => {
          this.turn(() => observer.next?.(answer));
        },
        complete: () => {
          this.turn(() => observer.complete?.());
        },
        error: (error: unknown) => {
          this.fail(error);
        },
      }),
    );
  }

  /** Runs asynchronous work, such as that of a timer, as an element of the flow: in turn, with errors sent down. */
  protected turn(work: () => void): void {
    if (this.#phase === closed) return;
    if (this.#phase >= other) {
      this.#waiting.push(work);
      if (this.#phase === record) this.#phase = crowded;
      return;
    }
    this.#phase = other;
    try {
      work();
    } catch (error) {
      this.#threw(error);
    }
    this.#after();
  }

  // `next` and not `_next`: every layer between two operators costs, and there is one of these for each record.
  override next(value: A | Signal): void {
    if (this.#phase !== ready || isSignal(value)) {
      this.#unusual(value);
      return;
    }
    this.#phase = record;
    try {
      this.onRecord(value);
    } catch (error) {
      this.#threw(error, true);
    }
    if (this.#phase === record) this.#phase = ready;
    else this.#after();
  }

  /** An error that the next subscriber can no longer take is thrown, so that it reaches the source. */
  override error(error: unknown): void {
    if (stopped(this.#out) && !this.closed) throw error;
    super.error(error);
  }

  /** Waits behind what waits already. */
  override complete(): void {
    if (this.#phase >= other) this.turn(() => super.complete());
    else super.complete();
  }

  /** What completes without `Open` was subscribed when the flow was over, and its output would be missing without a word. */
  protected override _complete(): void {
    if (this.#opened) this.onComplete();
    else super._error(completedUnopened());
  }

  /** Apart from `next`, whose argument no closure must capture: each record would get a context. */
  #unusual(value: A | Signal): void {
    this.turn(() => {
      this.#deliver(value);
    });
  }

  /**
   * RxJS marks a subscriber as stopped before it delivers an error: an overflow during delivery would silence it for
   * good. So the error stays an exception until the stack has unwound far enough.
   */
  #threw(error: unknown, ofRecord = false): void {
    if (!hasHeadroom()) throw error;
    this.fail(error, ofRecord);
  }

  /** Handles what arrived meanwhile. */
  #after(): void {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      for (const work of batch) {
        if (this.#phase === closed) return;
        this.#phase = other;
        try {
          work();
        } catch (error) {
          this.#threw(error);
        }
      }
    }
    if (this.#phase !== closed) this.#phase = this.#opened && !this.#over ? ready : unopened;
  }

  #deliver(value: A | Signal): void {
    if (isSignal(value)) this.#signal(value);
    else if (!this.#opened) throw notOpened();
    else if (this.#over) throw afterLast();
    else {
      this.#phase = record;
      this.onRecord(value);
    }
  }

  /** The attempt waits until `Open` has gone down, which may take requests. */
  #watchOpen(attempt: Attempt): void {
    this.#attempt = attempt;
    attempt.opening(this);
    this.#down = {
      next: (value) => {
        const passing = isSignal(value) && value[signal] === 'open';
        if (passing) this.#down = this.#out;
        this.#out.next(value);
        if (passing) attempt.opened(this);
      },
    };
  }

  #signal(value: Signal): void {
    if (value[signal] === 'open') {
      if (this.#opened) throw openedTwice();
      this.#opened = true;
      this.#watchOpen(value.attempt);
      this.onOpen(value);
      return;
    }
    if (!this.#opened) throw notOpened();
    switch (value[signal]) {
      case 'barrier':
        this.#over = isLast(value.reason);
        this.onBarrier(value);
        return;
      case 'watermark':
        this.onWatermark(value);
        return;
      case 'credit':
        this.onCredit(value);
        return;
      case 'end':
        this.onEnd(value);
        return;
      default:
        throw new MillraceError(
          'UnknownSignal',
          'This signal comes from another version of millrace: keep one version in the process.',
        );
    }
  }
}

/** What {@link FlowSubscriber.request} tells of a request. Its error is the flow's. */
export type RequestObserver<T> = Partial<Pick<Observer<T>, 'next' | 'complete'>>;

/** RxJS ignores what a stopped subscriber is sent. One that has not unsubscribed those before it was stopped halfway. */
const stopped = (subscriber: object): boolean => (subscriber as { readonly isStopped: boolean }).isStopped;

const notOpened = (): MillraceError =>
  new MillraceError(
    'NotOpened',
    'Something arrived before Open: a plain RxJS operator put a record there, or something else in the place of Open (lift it with records(…)), or the flow was subscribed by hand (hand it to job.run(…)).',
  );

const completedUnopened = (): MillraceError =>
  new MillraceError(
    'NotOpened',
    'A flow completed before Open: it was subscribed after its source had ended, as the second flow of a concat is. Subscribe all branches of a flow at once: with share() and a leaf each, or with merge in connect(…).',
  );

const afterLast = (): MillraceError =>
  new MillraceError(
    'RecordAfterEnd',
    'A record came after the last checkpoint, and would be in none: a plain RxJS operator (endWith, concat) put it there. Lift it with records(…): its records then come before that checkpoint.',
  );

const openedTwice = (): MillraceError =>
  new MillraceError(
    'OpenedTwice',
    'Two flows were joined by a plain RxJS operator (merge, concat, zip …): their signals must be aligned. Join flows with mergeFlows(…).',
  );

/** Makes an operator of a {@link FlowSubscriber}. */
export function flowOperator<A, B>(
  subscriber: (out: Subscriber<B | Signal>) => FlowSubscriber<A, B>,
): FlowOperator<A, B> {
  return (source: Flow<A>) =>
    flowOf((out) => {
      source.subscribe(subscriber(out));
    });
}

/** Makes an operator that leaves the flow: what comes out are records only, and any RxJS operator may follow. */
export function flowExit<A, B>(
  subscriber: (out: Subscriber<B | Signal>) => FlowSubscriber<A, B>,
): OperatorFunction<A | Signal, B> {
  return (source: Flow<A>) =>
    new Observable<B>((out) => {
      source.subscribe(subscriber(out));
    });
}

/** Makes a flow of several: `connect` subscribes each input with a {@link FlowSubscriber} of `out`. */
export function flowOf<B>(connect: (out: Subscriber<B | Signal>) => void): Flow<B> {
  return new FlowObservable<B | Signal>(connect);
}
