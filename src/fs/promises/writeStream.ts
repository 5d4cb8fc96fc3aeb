import { Writable } from 'node:stream';
import { hideUserInfo } from '../../path/index.js';
import { catchError, EMPTY, type Observable, type Subscription } from 'rxjs';
import type { WriteOptions, Written } from '../types.js';
import { toFsError, type Call } from './errors.js';

export interface WriteStreamOptions extends WriteOptions {
  /** `w`, or `wx` to create only. Default `w`. */
  readonly flags?: string;
  readonly encoding?: BufferEncoding;
  /** Buffered bytes after which `write` returns false. Default 64 KiB. */
  readonly highWaterMark?: number;
  readonly emitClose?: boolean;
  readonly autoClose?: boolean;
  readonly signal?: AbortSignal | null;
  /** Only 0 is supported. */
  readonly start?: number;
}

/** The target of a stream. */
export interface StreamTarget {
  write(bytes: Uint8Array): Observable<never>;
  end(): Observable<Written | undefined>;
  abort(): Observable<never>;
}

/**
 * An object as a Node stream. The object is published when the stream has finished; a stream destroyed before leaves nothing.
 * It holds at most a few parts in memory, and `write` returns false meanwhile.
 */
export class WriteStream extends Writable {
  /** As passed by the caller, without credentials. */
  readonly path: string | Buffer;
  bytesWritten = 0;
  /** Not open yet. */
  pending = true;
  /** The published object, set before `finish`. */
  written: Written | undefined;
  readonly #open: Observable<StreamTarget>;
  readonly #call: Call;
  #writer: StreamTarget | undefined;
  #request: Subscription | undefined;

  constructor(
    path: string | Buffer,
    open: Observable<StreamTarget>,
    { encoding, highWaterMark, emitClose, autoClose, signal }: WriteStreamOptions,
    call: Call,
  ) {
    super({
      highWaterMark: highWaterMark ?? 64 << 10,
      ...(encoding === undefined ? {} : { defaultEncoding: encoding }),
      ...(emitClose === undefined ? {} : { emitClose }),
      ...(autoClose === undefined ? {} : { autoDestroy: autoClose }),
      ...(signal === undefined || signal === null ? {} : { signal }),
    });
    this.path = typeof path === 'string' ? hideUserInfo(path) : path;
    this.#open = open;
    this.#call = call;
  }

  /** Ends the stream and publishes. */
  close(callback?: (error?: NodeJS.ErrnoException | null) => void): void {
    if (callback !== undefined) this.once('close', () => callback(this.errored));
    this.end();
  }

  override _construct(callback: (error?: Error | null) => void): void {
    this.#request = this.#open.subscribe({
      next: (writer) => {
        this.#writer = writer;
        this.pending = false;
        callback();
        this.emit('open', -1);
        this.emit('ready');
      },
      error: (error: unknown) => {
        callback(toFsError(error, this.#call) as Error);
      },
    });
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.#run(this.#writer?.write(chunk), callback, () => (this.bytesWritten += chunk.length));
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#run(this.#writer?.end(), callback, (written) => (this.written = written));
  }

  /** Waits until an unfinished upload is aborted. */
  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#request?.unsubscribe();
    const aborted = (this.#writer?.abort() ?? EMPTY).pipe(catchError(() => EMPTY));
    aborted.subscribe({ complete: () => callback(error) });
  }

  #run<T>(
    work: Observable<T> | undefined,
    callback: (error?: Error | null) => void,
    done: (last: T | undefined) => void,
  ): void {
    let last: T | undefined;
    this.#request = (work ?? EMPTY).subscribe({
      next: (value) => (last = value),
      error: (error: unknown) => callback(toFsError(error, this.#call) as Error),
      complete: () => {
        done(last);
        callback();
      },
    });
  }
}
