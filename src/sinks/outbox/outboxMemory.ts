import { defer, finalize, type Observable } from 'rxjs';
import { memory, type Attempt, type MemoryShare } from '../../flow/index.js';
import { BufferPool } from '../../store/multipart/index.js';

/** The largest journal, in bytes, if the budget is large enough. */
const largestJournal = 8 * 2 ** 20;

/**
 * An outbox's share of the memory of all jobs in the process. A quarter of it is for the journal that is being published, and the
 * rest for records that are not stored yet: those that are collected for the next journal, at most another quarter, and
 * journals on their way to the store.
 */
export class OutboxMemory {
  readonly pool: BufferPool;
  readonly #share: MemoryShare;
  #publishing = 0;

  /** @param relieve called when the budget has changed */
  constructor(id: string, attempt: Attempt, budget: number, relieve: () => void) {
    this.pool = new BufferPool(0, () => {
      this.#report();
    });
    this.#share = attempt.use(memory).share({
      who: `sink '${id}'`,
      least: Math.min(budget, 2 ** 20),
      most: budget,
      changed: () => {
        this.#resize();
        relieve();
        this.#report();
      },
    });
    this.#resize();
  }

  /** Bytes that a journal may have. */
  get journal(): number {
    return Math.min(largestJournal, Math.floor(this.#share.limit / 4));
  }

  /** Whether there is little room for more records. */
  get full(): boolean {
    return this.pool.held > (this.#share.limit - this.journal) / 2;
  }

  /** Counts a journal that is read back while it is published. */
  publishing<T>(bytes: number, publish: Observable<T>): Observable<T> {
    return defer(() => {
      this.#publishing += bytes;
      return publish.pipe(
        finalize(() => {
          this.#publishing -= bytes;
          this.#report();
        }),
      );
    });
  }

  leave(): void {
    this.#share.leave();
  }

  #report(): void {
    // The share may report before it is assigned.
    (this.#share as MemoryShare | undefined)?.holds(this.pool.occupied + this.#publishing);
  }

  #resize(): void {
    this.pool.resize(((this.#share as MemoryShare | undefined)?.limit ?? 0) * 0.6);
  }
}
