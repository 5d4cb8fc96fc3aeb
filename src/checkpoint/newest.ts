import { catchError, defer, map, of, reduce, switchMap, throwError, type Observable } from 'rxjs';
import { isStoreError } from '../store/errors.js';
import type { ObjectStore } from '../store/objectStore.js';
import { listPages } from '../store/pages.js';
import { logKey, logNumber, type Manifest } from './manifest.js';
import { largest } from './signedJson.js';
import { readManifest, type Scope } from './trust.js';

export interface LogPlace {
  readonly store: ObjectStore;
  /** The log's directory as a key prefix, with a trailing slash. */
  readonly prefix: string;
  readonly scope: Scope;
}

/** Between a listing and the read, a running job may write entries and delete earlier ones. */
const tries = 10;

/**
 * Reads the newest entry of a log, without becoming part of it: the state of the last durable checkpoint. Emits
 * `undefined` if there is no entry. Needs the rights to list and to read.
 *
 * Errors: those of `readManifest`, and of the store.
 */
export function readNewest(place: LogPlace, left = tries): Observable<Manifest | undefined> {
  const { store, prefix, scope } = place;
  return defer(() => listPages(store, { prefix: `${prefix}log/` })).pipe(
    reduce(
      (newest: number | undefined, { objects }) =>
        objects.flatMap(({ key }) => logNumber(key.slice(prefix.length)) ?? []).at(-1) ?? newest,
      undefined,
    ),
    switchMap((n) => {
      if (n === undefined) return of(undefined);
      return store.get(prefix + logKey(n), { range: { start: 0, end: largest + 1 } }).pipe(
        map(({ chunks }) => readManifest(Buffer.concat(chunks), n, scope)),
        catchError((error: unknown) =>
          left > 1 && isStoreError(error, 'NotFound') ? readNewest(place, left - 1) : throwError(() => error),
        ),
      );
    }),
  );
}
