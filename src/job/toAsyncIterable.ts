/**
 * The way out of a job for consumers that pull: the flow is a leaf of `run`, and its records come out of an async
 * iterator or a Node.js stream, with backpressure.
 *
 * The consumer's request for the next record confirms the ones before it. A checkpoint waits for the confirmation of the
 * records before it, so the records after the last durable checkpoint are delivered again after a crash: at least once, and
 * never lost.
 */
import { Readable } from 'node:stream';
import { checkId } from '../config/checkId.js';
import { MillraceError } from '../errors.js';
import type { Flow } from '../flow/index.js';
import { outlet, type Consumer, type Outlet } from './outlet.js';

/** Runs the leaf, alone or with others: `(leaf) => job.run(leaf)`. */
export type RunLeaf = (leaf: Flow<never>) => Promise<unknown>;

/**
 * The records of a flow as an async iterable with backpressure. The job starts with the first request, and the iteration ends when
 * `run` resolves. A job restart continues the iteration: delivery is **at least once**. A checkpoint waits until the consumer has
 * asked for the record after it, so `checkpoints.timeout` is also the time that it may take over one record.
 *
 * Leaving the loop early ends the run with error `Abandoned`, which is not thrown. The job's next start continues after
 * its last durable checkpoint.
 *
 * It can be iterated once. Errors: those of `run`; `InvalidOption` for the id, which names the leaf in checkpoints.
 *
 * @example
 * ```ts
 * const clicks = job.source('in', files('s3://lake/raw/**', { format: ndjson<{ user: string }>() }));
 * for await (const click of toAsyncIterable('out', clicks, (leaf) => job.run(leaf))) console.log(click.user);
 * ```
 */
export function toAsyncIterable<T>(
  id: string,
  flow: Flow<T>,
  run: RunLeaf,
): AsyncIterableIterator<T, undefined> {
  checkId('toAsyncIterable(id)', id);
  return new Outgoing<T>((consumer) => run(flow.pipe(outlet(id, consumer))));
}

/**
 * The same as a Node.js stream in object mode, for `pipeline` and everything else that takes streams. Destroying the stream
 * leaves the job as leaving the loop does. A record cannot be `null`, which ends streams.
 *
 * @example
 * ```ts
 * import { pipeline } from 'node:stream/promises';
 *
 * const lines = job.source('in', files('s3://lake/raw/**', { format: text() }));
 * await pipeline(toReadable('out', lines, (leaf) => job.run(leaf)), process.stdout);
 * ```
 */
export function toReadable<T>(id: string, flow: Flow<T>, run: RunLeaf): Readable {
  return Readable.from(toAsyncIterable(id, flow, run));
}

interface Demand<T> {
  readonly resolve: (result: IteratorResult<T, undefined>) => void;
  readonly reject: (error: unknown) => void;
}

const done = { done: true, value: undefined } as const;

class Outgoing<T> implements AsyncIterableIterator<T, undefined>, Consumer<T> {
  readonly #run: (consumer: Consumer<T>) => Promise<unknown>;
  /** Of the current attempt. */
  #outlet: Outlet | undefined;
  #running: Promise<void> | undefined;
  #demands: Demand<T>[] = [];
  #left: MillraceError | undefined;
  #over = false;
  /** Of the run, until it is thrown. */
  #failure: { readonly error: unknown } | undefined;

  constructor(run: (consumer: Consumer<T>) => Promise<unknown>) {
    this.#run = run;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  get wants(): boolean {
    return this.#demands.length > 0;
  }

  take(record: T): void {
    this.#demands.shift()?.resolve({ done: false, value: record });
  }

  attached(outlet: Outlet): void {
    this.#outlet = outlet;
    if (this.#left !== undefined) outlet.leave(this.#left);
    else if (this.wants) outlet.wanted();
  }

  next(): Promise<IteratorResult<T, undefined>> {
    return new Promise((resolve, reject) => {
      if (this.#over || this.#left !== undefined) {
        this.#conclude(resolve, reject);
        return;
      }
      this.#demands.push({ resolve, reject });
      if (this.#running === undefined) this.#start();
      else this.#outlet?.wanted();
    });
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    if (this.#left === undefined && !this.#over) {
      this.#left = abandoned();
      this.#outlet?.leave(this.#left);
    }
    await this.#running;
    this.#failure = undefined;
    return done;
  }

  #start(): void {
    this.#running = new Promise((resolve) => resolve(this.#run(this))).then(
      () => this.#ended(),
      (error: unknown) => {
        if (error !== this.#left) this.#failure = { error };
        this.#ended();
      },
    );
  }

  #ended(): void {
    this.#over = true;
    this.#outlet = undefined;
    for (const { resolve, reject } of this.#demands.splice(0)) this.#conclude(resolve, reject);
  }

  #conclude(resolve: Demand<T>['resolve'], reject: Demand<T>['reject']): void {
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure === undefined) resolve(done);
    else reject(failure.error);
  }
}

const abandoned = (): MillraceError =>
  new MillraceError(
    'Abandoned',
    'The consumer of the records left before the end. The next start continues after the last durable checkpoint.',
  );
