import type { Barrier, Committable } from '../../flow/index.js';
import type { Freezable, FrozenWork } from './kind.js';

/** The work begun between two barriers. */
interface Interval<C> {
  /** The number of items not stored yet. */
  outstanding: number;
  /** Data objects written. */
  readonly objects: string[];
  frozen?: FrozenWork<C> & { readonly barrier: Barrier };
}

/**
 * Acks each barrier once all work begun before it is stored, while records keep flowing. Acks are strictly in order:
 * a later checkpoint must not become durable without what was closed for an earlier one.
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
   * Registers work that the next barrier must wait for. Call the returned function when it is stored.
   *
   * @param object the name of the data object that it writes, if any
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
        // An object created and dropped between two barriers is named once, so that the next manifest can delete it.
        objects: next.objects.filter((name) => !named.has(name)),
      });
    }
  }

  /** Returns the same object as at an earlier barrier if nothing has changed. */
  #committable(frozen: Freezable<C>): Committable {
    let encoded = this.#encoded.get(frozen);
    if (encoded === undefined) this.#encoded.set(frozen, (encoded = this.encode(frozen.committable())));
    return encoded;
  }
}
