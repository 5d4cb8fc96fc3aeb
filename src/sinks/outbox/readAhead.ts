import { defer, EMPTY, merge, type Observable } from 'rxjs';
import type { StoredBatch } from './batches.js';

/**
 * The records of a journal's batches. A batch is decoded while the target has the one before it, so that neither waits for the other.
 * At most one is decoded ahead.
 */
export class ReadAhead<A> {
  /** The records of the batch whose turn is next. */
  #ahead: A[] | undefined;

  /** @param prepare more that can be done before a batch's turn; what it fails with is ignored */
  constructor(
    private readonly batches: readonly StoredBatch[],
    private readonly decode: (batch: StoredBatch) => A[],
    private readonly prepare?: (records: readonly A[]) => void,
  ) {}

  /**
   * Returns a function that returns the records of the batch whose turn it is: a new copy at each call, since the caller may change
   * them. Errors: those of `decode`, if the batch was not decoded ahead.
   */
  take(index: number): () => A[] {
    const fresh = (): A[] => this.decode(this.batches[index] as StoredBatch);
    let first: A[] | undefined = this.#ahead ?? fresh();
    this.#ahead = undefined;
    return () => {
      const records = first ?? fresh();
      first = undefined;
      return records;
    };
  }

  /** Decodes the batch after the one whose turn it is. A batch that cannot be decoded fails at its turn. */
  ahead(index: number): void {
    if (this.#ahead !== undefined || index >= this.batches.length) return;
    try {
      this.#ahead = this.decode(this.batches[index] as StoredBatch);
      this.prepare?.(this.#ahead);
    } catch {
      // Its turn comes after the answer for the batch before it.
    }
  }
}

/** `work`, and `act` when it has begun and waits. */
export function alongside<T>(work: Observable<T>, act: () => void): Observable<T> {
  return merge(
    work,
    defer(() => {
      act();
      return EMPTY;
    }),
  );
}
