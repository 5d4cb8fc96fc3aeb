import { Observable, Subscriber } from 'rxjs';
import { MillraceError } from '../errors.js';
import type { Flow, FlowOperator } from './flow.js';
import {
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
 * The one helper that operators are written with: extend it, override what you need, hand it to
 * {@link flowOperator}. Each `on…` method passes its signal on by default, so an operator that says nothing about
 * signals keeps the laws of order, split and teardown.
 *
 * What the helper does for every operator:
 * - routes signals to methods, so that `onRecord` sees only records;
 * - catches whatever a method throws and sends it down as the flow's error (a bare `next` that throws loses the
 *   record silently);
 * - guards re-entrancy: what arrives while an element is being handled waits its turn;
 * - calls `onTeardown` exactly once, on error, completion and unsubscribe alike.
 *
 * An operator that holds records must hold `Barrier` and `End` behind them (override `onBarrier`, `onEnd`).
 * Asynchronous work re-enters through {@link FlowSubscriber.turn}, which gives it the same guards.
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
  /** What is being handled: elements that arrive meanwhile wait. */
  protected handling: 'nothing' | 'record' | 'other' = 'nothing';
  #opened = false;
  #waiting: (() => void)[] | undefined;

  constructor(out: Subscriber<B | Signal>) {
    // RxJS 7 deprecates calling this constructor outside its own code. The far ends of a chain do it, too: `Tail` in
    // operators/records.ts and job/leaf.ts.
    // eslint-disable-next-line @typescript-eslint/no-deprecated
    super(out);
    this.#out = out;
    this.add(() => {
      this.onTeardown();
    });
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

  /** Frees what is held. Synchronous: abort, don't await. Must not throw. */
  onTeardown(): void {
    // Nothing is held by default.
  }

  /** Sends a record or a signal down. */
  protected emit(value: B | Signal): void {
    this.#out.next(value);
  }

  /** Ends the flow with an error. */
  protected fail(error: unknown): void {
    this.error(error);
  }

  /** Runs asynchronous work (an answer, a timer) as an element of the flow: in turn, with errors sent down. */
  protected turn(work: () => void): void {
    if (this.closed) return;
    if (this.handling !== 'nothing') {
      (this.#waiting ??= []).push(work);
      return;
    }
    this.handling = 'other';
    try {
      work();
      if (this.#waiting !== undefined) this.#drain();
    } catch (error) {
      this.error(error);
    } finally {
      this.handling = 'nothing';
    }
  }

  // `next` and not `_next`: every layer between two operators costs, and there is one of these for each record.
  override next(value: A | Signal): void {
    if (this.closed) return;
    if (this.handling !== 'nothing') {
      (this.#waiting ??= []).push(() => {
        this.#deliver(value);
      });
      return;
    }
    try {
      if (this.#opened && !isSignal(value)) {
        this.handling = 'record';
        this.onRecord(value);
      } else this.#deliver(value);
      if (this.#waiting !== undefined) this.#drain();
    } catch (error) {
      this.error(error);
    } finally {
      this.handling = 'nothing';
    }
  }

  #drain(): void {
    while (this.#waiting !== undefined) {
      const batch: (() => void)[] = this.#waiting;
      this.#waiting = undefined;
      for (const work of batch) {
        if (this.closed) return;
        this.handling = 'other';
        work();
      }
    }
  }

  #deliver(value: A | Signal): void {
    this.handling = isSignal(value) ? 'other' : 'record';
    if (isSignal(value)) this.#signal(value);
    else if (this.#opened) this.onRecord(value);
    else throw notOpened();
  }

  #signal(value: Signal): void {
    if (value[signal] === 'open') {
      if (this.#opened) throw openedTwice();
      this.#opened = true;
      this.onOpen(value);
      return;
    }
    if (!this.#opened) throw notOpened();
    switch (value[signal]) {
      case 'barrier':
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

const notOpened = (): MillraceError =>
  new MillraceError(
    'NotOpened',
    'Something arrived before Open: flows start with job.source(…) and are subscribed by job.run(…), not by hand.',
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

/** Makes a flow of several: `connect` subscribes each input with a {@link FlowSubscriber} of `out`. */
export function flowOf<B>(connect: (out: Subscriber<B | Signal>) => void): Flow<B> {
  return new Observable<B | Signal>(connect);
}
