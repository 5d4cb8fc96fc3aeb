import type { Subscriber } from 'rxjs';
import { flowOf, type Flow, type Signal } from '../flow/index.js';
import type { Leaf } from './leaf.js';

/**
 * The fan-out of one source in one attempt: hot and synchronous; every branch receives every element in order. Unlike
 * a `Subject`, it does not copy its observers for each element, and it knows the leaf of each branch.
 */
export class HotSource<T> {
  #branches: readonly { readonly leaf: Leaf; readonly subscriber: Subscriber<T | Signal> }[] = [];

  /** Adds a branch in `leaf`. */
  branch(leaf: Leaf): Flow<T> {
    return flowOf((subscriber) => {
      const branch = { leaf, subscriber };
      this.#branches = [...this.#branches, branch];
      subscriber.add(() => {
        this.#branches = this.#branches.filter((each) => each !== branch);
      });
    });
  }

  /** Sends every branch the `Open` of its leaf. */
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
