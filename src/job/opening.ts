/**
 * Tracks `Open` on its way through a job.
 *
 * Operators pass `Open` on when they are ready for records: synchronously on a first start, after some requests if
 * state is restored or a store is probed. Sources start when the last operator has passed it on. Counting arrivals at
 * the leaves is not enough: a flow may split (`connect`, `share`), and the number of branches is unknown until `Open`
 * has arrived from each. So the operators that hold one are tracked.
 */
export class Opening {
  readonly #holders = new Set<object>();
  readonly #terminals = new Set<object>();
  /** Called when no operator holds an `Open` any more; undefined after that. */
  #waiting: (() => void)[] | undefined;

  /** @param done called once no operator holds an `Open` */
  constructor(done: () => void) {
    this.#waiting = [done];
  }

  /** Calls `work` after `done`, or immediately if that was called already. */
  whenDone(work: () => void): void {
    if (this.#waiting === undefined) work();
    else this.#waiting.push(work);
  }

  /** The number of terminals where `Open` has ended. */
  get terminals(): number {
    return this.#terminals.size;
  }

  holds(operator: object): void {
    this.#holders.add(operator);
  }

  passed(operator: object): void {
    if (!this.#holders.delete(operator) || this.#holders.size > 0) return;
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const work of waiting) work();
  }

  /** `Open` ends at this terminal. */
  ended(terminal: object): void {
    this.#terminals.add(terminal);
    this.passed(terminal);
  }
}
