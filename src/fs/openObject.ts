/**
 * One object, open for reading, without the names of `node:fs`: the read engine of `store/reader` with promises and streams.
 *
 * Readers of the same stores share one `Client`, and with it one memory budget for read-ahead. It lives as long as one of them
 * is open.
 */
import type { Readable } from 'node:stream';
import { ReadableStream } from 'node:stream/web';
import { catchError, defer, throwError, type Observable } from 'rxjs';
import { checkOptions, type OptionNames } from '../config/checkOptions.js';
import type { Config } from '../config/index.js';
import { InvalidOption } from '../config/units.js';
import { hideUserInfo } from '../path/index.js';
import { ObjectChanged } from '../sources/errors.js';
import { isStoreError } from '../store/errors.js';
import type { ByteRange } from '../store/objectStore.js';
import type { SeekableReader } from '../store/reader/index.js';
import type { Stores } from '../store/services.js';
import { Client } from './promises/client.js';
import { abortError, promisedWith } from './promises/promised.js';
import { ReadStream } from './promises/readStream.js';

/** Options of {@link openObject}. */
export interface OpenObjectOptions {
  /** The ETag that the object must have. Default: the one that it has now. */
  readonly ifMatch?: string;
  /** Closes the object when aborted. What is pending then, and all that follows, fails with an `AbortError`. */
  readonly signal?: AbortSignal;
  /** Opens the stores. Default: all schemes, configured by `config`, closed when the last object is. */
  readonly stores?: Stores;
  /** Default: `loadConfig()`; with `stores`, the default configuration. */
  readonly config?: Config;
}

const names: OptionNames<OpenObjectOptions> = { ifMatch: true, signal: true, stores: true, config: true };

/**
 * Opens an object for reading at any position, with one HEAD. Everything is read in the version that was found: each request
 * has `If-Match` with its ETag.
 *
 * A random read is one request, of at least `s3.read.buffer.size`. Sequential reads fetch ahead, the further the longer they
 * continue, until the next random one. All objects opened with the same stores share `s3.read.memory-budget` (64 MiB).
 *
 * Errors: `NotFound`; `ObjectChanged` (another ETag, now or in a later read); `ReaderClosed`; `InvalidRequest` for a position;
 * `AbortError`; `InvalidOption`; errors of the store.
 *
 * @example
 * ```ts
 * await using object = await openObject('s3://lake/raw/2026.parquet');
 * const tail = new Uint8Array(8);
 * await object.read(tail, object.size - 8);
 * ```
 */
export async function openObject(uri: string, options: OpenObjectOptions = {}): Promise<OpenedObject> {
  checkOptions('openObject', options, names);
  const { signal, ifMatch } = options;
  if (signal !== undefined && !((signal as unknown) instanceof AbortSignal))
    throw new InvalidOption('openObject: signal', signal, 'an AbortSignal');
  if (signal?.aborted === true) throw abortError(signal);
  const lease = leased(options);
  try {
    const { contents } = lease.client;
    const opening = contents
      .seekable(uri, undefined, ifMatch)
      .pipe(catchError((error: unknown) => throwError(() => otherVersion(uri, ifMatch, error))));
    const reader = await first(opening, signal);
    return new Opened(uri, reader, lease, signal);
  } catch (error) {
    await lease.end();
    throw error;
  }
}

/** An object open for reading, in the version that it had when it was opened. */
export interface OpenedObject extends AsyncDisposable {
  /** Without user info. */
  readonly uri: string;
  /** Bytes. */
  readonly size: number;
  readonly etag: string;
  /**
   * Fills `into` from `position`, or less if the object ends before: `bytesRead` is 0 at or beyond the end. Without a position
   * (or with `null`), it continues after the last such read. Reads may overlap.
   */
  read<T extends Uint8Array>(
    into: T,
    position?: number | null,
  ): Promise<{ readonly bytesRead: number; readonly buffer: T }>;
  /** The object, or a range of it, as a Node.js stream. It reads ahead of its consumer; `destroy` aborts its requests. */
  readable(range?: ByteRange): Readable;
  /** The same as a web stream. */
  stream(range?: ByteRange): ReadableStream<Uint8Array>;
  /** Aborts all requests, those of its streams as well. Idempotent. */
  close(): Promise<void>;
}

class Opened implements OpenedObject {
  readonly uri: string;
  readonly #uri: string;
  readonly #reader: SeekableReader;
  readonly #lease: Lease;
  readonly #signal: AbortSignal | undefined;
  readonly #abort = (): void => void this.close();
  readonly #closing = new Set<() => void>();
  #closed: Promise<void> | undefined;

  constructor(uri: string, reader: SeekableReader, lease: Lease, signal: AbortSignal | undefined) {
    this.uri = hideUserInfo(uri);
    this.#uri = uri;
    this.#reader = reader;
    this.#lease = lease;
    this.#signal = signal;
    signal?.addEventListener('abort', this.#abort, { once: true });
  }

  get size(): number {
    return this.#reader.info.size;
  }

  get etag(): string {
    return this.#reader.info.etag;
  }

  async read<T extends Uint8Array>(
    into: T,
    position?: number | null,
  ): Promise<{ readonly bytesRead: number; readonly buffer: T }> {
    const work = this.#reader.read(into, position ?? undefined);
    return { bytesRead: await first(changing(this.uri, work), this.#signal), buffer: into };
  }

  readable(range: ByteRange = { start: 0 }): Readable {
    const stream = new ReadStream(this.uri, this.#sequential(range), {}, (error) =>
      this.#signal?.aborted === true ? abortError(this.#signal) : changed(this.uri, error),
    );
    this.#whileOpen(
      () => stream.destroy(),
      (over) => stream.once('close', over),
    );
    return stream;
  }

  stream(range: ByteRange = { start: 0 }): ReadableStream<Uint8Array> {
    const signal = this.#signal;
    let opened: Promise<SeekableReader> | undefined;
    let cancelled = (): void => undefined;
    const close = async (): Promise<void> => {
      cancelled();
      (await opened?.catch(() => undefined))?.close();
    };
    return new ReadableStream<Uint8Array>(
      {
        start: () => {
          this.#whileOpen(
            () => void close(),
            (over) => (cancelled = over),
          );
        },
        pull: async (out) => {
          try {
            opened ??= first(this.#sequential(range), signal);
            const reader = await opened;
            const chunks = await first(changing(this.uri, reader.pull(Infinity)), signal);
            for (const chunk of chunks) out.enqueue(chunk);
            if (chunks.length > 0) return;
          } catch (error) {
            // A stream that has failed is not cancelled.
            await close();
            throw error;
          }
          await close();
          out.close();
        },
        cancel: close,
      },
      { highWaterMark: 0 },
    );
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#signal?.removeEventListener('abort', this.#abort);
    this.#reader.close();
    for (const close of this.#closing) close();
    await this.#lease.end();
  }

  /** A reader of its own, of the same version. Errors: `ReaderClosed`. */
  #sequential(range: ByteRange): Observable<SeekableReader> {
    return defer(() => {
      // Fails if the object is closed.
      this.#reader.check();
      return this.#lease.client.contents.sequential(this.#uri, { range }, this.#reader.info);
    });
  }

  #whileOpen(close: () => void, until: (over: () => void) => void): void {
    this.#closing.add(close);
    until(() => this.#closing.delete(close));
  }
}

interface Shared {
  readonly stores: Stores | undefined;
  readonly config: Config | undefined;
  readonly client: Client;
  readers: number;
}

const clients = new Set<Shared>();

/** The use of a client until `end`. */
interface Lease {
  readonly client: Client;
  end(): Promise<void>;
}

function leased({ stores, config }: OpenObjectOptions): Lease {
  let shared = [...clients].find((each) => each.stores === stores && each.config === config);
  if (shared === undefined) {
    const client = new Client({
      ...(stores === undefined ? {} : { stores }),
      ...(config === undefined ? {} : { config }),
    });
    shared = { stores, config, client, readers: 0 };
    clients.add(shared);
  }
  const used = shared;
  used.readers++;
  return {
    client: used.client,
    async end() {
      if (--used.readers > 0) return;
      clients.delete(used);
      await used.client.close();
    },
  };
}

/** The error of opening an object that has not the ETag of `ifMatch`. */
const otherVersion = (uri: string, ifMatch: string | undefined, error: unknown): unknown =>
  ifMatch !== undefined && isStoreError(error, 'PreconditionFailed')
    ? new ObjectChanged(
        hideUserInfo(uri),
        error,
        'Nothing was read. Open it without ifMatch to read the version that is there now.',
        `has not the ETag ${JSON.stringify(ifMatch)} of ifMatch`,
      )
    : changed(uri, error);

const changed = (uri: string, error: unknown): unknown =>
  isStoreError(error, 'PreconditionFailed')
    ? new ObjectChanged(
        hideUserInfo(uri),
        error,
        'What was read so far is of the old version. Open it again.',
      )
    : error;

const changing = <T>(uri: string, work: Observable<T>): Observable<T> =>
  work.pipe(catchError((error: unknown) => throwError(() => changed(uri, error))));

/** The only value of an Observable. An abort unsubscribes, and rejects as in Node.js. */
async function first<T>(work: Observable<T>, signal: AbortSignal | undefined): Promise<T> {
  const toError = (error: unknown): unknown => (signal?.aborted === true ? abortError(signal) : error);
  return (await promisedWith(work, toError, signal)) as T;
}
