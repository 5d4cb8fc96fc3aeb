import { catchError, concat, concatMap, defer, filter, from, map, throwError, type Observable } from 'rxjs';
import { parseUri, splitUri } from '../../path/index.js';
import { isStoreError } from '../../store/errors.js';
import type { Failure } from '../operations/index.js';
import { isDirectory } from '../operations/place.js';
import type { Entry, ListOptions } from '../types.js';
import type { Client } from './client.js';
import type { Call } from './errors.js';
import { checkDirectory } from './opening.js';
import { directoryUri } from './paths.js';

/** An entry of a directory: its relative path, without a trailing slash. `other`: it cannot be read. */
export interface Found {
  readonly path: string;
  readonly kind: Entry['kind'] | 'other';
}

/**
 * The entries of a directory, page by page; with `recursive`, also those below it, every directory before its content. Names
 * that no directory can have (empty ones, as in `a//b`, `.` and `..`) are left out, with everything below them: joined to a
 * path, they would lead elsewhere. Errors: `ENOENT`, `ENOTDIR`.
 */
export function entriesOf(
  client: Client,
  uri: string,
  call: Call,
  { recursive = false, pace }: { readonly recursive?: boolean; readonly pace?: ListOptions['pace'] } = {},
): Observable<Found> {
  return defer(() => {
    const directory = directoryUri(uri);
    const others: Failure[] = [];
    const options = {
      unreadable: 'skip',
      onSkipped: (skipped: Failure) => others.push(skipped),
      ...(pace === undefined ? {} : { pace }),
    } as const;
    const { operations } = client;
    const found = recursive
      ? operations.walk(directory, options).pipe(concatMap(pathsBelow(directory)))
      : operations
          .list(directory, options)
          .pipe(concatMap(({ name, kind }) => from([{ path: name.replace(/\/$/, ''), kind }])));
    return concat(found, from(others).pipe(map(otherIn(directory)))).pipe(
      filter(({ path }) => path.split('/').every((name) => !['', '.', '..'].includes(name))),
      catchError((error: unknown) =>
        isStoreError(error, 'NotFound') ? checkDirectory(client, uri, call) : throwError(() => error),
      ),
    );
  });
}

/**
 * Entries of a local directory that cannot be objects are still listed by name, except those of a directory without read
 * permission.
 */
function otherIn(directory: string): (failure: Failure) => Found {
  const { key: prefix } = parseUri(directory);
  return ({ uri, error }) => {
    const path = parseUri(uri).key.slice(prefix.length);
    if (isStoreError(error, 'PermissionDenied') && isDirectory(path)) throw error;
    return { path: path.replace(/\/$/, ''), kind: 'other' };
  };
}

/** An object, preceded by its directories that are new. */
function pathsBelow(directory: string): (entry: Entry) => Observable<Found> {
  const { key: prefix } = splitUri(directory);
  const met = new Set<string>();
  return ({ uri }) => {
    const key = decodeURIComponent(splitUri(uri).key.slice(prefix.length));
    const found: Found[] = [];
    for (let slash = key.indexOf('/'); slash >= 0; slash = key.indexOf('/', slash + 1)) {
      const path = key.slice(0, slash);
      if (met.has(path)) continue;
      met.add(path);
      found.push({ path, kind: 'directory' });
    }
    if (!isDirectory(key)) found.push({ path: key, kind: 'object' });
    return from(found);
  };
}
