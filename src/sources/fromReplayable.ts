/**
 * A source of anything that can be read again from a position: a database cursor, an HTTP API with page tokens.
 *
 * The input comes in pages: records, and the position after them. A checkpoint holds the position before the current page
 * and the number of records taken after it, so it may lie within a page. A restored source opens the input at that
 * position and skips as many records, even if the pages have other sizes now.
 */
import { checkOptions, required, type OptionNames } from '../config/checkOptions.js';
import { InvalidOption } from '../config/units.js';
import { isRetryable, MillraceError } from '../errors.js';
import type { Json } from '../flow/index.js';
import { fields, isCount, isJson, isRecord, optional, type Shape } from '../shape.js';
import { badPosition, checkMarked, marked, type PositionKind } from './position.js';
import { Puller } from './puller.js';
import { recordBytes } from './recordBytes.js';
import { endsPoll } from './slice.js';
import type { Source, SourceContext, SourceOutput, SourceReader } from './source.js';

/** Records in order, and the position after the last of them. */
export interface Page<T, P extends Json> {
  readonly records: readonly T[];
  readonly next: P;
}

/** Options of {@link fromReplayable}. */
export interface ReplayableOptions<T, P extends Json> {
  /**
   * Opens the input at a position; `undefined`: at its start. Called once per attempt. It must return the same records in the
   * same order each time, in pages of any size; a page may be empty. The input is over when the iteration ends. `signal` is
   * aborted when the attempt is over.
   */
  open(position: P | undefined, signal: AbortSignal): AsyncIterable<Page<T, P>> | Iterable<Page<T, P>>;
  /** For messages: `orders in PostgreSQL`. Default `replayable`. */
  readonly description?: string;
  /** The size of a record in bytes, for flow control. Default: roughly that of its strings and bytes. */
  readonly bytes?: (record: T) => number;
  /**
   * Whether the job should restart after an error of `open` or of the iteration. Default: after network errors
   * (`ECONNRESET`, `ETIMEDOUT`, …) and errors of millrace that are retryable.
   */
  readonly retryable?: (error: unknown) => boolean;
  /**
   * A checkpoint with this position is durable: the job will not read again before it. For inputs that are acknowledged, such
   * as the offsets of a queue. Must not throw.
   */
  readonly durable?: (position: P) => void;
}

const names: OptionNames<ReplayableOptions<never, Json>> = {
  open: true,
  description: true,
  bytes: true,
  retryable: true,
  durable: true,
};

/** Bytes of pages that are read ahead. */
const ahead = 1024 * 1024;

const kind: PositionKind = {
  kind: 'replayable',
  version: 1,
  shape: fields({ at: optional(isJson), taken: isCount }),
};

/**
 * A source of an input with positions, exactly once over crashes and restarts. Reads ahead one page and up to 1 MiB.
 *
 * Errors: `InputFailed` with the error of `open` or of the iteration as its cause; `BadPosition` if the input has fewer
 * records after the restored position than before; `InvalidOption`.
 *
 * @example
 * ```ts
 * interface Order { id: number; total: number }
 * declare const select: (after: number, limit: number, signal: AbortSignal) => Promise<Order[]>;
 *
 * const orders = fromReplayable<Order, number>({
 *   description: 'orders in PostgreSQL',
 *   async *open(after = 0, signal) {
 *     for (;;) {
 *       const records = await select(after, 1000, signal); // where id > after order by id
 *       const last = records.at(-1);
 *       if (last === undefined) return;
 *       after = last.id;
 *       yield { records, next: after };
 *     }
 *   },
 * });
 * const flow = job.source('orders', orders);
 * ```
 */
export function fromReplayable<T, P extends Json>(options: ReplayableOptions<T, P>): Source<T> {
  checkOptions('fromReplayable', required('the options of fromReplayable', options), names);
  const given: Readonly<Record<string, unknown>> = { ...options };
  for (const name of ['open', 'bytes', 'retryable', 'durable']) {
    const value = given[name];
    if (typeof value !== 'function' && !(value === undefined && name !== 'open'))
      throw new InvalidOption(`fromReplayable: ${name}`, value, 'a function');
  }
  const { description = 'replayable' } = options;
  return { description, open: (context) => new ReplayableReader(options, description, context) };
}

const isPage: Shape = fields({ records: Array.isArray, next: isJson });

interface MeasuredPage<T, P extends Json> {
  readonly page: Page<T, P>;
  /** Of each of its records, and of all of them. Bytes. */
  readonly sizes: readonly number[];
  readonly bytes: number;
}

class ReplayableReader<T, P extends Json> implements SourceReader<T> {
  readonly #options: ReplayableOptions<T, P>;
  readonly #description: string;
  readonly #context: SourceContext;
  readonly #abort = new AbortController();
  readonly #puller: Puller<Page<T, P>, MeasuredPage<T, P>>;
  readonly #sizeOf: (record: T) => number;
  readonly durable?: (position: Json) => void;
  /** Before the current page. `undefined`: the start. */
  #at: P | undefined;
  #taken = 0;
  #page: MeasuredPage<T, P> | undefined;
  bytes = 0;

  constructor(options: ReplayableOptions<T, P>, description: string, context: SourceContext) {
    this.#options = options;
    this.#description = description;
    this.#context = context;
    this.#sizeOf = options.bytes ?? recordBytes;
    const { id, position } = context;
    if (position !== undefined) {
      checkMarked(id, kind, position);
      const { at, taken } = position as unknown as { readonly at?: P; readonly taken: number };
      this.#at = at;
      this.#taken = taken;
    }
    const { durable } = options;
    if (durable !== undefined)
      this.durable = (restored) => {
        const { at } = restored as unknown as { readonly at?: P };
        if (at !== undefined) durable(at);
      };
    this.#puller = this.#guarded(
      () =>
        new Puller({
          items: this.#opened(options.open(this.#at, this.#abort.signal)),
          measure: (page) => this.#measured(page),
          ahead,
          ready: context.ready,
        }),
    );
  }

  poll(out: SourceOutput<T>): 'more' | 'wait' | 'end' {
    const start = this.bytes;
    for (;;) {
      const measured = (this.#page ??= this.#guarded(() => this.#puller.take()));
      if (measured === undefined) {
        if (!this.#puller.over) return 'wait';
        if (this.#taken > 0) throw this.#tooShort();
        return 'end';
      }
      const { records, next } = measured.page;
      while (this.#taken < records.length) {
        if (endsPoll(this.bytes - start, out)) return 'more';
        const n = this.#taken++;
        out.record(records[n] as T);
        this.bytes += Math.max(1, measured.sizes[n] ?? 0);
      }
      this.#at = next;
      this.#taken -= records.length;
      this.#page = undefined;
    }
  }

  position(): Json {
    return marked(kind, { ...(this.#at === undefined ? {} : { at: this.#at }), taken: this.#taken });
  }

  waitsFor(): string {
    return `a page of ${this.#description}`;
  }

  close(): void {
    this.#abort.abort();
    this.#puller.close();
  }

  /** Callers may be JavaScript. */
  #opened(items: AsyncIterable<Page<T, P>> | Iterable<Page<T, P>>): typeof items {
    const given = items as Partial<AsyncIterable<unknown> & Iterable<unknown>> | null | undefined;
    if (given?.[Symbol.asyncIterator] === undefined && given?.[Symbol.iterator] === undefined)
      throw new InvalidOption(
        `fromReplayable: what open of ${this.#description} returned`,
        items,
        'an iterable or async iterable of pages, such as that of an async generator (async *open), and not a promise',
      );
    return items;
  }

  #measured(page: Page<T, P>): MeasuredPage<T, P> {
    if (isRecord(page) && Array.isArray(page.records) && !isJson(page.next))
      throw new InvalidOption(
        `fromReplayable: next of a page of ${this.#description}`,
        page.next,
        'JSON, from which open can continue: strings, finite numbers, booleans, null, and arrays and plain objects of these',
      );
    if (!isPage(page))
      throw new InvalidOption(
        `fromReplayable: a page of ${this.#description}`,
        page,
        '{ records: […], next }, where next is JSON: the position after the records',
      );
    const sizes = page.records.map((record) => this.#sizeOf(record));
    return { page, sizes, bytes: sizes.reduce((sum, size) => sum + size, 0) };
  }

  #tooShort(): MillraceError {
    return badPosition(
      this.#context.id,
      `is ${this.#taken} records after the end of ${this.#description}: this input is not replayable`,
    );
  }

  #guarded<R>(call: () => R): R {
    try {
      return call();
    } catch (error) {
      if (error instanceof MillraceError && !isRetryable(error)) throw error;
      const { retryable = isTransient } = this.#options;
      throw new MillraceError(
        'InputFailed',
        `Source '${this.#context.id}' could not read ${this.#description}: ${error instanceof Error ? error.message : String(error)}`,
        { cause: error, retryable: retryable(error) },
      );
    }
  }
}

/** Codes of Node's network errors, which database drivers and HTTP clients pass on. */
const transient = new Set([
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EPIPE',
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_SOCKET',
]);

/** `fetch` puts the network error into `cause`. */
function isTransient(error: unknown): boolean {
  if (isRetryable(error)) return true;
  if (!(error instanceof Error)) return false;
  const { code } = error as { readonly code?: unknown };
  return (typeof code === 'string' && transient.has(code)) || isTransient(error.cause);
}
