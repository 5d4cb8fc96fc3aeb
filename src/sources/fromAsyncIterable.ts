import type { Readable } from 'node:stream';
import { checkOptions, type OptionNames } from '../config/checkOptions.js';
import { InvalidOption } from '../config/units.js';
import { MillraceError } from '../errors.js';
import type { Json } from '../flow/index.js';
import { Puller } from './puller.js';
import { recordBytes } from './recordBytes.js';
import { endsPoll } from './slice.js';
import type { Source, SourceContext, SourceOutput, SourceReader } from './source.js';

/** Options of {@link fromAsyncIterable} and {@link fromReadable}. */
export interface IterableOptions<T> {
  /** For messages. Default `async iterable`. */
  readonly description?: string;
  /** The size of a record in bytes, for flow control. Default: roughly that of its strings and bytes. */
  readonly bytes?: (record: T) => number;
}

const names: OptionNames<IterableOptions<never>> = { description: true, bytes: true };

/** Bytes of records that are read ahead. */
const ahead = 256 * 1024;

/**
 * A source of an async iterable, with backpressure. **At most once on restart**: an iterable has no positions, so the records between
 * the last durable checkpoint and a crash are lost. Use {@link fromReplayable} for an input that can be read again.
 *
 * @param input an iterable, which can be read by one attempt only: a restart is error `NotReplayable`. Or a function that returns
 * one for each attempt, which continues with whatever that yields.
 *
 * @example
 * ```ts
 * const flow = job.source('ticks', fromAsyncIterable(async function* () { yield 1; yield 2; }));
 * ```
 *
 * Errors: those of the iterable end the job; `NotReplayable`; `InvalidOption`.
 */
export function fromAsyncIterable<T>(
  input: AsyncIterable<T> | (() => AsyncIterable<T>),
  options: IterableOptions<T> = {},
): Source<T> {
  return iterableSource('fromAsyncIterable', input, 'async iterable', options);
}

/**
 * A source of the chunks of a Node.js stream: buffers or strings, or the objects of a stream in object mode. With backpressure. The stream is
 * destroyed when the job is over. **At most once on restart**, like {@link fromAsyncIterable}.
 *
 * @example
 * ```ts
 * import { createInterface } from 'node:readline';
 *
 * const lines = job.source('stdin', fromAsyncIterable(createInterface({ input: process.stdin })));
 * const chunks = job.source('socket', fromReadable(process.stdin));
 * ```
 *
 * Errors: those of the stream end the job; `NotReplayable`; `InvalidOption`.
 */
export function fromReadable<T = Buffer>(
  input: Readable | (() => Readable),
  options: IterableOptions<T> = {},
): Source<T> {
  return iterableSource(
    'fromReadable',
    input as AsyncIterable<T> | (() => AsyncIterable<T>),
    'stream',
    options,
  );
}

function iterableSource<T>(
  of: string,
  input: AsyncIterable<T> | (() => AsyncIterable<T>),
  what: string,
  options: IterableOptions<T>,
): Source<T> {
  checkOptions(of, options, names);
  if (typeof input !== 'function') checkIterable(of, input);
  const { description = what, bytes = recordBytes } = options;
  let used = false;
  const open = (): AsyncIterable<T> => {
    if (typeof input === 'function') return checkIterable(of, input());
    if (used) throw notReplayable(of, description);
    used = true;
    return input;
  };
  return { description, open: (context) => new IterableReader(open(), bytes, context) };
}

function checkIterable<T>(of: string, input: AsyncIterable<T>): AsyncIterable<T> {
  if (typeof (input as Partial<AsyncIterable<T>> | undefined)?.[Symbol.asyncIterator] !== 'function')
    throw new InvalidOption(`${of}: input`, input, 'an async iterable, or a function that returns one');
  return input;
}

const notReplayable = (of: string, description: string): MillraceError =>
  new MillraceError(
    'NotReplayable',
    `The ${description} of a source cannot be read again after a restart. Pass a function to ${of} that opens it for each attempt, or use fromReplayable(…).`,
  );

class IterableReader<T> implements SourceReader<T> {
  readonly #puller: Puller<T, { readonly item: T; readonly bytes: number }>;
  bytes = 0;

  constructor(items: AsyncIterable<T>, bytes: (record: T) => number, { ready }: SourceContext) {
    this.#puller = new Puller({ items, measure: (item) => ({ item, bytes: bytes(item) }), ahead, ready });
  }

  poll(out: SourceOutput<T>): 'more' | 'wait' | 'end' {
    const start = this.bytes;
    while (!endsPoll(this.bytes - start, out)) {
      const taken = this.#puller.take();
      if (taken === undefined) return this.#puller.over ? 'end' : 'wait';
      out.record(taken.item);
      this.bytes += Math.max(1, taken.bytes);
    }
    return 'more';
  }

  position(): Json {
    return null;
  }

  close(): void {
    this.#puller.close();
  }
}
