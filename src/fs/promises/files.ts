import { constants, type PathLike } from 'node:fs';
import {
  catchError,
  concat,
  concatMap,
  defer,
  EMPTY,
  finalize,
  map,
  take,
  throwError,
  type Observable,
} from 'rxjs';
import { OperationError } from '../operations/index.js';
import type { WriteOptions } from '../types.js';
import type { Client } from './client.js';
import { bodyOf, bufferOf, decoded, optionsOf, type Data, type EncodingOptions } from './data.js';
import { FsError, notSupported, toFsError, type Call } from './errors.js';
import { FileHandle } from './fileHandle.js';
import { modeOf, notAppendable } from './flags.js';
import { namesDirectory, reading, writing } from './opening.js';
import { directoryUri, nameUri, textOf, uriOf } from './paths.js';
import { ReadHandle } from './readHandle.js';
import { rangeOf, ReadStream, type ReadStreamOptions } from './readStream.js';
import { answer, promised } from './promised.js';
import { WriteHandle } from './writeHandle.js';
import { WriteStream, type WriteStreamOptions } from './writeStream.js';

export interface ReadFileOptions extends EncodingOptions {
  readonly flag?: string | number;
  readonly signal?: AbortSignal | null;
}

export interface WriteFileOptions extends EncodingOptions, WriteOptions {
  readonly flag?: string | number;
  readonly signal?: AbortSignal | null;
}

type Place = PathLike | FileHandle;

/** The functions for files. */
export class Files {
  constructor(private readonly client: Client) {}

  readFile = async (
    place: Place,
    options?: ReadFileOptions | BufferEncoding | null,
  ): Promise<string | Buffer> => {
    const { encoding, flag, signal } = optionsOf(options);
    if (place instanceof FileHandle) return place.readFile({ encoding });
    const call = { syscall: 'open', path: textOf(place) };
    if (modeOf(flag, call) !== 'read') throw new FsError('EBADF', call);
    const whole = reading(this.client, uriOf(place), call, { start: 0 }).pipe(
      concatMap((reader) =>
        defer(() => {
          const buffer = bufferOf(reader.end);
          return reader.read(buffer).pipe(map(() => buffer));
        }).pipe(finalize(() => reader.close())),
      ),
    );
    return decoded(await answer(whole, call, signal), encoding);
  };

  writeFile = async (
    place: Place,
    data: Data,
    options?: WriteFileOptions | BufferEncoding | null,
  ): Promise<void> => {
    const { encoding, flag, signal, ...rest } = optionsOf(options);
    if (place instanceof FileHandle) return place.writeFile(data, { encoding });
    const call = { syscall: 'open', path: textOf(place) };
    const mode = modeOf(flag ?? 'w', call);
    if (mode === 'read') throw new FsError('EBADF', call);
    const uri = uriOf(place);
    if (namesDirectory(uri)) throw new FsError('EISDIR', call);
    const create = mode === 'create' ? { assumeObjectNotExists: true } : {};
    await answer(
      this.client.contents.write(uri, bodyOf(data, encoding), { ...rest, ...create }),
      call,
      signal,
    );
  };

  appendFile = (
    place: Place,
    data: Data,
    options?: WriteFileOptions | BufferEncoding | null,
  ): Promise<void> => {
    if (place instanceof FileHandle) return place.appendFile(data, optionsOf(options));
    return Promise.reject(notAppendable({ syscall: 'open', path: textOf(place) }));
  };

  /** In place of Node's mode, the options of a write may be passed. */
  open = async (
    path: PathLike,
    flags?: string | number,
    options?: WriteOptions | number | string,
  ): Promise<FileHandle> => {
    const call = { syscall: 'open', path: textOf(path) };
    const mode = modeOf(flags, call);
    const uri = uriOf(path);
    if (mode === 'read')
      return new ReadHandle(this.client, call.path, uri, await answer(reading(this.client, uri, call), call));
    const rest = typeof options === 'object' ? options : {};
    const writer = writing(this.client, uri, call, { ...rest, create: mode === 'create' });
    return new WriteHandle(call.path, uri, await answer(writer, call));
  };

  createReadStream = (path: PathLike, options?: ReadStreamOptions | BufferEncoding): ReadStream => {
    const given = optionsOf(options);
    const call = { syscall: 'open', path: textOf(path) };
    const range = rangeOf(given);
    const open = defer(() => reading(this.client, uriOf(path), call, range));
    const highWaterMark = given.highWaterMark ?? this.client.config.transfer.readBuffer;
    return new ReadStream(shown(path), open, { ...given, highWaterMark }, (error) => toFsError(error, call));
  };

  createWriteStream = (path: PathLike, options?: WriteStreamOptions | BufferEncoding): WriteStream => {
    const {
      flags,
      encoding,
      highWaterMark,
      emitClose,
      autoClose,
      signal,
      start = 0,
      ...rest
    } = optionsOf(options as WriteStreamOptions);
    const call = { syscall: 'open', path: textOf(path) };
    const open = defer(() => {
      if (start !== 0) throw notSupported(call, 'An object is written from its start to its end.');
      const mode = modeOf(flags ?? 'w', call);
      if (mode === 'read') throw new FsError('EBADF', call);
      return writing(this.client, uriOf(path), call, { ...rest, create: mode === 'create' });
    });
    const streamOptions = { encoding, highWaterMark, emitClose, autoClose, signal } as WriteStreamOptions;
    return new WriteStream(shown(path), open, streamOptions, call);
  };

  copyFile = async (from: PathLike, to: PathLike, mode = 0): Promise<void> => {
    const call = { syscall: 'copyfile', path: textOf(from), dest: textOf(to) };
    if ((mode & constants.COPYFILE_FICLONE_FORCE) !== 0)
      throw notSupported(call, 'Stores copy bytes; there are no clones.');
    const [source, target] = [uriOf(from), uriOf(to)];
    const overwrite = (mode & constants.COPYFILE_EXCL) === 0;
    const copied = this.client.find(source).pipe(
      concatMap((found) => {
        if (found === undefined) throw new FsError('ENOENT', call);
        if (found.kind === 'directory' || namesDirectory(target)) throw new FsError('EISDIR', call);
        if (source === target) {
          // As in Node, copying a file to itself does nothing.
          if (overwrite) return EMPTY;
          throw new FsError('EEXIST', call);
        }
        return this.client.operations.copy(source, target, { overwrite }).pipe(
          catchError((error: unknown) => {
            if (!isSamePlace(error)) return throwError(() => error);
            return overwrite ? EMPTY : throwError(() => new FsError('EEXIST', call, error));
          }),
        );
      }),
    );
    await promised(copied, call);
  };

  rename = async (from: PathLike, to: PathLike): Promise<void> => {
    const call = { syscall: 'rename', path: textOf(from), dest: textOf(to) };
    const [source, target] = [uriOf(from), uriOf(to)];
    const moved = this.client.find(source).pipe(
      concatMap((found) => {
        if (found === undefined) throw new FsError('ENOENT', call);
        if (nameUri(source) === nameUri(target)) return EMPTY;
        return found.kind === 'object'
          ? this.#moveFile(source, target, call)
          : this.#moveDirectory(source, target, call);
      }),
      // As in Node, nothing happens if both names refer to one object.
      catchError((error: unknown) => (isSamePlace(error) ? EMPTY : throwError(() => error))),
    );
    await promised(moved, call);
  };

  unlink = async (path: PathLike): Promise<void> => {
    const call = { syscall: 'unlink', path: textOf(path) };
    const uri = uriOf(path);
    const removed = this.client.find(uri).pipe(
      concatMap((found) => {
        if (found === undefined) throw new FsError('ENOENT', call);
        if (found.kind === 'directory') throw new FsError('EISDIR', call);
        return this.client.operations.remove(uri);
      }),
    );
    await promised(removed, call);
  };

  #moveFile(source: string, target: string, call: Call): Observable<unknown> {
    return this.client.find(target).pipe(
      concatMap((there) => {
        if (there?.kind === 'directory') throw new FsError('EISDIR', call);
        if (namesDirectory(target)) throw new FsError('ENOTDIR', call);
        return this.client.operations.move(source, target);
      }),
    );
  }

  /** The target must not exist, or be an empty directory. */
  #moveDirectory(source: string, target: string, call: Call): Observable<unknown> {
    const { operations } = this.client;
    const [from, to] = [directoryUri(source), directoryUri(target)];
    if (to.startsWith(from)) throw new FsError('EINVAL', call);
    const notEmpty = (): never => {
      throw new FsError('ENOTEMPTY', call);
    };
    return this.client.find(target).pipe(
      concatMap((there) => {
        if (there?.kind === 'object') throw new FsError('ENOTDIR', call);
        // The target is not removed: it may be the source under another name.
        const empty = there === undefined ? EMPTY : operations.list(to).pipe(take(1), map(notEmpty));
        return concat(
          empty,
          defer(() => operations.move(from, to)),
        );
      }),
    );
  }
}

function isSamePlace(error: unknown): boolean {
  return error instanceof OperationError && error.code === 'SamePlace';
}

/** The `path` of a stream, as in Node. */
function shown(path: PathLike): string | Buffer {
  return Buffer.isBuffer(path) ? path : textOf(path);
}
