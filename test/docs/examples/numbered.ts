import type { FlowOperator, Signal } from 'millrace';
import { flowOperator, FlowSubscriber, type Barrier, type Open } from 'millrace/operators';
import type { Subscriber } from 'rxjs';

class Numbered<A> extends FlowSubscriber<A, readonly [number, A]> {
  readonly #id: string;
  #next = 0;

  constructor(out: Subscriber<readonly [number, A] | Signal>, id: string) {
    super(out);
    this.#id = id;
  }

  override onOpen(open: Open): void {
    open.attempt.register({ id: this.#id, kind: 'operator' });
    const snapshot = open.attempt.restored(this.#id)?.snapshot;
    if (typeof snapshot === 'number') this.#next = snapshot;
    this.emit(open);
  }

  override onRecord(value: A): void {
    this.emit([this.#next++, value]);
  }

  override onBarrier(barrier: Barrier): void {
    const snapshot = this.#next;
    this.emit(barrier);
    barrier.ack(this.#id, { snapshot });
  }
}

/** Numbers records from 0. A restored job continues with the next number. */
export function numbered<A>(id: string): FlowOperator<A, readonly [number, A]> {
  return flowOperator((out) => new Numbered<A>(out, id));
}
