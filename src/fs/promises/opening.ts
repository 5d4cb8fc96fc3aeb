import { catchError, concatMap, defer, map, throwError, type Observable } from 'rxjs';
import { isStoreError } from '../../store/errors.js';
import { isDirectory } from '../operations/place.js';
import type { SeekableReader } from '../reader/index.js';
import type { WriteOptions } from '../types.js';
import type { ObjectWriter } from '../writer/index.js';
import type { Client } from './client.js';
import { FsError, type Call } from './errors.js';
import { nameUri } from './paths.js';
import { splitUri } from '../../path/index.js';

/** An object to be read: anywhere, or from a start on. Errors: `ENOENT`; `EISDIR`, `ENOTDIR` as its name and what is there say. */
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

/** Why there is nothing to read. */
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
 * An object to be written. `create`: there must be none, now and at the end. Errors: `EISDIR` (its name ends in a slash, or
 * is a bucket's), `EEXIST`.
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

/** Whether a URI can only be a directory's. */
export function namesDirectory(uri: string): boolean {
  return isDirectory(splitUri(uri).key);
}

/** Throws `ENOTDIR` if it is an object that the name, a directory's, means. */
export function checkDirectory(client: Client, uri: string, call: Call): Observable<never> {
  return client.isFile(nameUri(uri)).pipe(
    map((file) => {
      throw new FsError(file ? 'ENOTDIR' : 'ENOENT', call);
    }),
  );
}
