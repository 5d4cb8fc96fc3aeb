import { isObservable, type Observable, type Subscription } from 'rxjs';
import { checkOptions, oneOf, type OptionNames } from '../config/checkOptions.js';
import { InvalidOption } from '../config/units.js';
import { MillraceError } from '../errors.js';
import type { Json } from '../flow/index.js';
import { Fifo } from './fifo.js';
import { recordBytes } from './recordBytes.js';
import { endsPoll } from './slice.js';
import type { Source, SourceContext, SourceOutput, SourceReader } from './source.js';

/** Options of {@link fromObservable}. */
export interface ObservableOptions<T> {
  /** Records that may wait for the job: 1 or more. Default 10,000. */
  readonly buffer?: number;
  /**
   * What happens to a record that arrives while the buffer is full. `fail` (default): the job ends with `SourceOverflow`. `drop-newest`: the
   * record is dropped. `drop-oldest`: the one that has waited longest is dropped.
   */
  readonly overflow?: 'fail' | 'drop-newest' | 'drop-oldest';
  /** For messages. Default `observable`. */
  readonly description?: string;
  /** The size of a record in bytes, for flow control. Default: roughly that of its strings and bytes. */
  readonly bytes?: (record: T) => number;
}

const names: OptionNames<ObservableOptions<never>> = {
  buffer: true,
  overflow: true,
  description: true,
  bytes: true,
};

const overflows = ['fail', 'drop-newest', 'drop-oldest'] as const;

/**
 * A source of an `Observable`, which is subscribed to anew for each attempt. An Observable cannot be slowed down, so records that
 * the job is not ready for wait in a buffer. **At most once on restart**: what is not in the last durable checkpoint is lost.
 *
 * Dropped records are counted by events `records-dropped`, with the first, the second, the fourth, ….
 *
 * @example
 * ```ts
 * import { interval } from 'rxjs';
 *
 * const ticks = job.source('ticks', fromObservable(interval(1000), { overflow: 'drop-oldest' }));
 * ```
 *
 * Errors: those of the Observable end the job; `SourceOverflow`; `InvalidOption`.
 */
export function fromObservable<T>(input: Observable<T>, options: ObservableOptions<T> = {}): Source<T> {
  checkOptions('fromObservable', options, names);
  if (!isObservable(input)) throw new InvalidOption('fromObservable: input', input, 'an Observable');
  const { buffer = 10_000, overflow = 'fail', description = 'observable', bytes = recordBytes } = options;
  if (!Number.isSafeInteger(buffer) || buffer < 1)
    throw new InvalidOption('fromObservable: buffer', buffer, 'a whole number above 0');
  oneOf('fromObservable: overflow', overflow, overflows);
  return {
    description,
    open: (context) => new ObservableReader(input, { buffer, overflow, description, bytes }, context),
  };
}

class ObservableReader<T> implements SourceReader<T> {
  readonly #options: Required<ObservableOptions<T>>;
  readonly #context: SourceContext;
  #subscription: Subscription | undefined;
  readonly #waiting = new Fifo<T>();
  #over = false;
  #dropped = 0;
  #polling = false;
  #closed = false;
  bytes = 0;

  constructor(input: Observable<T>, options: Required<ObservableOptions<T>>, context: SourceContext) {
    this.#options = options;
    this.#context = context;
    // Not before records may flow: a fast Observable would fill the buffer meanwhile.
    context.attempt.running(() => {
      if (this.#closed) return;
      const subscription = input.subscribe({
        next: (record) => this.#arrived(record),
        error: (error: unknown) => context.fail(error),
        complete: () => {
          this.#over = true;
          this.#ready();
        },
      });
      // It may have failed the source at once.
      if (this.#isClosed()) subscription.unsubscribe();
      else this.#subscription = subscription;
    });
  }

  poll(out: SourceOutput<T>): 'more' | 'wait' | 'end' {
    const start = this.bytes;
    this.#polling = true;
    while (this.#waiting.length > 0) {
      if (endsPoll(this.bytes - start, out)) {
        this.#polling = false;
        return 'more';
      }
      const record = this.#waiting.shift() as T;
      out.record(record);
      this.bytes += Math.max(1, this.#options.bytes(record));
    }
    this.#polling = false;
    return this.#over ? 'end' : 'wait';
  }

  position(): Json {
    return null;
  }

  close(): void {
    this.#closed = true;
    this.#subscription?.unsubscribe();
    this.#waiting.clear();
  }

  /** Reads the state anew: TypeScript assumes that calls do not change it. */
  #isClosed(): boolean {
    return this.#closed;
  }

  #arrived(record: T): void {
    const { buffer, overflow, description } = this.#options;
    if (this.#waiting.length >= buffer) {
      if (overflow === 'fail') {
        this.#context.fail(sourceOverflow(this.#context.id, description, buffer));
        return;
      }
      this.#drop();
      if (overflow === 'drop-newest') return;
      this.#waiting.shift();
    }
    this.#waiting.push(record);
    this.#ready();
  }

  /** A record of the job may cause the next one: a poll takes it anyway. */
  #ready(): void {
    if (!this.#polling) this.#context.ready();
  }

  #drop(): void {
    this.#dropped++;
    const { id, attempt } = this.#context;
    if ((this.#dropped & (this.#dropped - 1)) === 0)
      attempt.report({ type: 'records-dropped', operator: id, count: this.#dropped });
  }
}

const sourceOverflow = (id: string, description: string, buffer: number): MillraceError =>
  new MillraceError(
    'SourceOverflow',
    `Source '${id}' (${description}) emits faster than the job reads: ${buffer} records wait. Slow it down, raise 'buffer', or set 'overflow' to drop records.`,
  );
