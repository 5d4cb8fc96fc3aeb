import { Observable } from 'rxjs';

/**
 * Clean-up that outlives its operation, such as aborting uploads after an unsubscribe. It runs detached; `idle` completes
 * when it is done, so that the process can wait for it.
 */
export class Cleanups {
  #running = 0;
  readonly #waiting = new Set<() => void>();

  /** Runs `work` detached. Failures are not reported; the bucket's lifecycle rules remove an upload that is left. */
  run(work: Observable<unknown>): void {
    this.#running += 1;
    const done = (): void => {
      this.#running -= 1;
      if (this.#running > 0) return;
      for (const tell of [...this.#waiting]) tell();
    };
    work.subscribe({ error: done, complete: done });
  }

  /** Completes when no clean-up is running. */
  readonly idle = new Observable<never>((out) => {
    const tell = (): void => out.complete();
    if (this.#running === 0) {
      tell();
      return;
    }
    this.#waiting.add(tell);
    out.add(() => this.#waiting.delete(tell));
  });
}
