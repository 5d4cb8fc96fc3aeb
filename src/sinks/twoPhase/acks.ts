import type { Barrier, Committable } from '../../flow/index.js';
import type { Freezable, FrozenWork } from './kind.js';

/** What was begun between two barriers. */
interface Interval<C> {
  /** How much of it is not stored yet. */
  outstanding: number;
  /** Data objects written. */
  readonly objects: string[];
  frozen?: FrozenWork<C> & { readonly barrier: Barrier };
}

/**
 * Acks barriers once all that was begun before them is stored: records keep flowing meanwhile. Strictly in order: a
 * later checkpoint must not become durable without what an earlier one closed.
 */
export class Acks<C> {
  #current: Interval<C> = { outstanding: 0, objects: [] };
  readonly #waiting: Interval<C>[] = [];
  readonly #encoded = new WeakMap<Freezable<C>, Committable>();

  constructor(
    private readonly id: string,
    private readonly encode: (committable: C) => Committable,
  ) {}

  /**
   * Something begins that the next barrier has to wait for. Returns what to call when it is stored.
   *
   * @param object the name of the data object that it writes, if it does
   */
  begin(object?: string): () => void {
    const interval = this.#current;
    interval.outstanding++;
    if (object !== undefined) interval.objects.push(object);
    return () => {
      interval.outstanding--;
      this.#drain();
    };
  }

  barrier(barrier: Barrier, { open, closed }: FrozenWork<C>): void {
    this.#current.frozen = { barrier, open, closed };
    this.#waiting.push(this.#current);
    this.#current = { outstanding: 0, objects: [] };
    this.#drain();
  }

  #drain(): void {
    for (;;) {
      const next = this.#waiting[0];
      if (next?.frozen === undefined || next.outstanding > 0) return;
      this.#waiting.shift();
      const { barrier, open, closed } = next.frozen;
      const frozen = {
        open: open.map((each) => this.#committable(each)),
        closed: closed.map((each) => this.#committable(each)),
      };
      const named = new Set([...frozen.open, ...frozen.closed].flatMap(({ objects }) => objects ?? []));
      barrier.ack(this.id, {
        ...frozen,
        // An object that came and went between two barriers is named once, so that the next manifest can drop it.
        objects: next.objects.filter((name) => !named.has(name)),
      });
    }
  }

  /** What has not changed since an earlier barrier is the same object again. */
  #committable(frozen: Freezable<C>): Committable {
    let encoded = this.#encoded.get(frozen);
    if (encoded === undefined) this.#encoded.set(frozen, (encoded = this.encode(frozen.committable())));
    return encoded;
  }
}
