/**
 * Tracks `Open` on its way through a job.
 *
 * Operators pass `Open` on when they are ready for records: synchronously on a first start, after some requests if
 * state is restored or a store is probed. Sources start when the last operator has passed it on. Counting arrivals at
 * the leaves is not enough: a flow may split on its way (`connect`, `share`), and the number of branches is unknown
 * until `Open` has arrived from each. So the operators that hold one are tracked.
 */
export class Opening {
  readonly #holders = new Set<object>();
  readonly #terminals = new Set<object>();
  readonly #done: () => void;

  /** @param done called once, when no operator holds an `Open` any more */
  constructor(done: () => void) {
    this.#done = done;
  }

  /** The number of terminals where `Open` has ended. */
  get terminals(): number {
    return this.#terminals.size;
  }

  holds(operator: object): void {
    this.#holders.add(operator);
  }

  passed(operator: object): void {
    if (this.#holders.delete(operator) && this.#holders.size === 0) this.#done();
  }

  /** `Open` ends at this terminal. */
  ended(terminal: object): void {
    this.#terminals.add(terminal);
    this.passed(terminal);
  }
}
