import { catchError, concatMap, defer, map, throwError, type Observable } from 'rxjs';
import { isStoreError } from '../../store/errors.js';
import { isDirectory } from '../operations/place.js';
import type { SeekableReader } from '../../store/reader/index.js';
import type { WriteOptions } from '../types.js';
import type { ObjectWriter } from '../writer/index.js';
import type { Client } from './client.js';
import { FsError, type Call } from './errors.js';
import { nameUri } from './paths.js';
import { splitUri } from '../../path/index.js';

/** Opens an object for reading at any position, or a range sequentially. Errors: `ENOENT`, `EISDIR`, `ENOTDIR`. */
export function reading(
  client: Client,
  uri: string,
  call: Call,
  range?: { readonly start: number; readonly end?: number },
): Observable<SeekableReader> {
  return defer(() => {
    if (namesDirectory(uri)) return notRead(client, uri, call);
    const { contents } = client;
    return (range === undefined ? contents.seekable(uri) : contents.sequential(uri, { range })).pipe(
      catchError((error: unknown) =>
        isStoreError(error, 'NotFound') ? notRead(client, uri, call, error) : throwError(() => error),
      ),
    );
  });
}

/** Throws the reason why there is no object to read. */
function notRead(client: Client, uri: string, call: Call, cause?: unknown): Observable<never> {
  return client.isDirectory(uri).pipe(
    concatMap((directory) =>
      directory
        ? throwError(() => new FsError('EISDIR', call, cause))
        : client.isFile(uri).pipe(
            map((file) => {
              throw new FsError(file ? 'ENOTDIR' : 'ENOENT', call, cause);
            }),
          ),
    ),
  );
}

/**
 * Opens an object for writing. `create`: it must not exist, neither now nor at the end. Errors: `EISDIR` (the name ends in a
 * slash, or is a bucket's), `EEXIST`.
 */
export function writing(
  client: Client,
  uri: string,
  call: Call,
  options: WriteOptions & { readonly create?: boolean },
): Observable<ObjectWriter> {
  return defer(() => {
    if (namesDirectory(uri)) throw new FsError('EISDIR', call);
    const { create = false, ...rest } = options;
    if (!create) return client.contents.writer(uri, rest);
    return client.isFile(uri).pipe(
      concatMap((there) => {
        if (there) throw new FsError('EEXIST', call);
        return client.contents.writer(uri, { ...rest, assumeObjectNotExists: true });
      }),
    );
  });
}

/** Whether a URI is a directory's. */
export function namesDirectory(uri: string): boolean {
  return isDirectory(splitUri(uri).key);
}

/** Throws `ENOTDIR` if there is an object of the directory's name, else `ENOENT`. */
export function checkDirectory(client: Client, uri: string, call: Call): Observable<never> {
  return client.isFile(nameUri(uri)).pipe(
    map((file) => {
      throw new FsError(file ? 'ENOTDIR' : 'ENOENT', call);
    }),
  );
}
