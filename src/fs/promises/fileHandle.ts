import { EventEmitter } from 'node:events';
import type { FileReadResult } from 'node:fs/promises';
import type { Interface } from 'node:readline';
import type { ReadableStream } from 'node:stream/web';
import { sharedByCopies } from '../../errors.js';
import { hideUserInfo } from '../../path/index.js';
import type { Data, EncodingOptions } from './data.js';
import { FsError, notSupported, type Call } from './errors.js';
import type { ReadStream, ReadStreamOptions } from './readStream.js';
import type { Stats } from './stats.js';
import type { WriteStream, WriteStreamOptions } from './writeStream.js';

export interface HandleReadOptions<T extends NodeJS.ArrayBufferView> {
  readonly buffer?: T;
  readonly offset?: number | null;
  readonly length?: number | null;
  readonly position?: number | bigint | null;
}

/** `(buffer, offset, length, position)`, `(buffer, options)` or `(options)`. */
export type ReadArguments<T extends NodeJS.ArrayBufferView> =
  | readonly [buffer: T, offset?: number | null, length?: number | null, position?: number | bigint | null]
  | readonly [buffer: T, options?: HandleReadOptions<T>]
  | readonly [options?: HandleReadOptions<T>];

/**
 * An object open for reading or for writing, never both. The methods of the other mode fail with `EBADF`, as in Node; those
 * that objects do not support fail with `ENOTSUP`.
 */
export abstract class FileHandle extends EventEmitter {
  static {
    sharedByCopies(this, 'FileHandle');
  }

  /** There is no descriptor. */
  readonly fd = -1;
  #closing: Promise<void> | undefined;

  /** As passed by the caller, without credentials. */
  protected readonly path: string;

  constructor(path: string) {
    super();
    this.path = hideUserInfo(path);
  }

  /** For an object being written, the size written so far. */
  abstract stat(): Promise<Stats>;

  /** Closes the handle. An object being written is published. */
  close(): Promise<void> {
    return (this.#closing ??= this.release().finally(() => this.emit('close')));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Closes without publishing, and drops the written data. */
  abort(): Promise<void> {
    return (this.#closing ??= this.drop().finally(() => this.emit('close')));
  }

  /** Fills the buffer, or `length` bytes of it from `offset`, unless the object ends before. */
  read<T extends NodeJS.ArrayBufferView = Buffer>(...args: ReadArguments<T>): Promise<FileReadResult<T>>;
  read(): Promise<never> {
    return this.#bad('read');
  }
  readv<T extends readonly NodeJS.ArrayBufferView[]>(
    buffers: T,
    position?: number | null,
  ): Promise<{ bytesRead: number; buffers: T }>;
  readv(): Promise<never> {
    return this.#bad('read');
  }
  /** Reads from the position to the end. */
  readFile(options?: EncodingOptions | BufferEncoding | null): Promise<string | Buffer>;
  readFile(): Promise<never> {
    return this.#bad('read');
  }
  readLines(options?: ReadStreamOptions): Interface;
  readLines(): never {
    throw this.#badly('read');
  }
  readableWebStream(): ReadableStream {
    throw this.#badly('read');
  }
  /** Streams from the position. Closes the handle at the end, unless `autoClose` is false. */
  createReadStream(options?: ReadStreamOptions): ReadStream;
  createReadStream(): never {
    throw this.#badly('read');
  }

  /** Appends. A position, if given, must be the current end. */
  write<T extends string | NodeJS.ArrayBufferView>(
    data: T,
    ...rest: readonly unknown[]
  ): Promise<{ bytesWritten: number; buffer: T }>;
  write(): Promise<never> {
    return this.#bad('write');
  }
  writev<T extends readonly NodeJS.ArrayBufferView[]>(
    buffers: T,
    position?: number | null,
  ): Promise<{ bytesWritten: number; buffers: T }>;
  writev(): Promise<never> {
    return this.#bad('write');
  }
  writeFile(data: Data, options?: EncodingOptions | BufferEncoding | null): Promise<void>;
  writeFile(): Promise<never> {
    return this.#bad('write');
  }
  appendFile(data: Data, options?: EncodingOptions | BufferEncoding | null): Promise<void> {
    return this.writeFile(data, options);
  }
  /** A stream that appends. Closes the handle at the end, and so publishes, unless `autoClose` is false. */
  createWriteStream(
    options?: Pick<WriteStreamOptions, 'encoding' | 'highWaterMark' | 'autoClose'>,
  ): WriteStream;
  createWriteStream(): never {
    throw this.#badly('write');
  }

  /** Objects have no mode. `ENOTSUP`. */
  chmod(): Promise<void> {
    return this.#unable('fchmod', 'Objects have no mode.');
  }
  /** Objects have no owner. `ENOTSUP`. */
  chown(): Promise<void> {
    return this.#unable('fchown', 'Objects have no owner.');
  }
  /** The store sets the time. `ENOTSUP`. */
  utimes(): Promise<void> {
    return this.#unable('futime', 'The store itself keeps the time of the last write.');
  }
  /** `ENOTSUP`. */
  truncate(): Promise<void> {
    return this.#unable('ftruncate', 'An object is written as a whole.');
  }
  /** Nothing is stored before `close`. `ENOTSUP`. */
  sync(): Promise<void> {
    return this.#unable('fsync', 'Nothing is stored before close, and everything then.');
  }
  /** As `sync`. */
  datasync(): Promise<void> {
    return this.#unable('fdatasync', 'Nothing is stored before close, and everything then.');
  }

  /** Whether `close` or `abort` was called. */
  protected get closed(): boolean {
    return this.#closing !== undefined;
  }

  protected abstract release(): Promise<void>;
  protected abstract drop(): Promise<void>;

  protected call(syscall: string): Call {
    return { syscall, path: this.path };
  }

  #badly(syscall: string): FsError {
    return new FsError('EBADF', this.call(syscall));
  }

  #bad(syscall: string): Promise<never> {
    return Promise.reject(this.#badly(syscall));
  }

  #unable(syscall: string, hint: string): Promise<never> {
    return Promise.reject(notSupported(this.call(syscall), hint));
  }
}
