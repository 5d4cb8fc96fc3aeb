import type { OperatorFunction } from 'rxjs';
import { flowExit, FlowSubscriber, type Credit, type Open, type Signal } from '../flow/index.js';

class Values<T> extends FlowSubscriber<T, T> {
  #open: Open | undefined;

  protected override get label(): string {
    return 'values()';
  }

  override onOpen(open: Open): void {
    this.#open = open;
    open.attempt.terminal(this, open.sources);
  }

  override onRecord(value: T): void {
    this.emit(value);
  }

  override onCredit(credit: Credit): void {
    this.#open?.attempt.release(this, credit);
  }

  override onBarrier(): void {
    // A plain Observable takes no part in checkpoints.
  }

  override onWatermark(): void {
    // Nor in event time.
  }

  override onEnd(): void {
    // It completes when the job does.
  }

  override onEndAgain(): void {
    // Likewise.
  }
}

/**
 * Turns a flow into a plain `Observable` of its records, for any RxJS operator and any subscriber.
 *
 * From here on, delivery is **at least once** to synchronous consumers: after a failure, records since the last
 * durable checkpoint are emitted again. A record counts as delivered once it has been emitted. Asynchronous work that
 * is still running at a checkpoint is not part of it, and is not repeated after a crash.
 *
 * Signals end here: what follows sees records only. Watermarks are dropped, so no operator after it knows event time.
 *
 * It is a terminal operator: the source may run ahead of the last delivered record by its budget. The Observable
 * completes when the final checkpoint of the job is durable, and `run` waits until what follows it has completed, too.
 *
 * ```
 * in:   O-a-b-1-c-E2|
 *       values()
 * out:  --a-b---c---|
 * ```
 *
 * @example
 * ```ts
 * await job.run(clicks.pipe(values(), tap((click) => console.log(click.user))));
 * ```
 */
export function values<T>(): OperatorFunction<T | Signal, T> {
  return flowExit<T, T>((out) => new Values(out));
}
