/**
 * Syncs of one path that are requested at the same time share one. Any sync that begins after a request serves it. Few are
 * needed for many objects in one directory.
 */
export class SharedSyncs {
  readonly #sync: (path: string) => Promise<void>;
  readonly #running = new Map<string, Promise<void>>();
  readonly #next = new Map<string, Promise<void>>();

  constructor(sync: (path: string) => Promise<void>) {
    this.#sync = sync;
  }

  /** Resolves when a sync has ended that began after this call. */
  sync(path: string): Promise<void> {
    const running = this.#running.get(path);
    if (running === undefined) return this.#start(path);
    let next = this.#next.get(path);
    if (next === undefined) {
      // The running one may fail, which its callers report.
      next = running.then(nothing, nothing).then(() => {
        this.#next.delete(path);
        return this.#start(path);
      });
      this.#next.set(path, next);
    }
    return next;
  }

  #start(path: string): Promise<void> {
    const running = this.#sync(path).finally(() => {
      if (this.#running.get(path) === running) this.#running.delete(path);
    });
    this.#running.set(path, running);
    return running;
  }
}

const nothing = (): void => undefined;
