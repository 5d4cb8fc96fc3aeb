/**
 * The way of `Open` through a job.
 *
 * Operators pass `Open` on when they are ready for records: at once on a first start, after some requests where state is
 * restored or a store is asked what it can do. No source starts before the last has passed it on. Arrivals at the far ends
 * do not tell when that is: a flow may split on its way (`connect`, `share`), and how many branches there are is not
 * seen until each has brought its `Open`. So the operators that keep one are counted.
 */
export class Opening {
  readonly #holders = new Set<object>();
  readonly #terminals = new Set<object>();
  readonly #done: () => void;

  /** @param done nobody keeps an `Open` any more; called once */
  constructor(done: () => void) {
    this.#done = done;
  }

  /** Terminals that `Open` has ended at. */
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
