/**
 * The end of a flow whose records go to a consumer outside, one at a time, when it asks for them.
 *
 * The outlet holds what arrives before the consumer asks: records, and the signals among them, in order. So credits are
 * released, and barriers acked, only once the consumer has asked for more than the records before them: a checkpoint
 * that is durable contains records that the consumer has dealt with, and no others. What is held is bounded by the budget of
 * the sources.
 */
import type { Subscriber } from 'rxjs';
import {
  flowOperator,
  FlowSubscriber,
  isSignal,
  type Barrier,
  type Credit,
  type End,
  type FlowOperator,
  type Open,
  type Signal,
  type Watermark,
} from '../flow/index.js';
import { Fifo } from '../sources/fifo.js';

/** The consumer outside. */
export interface Consumer<T> {
  /** It has asked for a record that it has not got. */
  readonly wants: boolean;
  take(record: T): void;
  /** A new attempt has begun: `wanted` is to be called when the consumer asks for a record, `leave` when it needs no more. */
  attached(outlet: Outlet): void;
}

export interface Outlet {
  wanted(): void;
  /** Ends the run with an error. */
  leave(error: unknown): void;
}

class OutletSubscriber<T> extends FlowSubscriber<T, never> implements Outlet {
  readonly #id: string;
  readonly #consumer: Consumer<T>;
  readonly #held = new Fifo<T | Signal>();

  constructor(out: Subscriber<Signal>, id: string, consumer: Consumer<T>) {
    super(out);
    this.#id = id;
    this.#consumer = consumer;
  }

  protected override get label(): string {
    return this.#id;
  }

  override onOpen(open: Open): void {
    open.attempt.register({ id: this.#id, kind: 'operator' });
    this.emit(open);
    this.#consumer.attached(this);
  }

  override onRecord(value: T): void {
    this.#arrived(value);
  }

  override onCredit(credit: Credit): void {
    this.#arrived(credit);
  }

  override onBarrier(barrier: Barrier): void {
    this.#arrived(barrier);
  }

  override onWatermark(watermark: Watermark): void {
    this.#arrived(watermark);
  }

  override onEnd(end: End): void {
    this.#arrived(end);
  }

  override onEndAgain(end: End): void {
    this.#arrived(end);
  }

  override onTeardown(): void {
    this.#held.clear();
  }

  wanted(): void {
    this.turn(() => this.#send());
  }

  leave(error: unknown): void {
    this.turn(() => this.fail(error));
  }

  #arrived(value: T | Signal): void {
    this.#held.push(value);
    this.#send();
  }

  #send(): void {
    while (this.#held.length > 0 && this.#consumer.wants) {
      const value = this.#held.shift() as T | Signal;
      if (isSignal(value)) this.#pass(value);
      else this.#consumer.take(value);
    }
  }

  #pass(value: Signal): void {
    this.emit(value);
    if ('ack' in value) value.ack(this.#id, {});
  }
}

/** `id` names it in checkpoints. */
export function outlet<T>(id: string, consumer: Consumer<T>): FlowOperator<T, never> {
  return flowOperator((out) => new OutletSubscriber<T>(out, id, consumer));
}
