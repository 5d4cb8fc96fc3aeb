import { defer, finalize, type Observable } from 'rxjs';
import { decorate } from '../../src/store/decorators/decorate.js';
import type { ObjectStore } from '../../src/store/objectStore.js';

/** Counts requests in flight, so that a test can wait until one has ended, or all have. */
export class InFlight {
  #count = 0;
  #waiting: (() => void)[] = [];

  get any(): boolean {
    return this.#count > 0;
  }

  wrap(store: ObjectStore): ObjectStore {
    return decorate(store, (_, run) => this.counted(run));
  }

  /** For requests to something else than a store. */
  counted<T>(run: Observable<T>): Observable<T> {
    return defer(() => {
      this.#count++;
      return run.pipe(
        finalize(() => {
          this.#count--;
          // After those that it concerns have heard.
          setImmediate(() => {
            for (const go of this.#waiting.splice(0)) go();
          });
        }),
      );
    });
  }

  /** The end of the next request. */
  next(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async none(): Promise<void> {
    await new Promise<void>((resolve) => setImmediate(resolve));
    while (this.any) await this.next();
  }
}
