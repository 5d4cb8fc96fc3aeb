import { Readable } from 'node:stream';
import { hideUserInfo } from '../../path/index.js';
import type { Observable, Subscription } from 'rxjs';

export interface ReadStreamOptions {
  readonly encoding?: BufferEncoding | null;
  /** The first byte. Default 0. */
  readonly start?: number;
  /** The last byte, as in Node: `end` itself is read. Default: the object's last. */
  readonly end?: number;
  /** The size of chunks, and of the stream's buffer. Bytes. Default `s3.read.buffer.size`, 256 KiB. */
  readonly highWaterMark?: number;
  readonly emitClose?: boolean;
  readonly autoClose?: boolean;
  readonly signal?: AbortSignal | null;
}

/** What a stream reads from. */
export interface StreamSource {
  /** Returns at most `most` bytes; none at the end. */
  pull(most: number): Observable<readonly Uint8Array[]>;
  close(): void;
}

/**
 * An object as a Node stream. Read-ahead follows the consumer and is bounded by the client's memory budget; `destroy` aborts
 * its requests.
 */
export class ReadStream extends Readable {
  /** As passed by the caller, without credentials. */
  readonly path: string | Buffer;
  /** Bytes read so far. */
  bytesRead = 0;
  /** Not open yet. */
  pending = true;
  readonly #open: Observable<StreamSource>;
  readonly #failure: (error: unknown) => unknown;
  #reader: StreamSource | undefined;
  #request: Subscription | undefined;

  /** @param failure what it fails with */
  constructor(
    path: string | Buffer,
    open: Observable<StreamSource>,
    { encoding, highWaterMark, emitClose, autoClose, signal }: ReadStreamOptions,
    failure: (error: unknown) => unknown,
  ) {
    super({
      highWaterMark: highWaterMark ?? 256 << 10,
      ...(encoding === undefined || encoding === null ? {} : { encoding }),
      ...(emitClose === undefined ? {} : { emitClose }),
      ...(autoClose === undefined ? {} : { autoDestroy: autoClose }),
      ...(signal === undefined || signal === null ? {} : { signal }),
    });
    this.path = typeof path === 'string' ? hideUserInfo(path) : path;
    this.#open = open;
    this.#failure = failure;
  }

  /** Destroys the stream. */
  close(callback?: (error?: NodeJS.ErrnoException | null) => void): void {
    if (callback !== undefined) this.once('close', () => callback(null));
    this.destroy();
  }

  override _construct(callback: (error?: Error | null) => void): void {
    this.#request = this.#open.subscribe({
      next: (reader) => {
        this.#reader = reader;
        this.pending = false;
        callback();
        this.emit('open', -1);
        this.emit('ready');
      },
      error: (error: unknown) => {
        callback(this.#failure(error) as Error);
      },
    });
  }

  override _read(size: number): void {
    this.#request = this.#reader?.pull(size).subscribe({
      next: (chunks) => {
        if (chunks.length === 0) this.push(null);
        for (const chunk of chunks) {
          this.bytesRead += chunk.length;
          this.push(chunk);
        }
      },
      error: (error: unknown) => this.destroy(this.#failure(error) as Error),
    });
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#request?.unsubscribe();
    this.#reader?.close();
    callback(error);
  }
}

/** Converts Node's `start` and inclusive `end` to a range. */
export function rangeOf({ start = 0, end }: Pick<ReadStreamOptions, 'start' | 'end'>): {
  readonly start: number;
  readonly end?: number;
} {
  const fine = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;
  if (!fine(start)) throw outOfRange('start', '>= 0', start);
  if (end === undefined || end === Infinity) return { start };
  if (!fine(end)) throw outOfRange('end', '>= 0', end);
  if (start > end) throw outOfRange('start', `<= "end" (here: ${end})`, start);
  return { start, end: end + 1 };
}

export function outOfRange(name: string, rule: string, value: unknown): Error {
  const message = `The value of "${name}" is out of range. It must be ${rule}. Received ${String(value)}`;
  return Object.assign(new RangeError(message), { code: 'ERR_OUT_OF_RANGE' });
}
