import { Observable } from 'rxjs';

/**
 * What has to be done although its operation is over: uploads to be dropped after an unsubscribe. It runs detached, and
 * `idle` tells when all of it is done, so that a process does not end before.
 */
export class Cleanups {
  #running = 0;
  readonly #waiting = new Set<() => void>();

  /** Runs it now, even after an unsubscribe. A failure cannot be reported then; the bucket's lifecycle rules remove the upload. */
  run(work: Observable<unknown>): void {
    this.#running += 1;
    const done = (): void => {
      this.#running -= 1;
      if (this.#running > 0) return;
      for (const tell of [...this.#waiting]) tell();
    };
    work.subscribe({ error: done, complete: done });
  }

  /** Completes when nothing is under way. */
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
