import { Fifo } from './fifo.js';

/**
 * Pulls the items of an async iterable ahead of the source that reads them.
 *
 * One `next()` is outstanding at a time. The items that have arrived and are not taken yet hold at most `ahead` bytes, or
 * one item. Whatever fails is reported once, after the items before it have been taken.
 */
export interface PullerOptions<I, M extends Measured> {
  readonly items: AsyncIterable<I> | Iterable<I>;
  /** An item with its size. Called once for each. */
  readonly measure: (item: I) => M;
  /** Bytes to read ahead. */
  readonly ahead: number;
  /** An item, the end or an error has arrived. */
  readonly ready: () => void;
}

export interface Measured {
  /** The approximate size in memory. */
  readonly bytes: number;
}

export class Puller<I, M extends Measured> {
  readonly #options: PullerOptions<I, M>;
  readonly #iterator: AsyncIterator<I> | Iterator<I>;
  readonly #arrived = new Fifo<M>();
  #held = 0;
  #pulling = false;
  #closed = false;
  #ended = false;
  #failure: { readonly error: unknown } | undefined;

  constructor(options: PullerOptions<I, M>) {
    this.#options = options;
    const { items } = options;
    this.#iterator = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
    this.#pull();
  }

  /** Whether there are no more items. */
  get over(): boolean {
    return this.#ended && this.#arrived.length === 0;
  }

  /** Takes the next item. `undefined` if none has arrived yet. Throws the error of the iterable. */
  take(): M | undefined {
    const arrived = this.#arrived.shift();
    if (arrived === undefined) {
      if (this.#failure !== undefined) throw this.#failure.error;
      return undefined;
    }
    this.#held -= arrived.bytes;
    this.#pull();
    return arrived;
  }

  /** Does not wait for the iterable, which may never answer. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#arrived.clear();
    if (this.#ended || this.#failure !== undefined) return;
    // An error no longer matters.
    quietly(() => this.#iterator.return?.());
  }

  #pull(): void {
    if (this.#pulling || this.#closed || this.#ended || this.#failure !== undefined) return;
    if (this.#held >= this.#options.ahead) return;
    this.#pulling = true;
    attempted(() => this.#iterator.next()).then(
      (result) => this.#answered(result),
      (error: unknown) => this.#failed(error),
    );
  }

  #answered(result: IteratorResult<I>): void {
    this.#pulling = false;
    if (this.#closed) return;
    if (result.done === true) this.#ended = true;
    else {
      try {
        const measured = this.#options.measure(result.value);
        this.#arrived.push(measured);
        this.#held += measured.bytes;
      } catch (error) {
        this.#failed(error);
        return;
      }
      this.#pull();
    }
    this.#options.ready();
  }

  #failed(error: unknown): void {
    this.#pulling = false;
    if (this.#closed) return;
    this.#failure = { error };
    this.#options.ready();
  }
}

/** The answer, or what was thrown instead, as a promise. */
const attempted = <R>(call: () => R | PromiseLike<R>): Promise<R> =>
  new Promise((resolve) => resolve(call()));

function quietly(call: () => unknown): void {
  attempted(call).catch(() => undefined);
}
