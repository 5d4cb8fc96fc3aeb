import type { Subscriber } from 'rxjs';
import { flowOf, type Flow, type Signal } from '../flow/index.js';
import type { Leaf } from './leaf.js';

/**
 * The fan-out of one source in one attempt: hot, synchronous, every branch sees every element in order. A plain
 * `Subject` would do, but it copies its observers, and does not know which leaf a branch belongs to.
 */
export class HotSource<T> {
  #branches: readonly { readonly leaf: Leaf; readonly subscriber: Subscriber<T | Signal> }[] = [];

  /** A branch of the source in `leaf`. */
  branch(leaf: Leaf): Flow<T> {
    return flowOf((subscriber) => {
      const branch = { leaf, subscriber };
      this.#branches = [...this.#branches, branch];
      subscriber.add(() => {
        this.#branches = this.#branches.filter((each) => each !== branch);
      });
    });
  }

  /** Sends every branch its own leaf's `Open`. */
  open(openOf: (leaf: Leaf) => Signal): void {
    for (const { leaf, subscriber } of this.#branches) subscriber.next(openOf(leaf));
  }

  next(value: T | Signal): void {
    const branches = this.#branches;
    if (branches.length === 1 && branches[0] !== undefined) branches[0].subscriber.next(value);
    else for (const { subscriber } of branches) subscriber.next(value);
  }

  complete(): void {
    for (const { subscriber } of this.#branches) subscriber.complete();
  }
}
