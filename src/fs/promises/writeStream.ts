import { Writable } from 'node:stream';
import { hideUserInfo } from '../../path/index.js';
import { catchError, EMPTY, type Observable, type Subscription } from 'rxjs';
import type { WriteOptions, Written } from '../types.js';
import { toFsError, type Call } from './errors.js';

export interface WriteStreamOptions extends WriteOptions {
  /** `w`, or `wx` to create only. Default `w`. */
  readonly flags?: string;
  readonly encoding?: BufferEncoding;
  /** Bytes that may wait for the writer before `write` says false. Default 64 KiB. */
  readonly highWaterMark?: number;
  readonly emitClose?: boolean;
  readonly autoClose?: boolean;
  readonly signal?: AbortSignal | null;
  /** 0 is the only place where an object can be written from. */
  readonly start?: number;
}

/** What a stream writes to. */
export interface StreamTarget {
  write(bytes: Uint8Array): Observable<never>;
  end(): Observable<Written | undefined>;
  abort(): Observable<never>;
}

/**
 * An object as a Node stream. It is there when the stream has finished, whole; a stream that is destroyed before leaves
 * nothing. It holds a few parts in memory at most, and `write` says false meanwhile.
 */
export class WriteStream extends Writable {
  /** As it was given, without credentials. */
  readonly path: string | Buffer;
  bytesWritten = 0;
  /** Not open yet. */
  pending = true;
  /** What was published, from `finish` on. */
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

  /** Ends when nothing is left behind. */
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
