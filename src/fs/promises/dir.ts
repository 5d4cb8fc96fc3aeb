import { EMPTY, Subject, type Observable, type Subscription } from 'rxjs';
import type { ListOptions } from '../types.js';
import { FsError, toFsError, type Call } from './errors.js';
import { direntIn, type Dirent } from './stats.js';

/** An open directory. Reads its entries one page of the listing at a time. */
export class Dir implements AsyncIterable<Dirent> {
  readonly #entries: ReturnType<ConstructorParameters<typeof Dir>[1]>;
  readonly #call: Call;
  readonly #queue: Dirent[] = [];
  #subscription: Subscription | undefined;
  /** Completing it requests the next page. */
  #more: Subject<never> | undefined;
  #over = false;
  #error: unknown;
  #wake: (() => void) | undefined;
  #closed = false;

  /** `list` emits the entries at the given pace. */
  constructor(
    /** As passed by the caller. */
    readonly path: string,
    list: (
      pace: NonNullable<ListOptions['pace']>,
    ) => Observable<{ readonly path: string; readonly kind: 'object' | 'directory' | 'other' }>,
    call: Call,
  ) {
    this.#call = call;
    // After an empty page, continue with the next one.
    this.#entries = list(() => (this.#queue.length === 0 ? EMPTY : (this.#more = new Subject())));
  }

  /** The next entry, `null` at the end. */
  async read(): Promise<Dirent | null> {
    for (;;) {
      if (this.#closed) throw new FsError('EBADF', this.#call);
      const next = this.#queue.shift();
      if (next !== undefined) return next;
      if (this.#error !== undefined) throw this.#error as Error;
      if (this.#over) return null;
      const woken = new Promise<void>((resolve) => (this.#wake = resolve));
      this.#goOn();
      await woken;
    }
  }

  close(): Promise<void> {
    if (this.#closed) return Promise.reject(new FsError('EBADF', this.#call));
    this.#closed = true;
    this.#subscription?.unsubscribe();
    this.#tell();
    return Promise.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#closed) await this.close();
  }

  async *entries(): AsyncGenerator<Dirent, undefined> {
    try {
      for (let entry = await this.read(); entry !== null; entry = await this.read()) yield entry;
    } finally {
      await this[Symbol.asyncDispose]();
    }
    return undefined;
  }

  [Symbol.asyncIterator](): AsyncGenerator<Dirent, undefined> {
    return this.entries();
  }

  #goOn(): void {
    if (this.#subscription === undefined) {
      this.#subscription = this.#entries.subscribe({
        next: ({ path, kind }) => {
          this.#queue.push(direntIn(this.path, { path, kind }));
          this.#tell();
        },
        error: (error: unknown) => {
          this.#error = toFsError(error, this.#call);
          this.#tell();
        },
        complete: () => {
          this.#over = true;
          this.#tell();
        },
      });
      return;
    }
    const more = this.#more;
    this.#more = undefined;
    more?.complete();
  }

  #tell(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}
