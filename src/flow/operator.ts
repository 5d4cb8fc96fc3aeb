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
 * The phase of a {@link FlowSubscriber}. Small integers, because the phase is written twice per record and storing a
 * string would cost a GC write barrier. From `other` on, whatever arrives is queued.
 */
const closed = 0;
const unopened = 1;
const ready = 2;
const other = 3;
const record = 4;
/** A record is being handled, and something is queued after it, or the input is held. */
const crowded = 5;

/**
 * The base class of all operators: extend it, override what you need, and pass it to {@link flowOperator}. Each `on…`
 * method passes its signal on by default, so an operator that does not handle signals keeps the laws of order, split
 * and teardown.
 *
 * For every operator, it
 * - routes signals to methods, so that `onRecord` sees only records;
 * - catches what a method throws and sends it downstream as the flow's error (a bare `next` that throws loses the
 *   record silently);
 * - guards against re-entrancy: elements and completion that arrive while an element is being handled are queued; an
 *   error is not;
 * - reports to the attempt while it holds `Open`, so that records flow only when every operator of the job is ready;
 * - if the stack is nearly exhausted, rethrows an error to a caller with enough stack to deliver it;
 * - calls `onTeardown` exactly once, on error, completion and unsubscribe alike.
 *
 * An operator that holds records must hold `Barrier` and `End` until it has sent them (override `onBarrier`,
 * `onEnd`, or call {@link FlowSubscriber.holdInput}). Requests go through {@link FlowSubscriber.request}. Other asynchronous work re-enters through {@link
 * FlowSubscriber.turn}, with the same guards.
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
  /** Receives what is emitted: `#out`, wrapped until `Open` has passed. */
  #down: Pick<Subscriber<B | Signal>, 'next'>;
  #attempt: Attempt | undefined;
  #phase: number = unopened;
  #opened = false;
  /** The last barrier has passed: no record may follow. */
  #over = false;
  #waiting: (() => void)[] = [];
  /** Input that arrived since {@link FlowSubscriber.holdInput}; undefined if none is held. */
  #held: (() => void)[] | undefined;
  /** The number of holds that are not over. */
  #holds = 0;

  constructor(out: Subscriber<B | Signal>) {
    // RxJS 7 deprecates calls of this constructor outside of RxJS. `Tail` in operators/records.ts and job/leaf.ts call it, too.
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

  /** Names the operator in error reports: its id, or the function that the user called. */
  protected get label(): string {
    return this.constructor.name;
  }

  /** Whether a record is being handled right now. */
  protected get handlingRecord(): boolean {
    return this.#phase >= record;
  }

  /** Handles a record. */
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

  /**
   * Receives an {@link End} that it had before the restored checkpoint. It must not emit again what it held. Override it to join
   * flows, or if records that were held at the checkpoint come before it.
   */
  onEndAgain(end: End): void {
    this.emit(end);
  }

  /** The flow has completed. Called after the last barrier and after everything queued. */
  onComplete(): void {
    super._complete();
  }

  /** Frees what is held. Synchronous: abort, don't await. Must not throw. */
  onTeardown(): void {
    // Holds nothing by default.
  }

  /** Sends a record or a signal downstream. */
  protected emit(value: B | Signal): void {
    this.#down.next(value);
  }

  /**
   * Ends the flow with an error.
   *
   * @param ofRecord whether the record being handled caused it, so that events name its position
   */
  protected fail(error: unknown, ofRecord = false): void {
    if (this.#phase !== closed) this.#attempt?.failing?.(error, this.label, ofRecord);
    this.error(error);
  }

  /**
   * Subscribes to `request` for the life of the operator. Each answer, and the completion, is handled as an element
   * of the flow. An error ends the flow.
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

  /** Runs asynchronous work, such as a timer's, as an element of the flow: queued, with errors sent downstream. */
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

  /**
   * Holds the input: what arrives from now on, completion included, waits until the returned function is called, in a turn. Requests and
   * other work of the operator continue.
   */
  protected holdInput(): () => void {
    this.#held ??= [];
    this.#holds++;
    if (this.#phase === record) this.#phase = crowded;
    return () => {
      this.#holds--;
      this.#drain();
    };
  }

  // Overrides `next`, not `_next`: every call per record counts.
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

  /** Throws an error that the stopped next subscriber would ignore, so that it reaches the source. */
  override error(error: unknown): void {
    if (stopped(this.#out) && !this.closed) throw error;
    super.error(error);
  }

  /** Queued after what is queued already. */
  override complete(): void {
    if (this.#phase >= other || this.#held !== undefined)
      this.turn(() => {
        this.#arrive(() => {
          super.complete();
        });
      });
    else super.complete();
  }

  /** A flow that completes without `Open` was subscribed too late: its output would be missing silently. */
  protected override _complete(): void {
    if (this.#opened) this.onComplete();
    else super._error(completedUnopened());
  }

  /** Separate from `next`: a closure there would make V8 allocate a context for each record. */
  #unusual(value: A | Signal): void {
    this.turn(() => {
      if (this.#held === undefined) this.#deliver(value);
      else
        this.#arrive(() => {
          this.#deliver(value);
        });
    });
  }

  #arrive(handle: () => void): void {
    if (this.#held === undefined) handle();
    else this.#held.push(handle);
  }

  /** Handles what was held, until the input is held again. */
  #drain(): void {
    const held = this.#held ?? [];
    let handled = 0;
    while (handled < held.length && this.#holds === 0 && this.#phase !== closed) {
      this.#phase = other;
      held[handled++]?.();
    }
    this.#held = this.#holds === 0 ? undefined : held.slice(handled);
  }

  /**
   * RxJS marks a subscriber as stopped before it delivers an error, so a stack overflow during delivery would lose
   * the error. It therefore stays an exception until the stack has unwound far enough.
   */
  #threw(error: unknown, ofRecord = false): void {
    if (!hasHeadroom()) throw error;
    this.fail(error, ofRecord);
  }

  /** Handles what arrived in the meantime. */
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
    if (this.#phase === closed) return;
    this.#phase = this.#opened && !this.#over && this.#held === undefined ? ready : unopened;
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

  /** The attempt waits until `Open` has been passed on, which may take requests. */
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
        if (value.again) this.onEndAgain(value);
        else this.onEnd(value);
        return;
      default:
        throw new MillraceError(
          'UnknownSignal',
          'This signal comes from another version of millrace: keep one version in the process.',
        );
    }
  }
}

/** The observer of {@link FlowSubscriber.request}. An error of the request is an error of the flow. */
export type RequestObserver<T> = Partial<Pick<Observer<T>, 'next' | 'complete'>>;

/**
 * RxJS ignores what is sent to a stopped subscriber. One that has not unsubscribed its source was stopped halfway.
 */
const stopped = (subscriber: object): boolean => (subscriber as { readonly isStopped: boolean }).isStopped;

const notOpened = (): MillraceError =>
  new MillraceError(
    'NotOpened',
    'Something arrived before Open: a plain RxJS operator emitted it or replaced Open (lift the operator with records(…)), or the flow was subscribed directly (pass it to job.run(…)).',
  );

const completedUnopened = (): MillraceError =>
  new MillraceError(
    'NotOpened',
    'A flow completed before Open: it was subscribed after its source had ended, such as the second flow of a concat. Subscribe all branches of a flow together: with share() and a leaf each, or with merge in connect(…).',
  );

const afterLast = (): MillraceError =>
  new MillraceError(
    'RecordAfterEnd',
    'A record arrived after the last checkpoint, so no checkpoint would include it: a plain RxJS operator (endWith, concat) emitted it. Lift the operator with records(…): its records then come before that checkpoint.',
  );

const openedTwice = (): MillraceError =>
  new MillraceError(
    'OpenedTwice',
    'Two flows were joined by a plain RxJS operator (merge, concat, zip …): their signals must be aligned. Join flows with mergeFlows(…).',
  );

/** Creates an operator from a {@link FlowSubscriber}. */
export function flowOperator<A, B>(
  subscriber: (out: Subscriber<B | Signal>) => FlowSubscriber<A, B>,
): FlowOperator<A, B> {
  return (source: Flow<A>) =>
    flowOf((out) => {
      source.subscribe(subscriber(out));
    });
}

/** Creates an operator that leaves the flow: its output is records only, and any RxJS operator may follow. */
export function flowExit<A, B>(
  subscriber: (out: Subscriber<B | Signal>) => FlowSubscriber<A, B>,
): OperatorFunction<A | Signal, B> {
  return (source: Flow<A>) =>
    new Observable<B>((out) => {
      source.subscribe(subscriber(out));
    });
}

/** Creates a flow: `connect` subscribes each input with a {@link FlowSubscriber} of `out`. */
export function flowOf<B>(connect: (out: Subscriber<B | Signal>) => void): Flow<B> {
  return new FlowObservable<B | Signal>(connect);
}
