/** A queue. Its items leave in constant time, amortized, and are not referred to afterwards, even if it is never empty. */
export class Fifo<T> {
  #arrived: T[] = [];
  /** The oldest is the last. */
  #leaving: T[] = [];

  get length(): number {
    return this.#arrived.length + this.#leaving.length;
  }

  push(item: T): void {
    this.#arrived.push(item);
  }

  /** The oldest item. `undefined` if there is none. */
  shift(): T | undefined {
    if (this.#leaving.length === 0) {
      this.#leaving = this.#arrived.reverse();
      this.#arrived = [];
    }
    return this.#leaving.pop();
  }

  /** From the oldest to the newest. */
  *[Symbol.iterator](): Iterator<T> {
    for (let at = this.#leaving.length - 1; at >= 0; at--) yield this.#leaving[at] as T;
    yield* this.#arrived;
  }

  clear(): void {
    this.#arrived = [];
    this.#leaving = [];
  }
}
