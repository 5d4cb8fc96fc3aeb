import { Observable } from 'rxjs';
import type { Allow, Allowance } from '../../flow/index.js';

/** The memory of copies that run concurrently: one always may, further ones as far as the budget has room. */
export class CopyMemory {
  readonly #allowance: Allowance;
  readonly #waiting = new Set<{ readonly bytes: number; readonly start: () => void }>();
  #held = 0;
  #running = 0;

  /**
   * Errors: `MemoryTooSmall`.
   *
   * @param floor bytes of the largest copy
   * @param most bytes of all that may run concurrently
   */
  constructor(allow: Allow, floor: number, most: number) {
    this.#allowance = allow({
      who: 'the copy of a savepoint',
      floor,
      most,
      changed: () => {
        this.#pump();
      },
    });
  }

  /** Runs `work` once there is room. */
  run<T>(bytes: number, work: Observable<T>): Observable<T> {
    return new Observable((out) => {
      const waiting = {
        bytes,
        start: () => {
          out.add(work.subscribe(out));
          // After its own teardown, which aborts requests.
          out.add(() => {
            this.#left(bytes);
          });
        },
      };
      this.#waiting.add(waiting);
      out.add(() => this.#waiting.delete(waiting));
      this.#pump();
    });
  }

  /** Nothing runs any more. */
  close(): void {
    this.#waiting.clear();
    this.#allowance.leave();
  }

  #pump(): void {
    for (const next of this.#waiting) {
      if (this.#running > 0 && this.#held + next.bytes > this.#allowance.limit) return;
      this.#waiting.delete(next);
      this.#running += 1;
      this.#held += next.bytes;
      this.#allowance.holds(this.#held);
      next.start();
    }
  }

  #left(bytes: number): void {
    this.#running -= 1;
    this.#held -= bytes;
    this.#allowance.holds(this.#held);
    this.#pump();
  }
}
